// SPDX-License-Identifier: MIT
// Activations that matmul and convolution apply on the way out, and their gradients from the output or the recomputed input.
import { oneOf } from '../check.ts';
import type { Tensor } from '../engine/tensor.ts';
import { add, addScalar, cast, erf, exp, greaterScalar, mul, mulScalar, neg, sigmoid, square } from './pointwise.ts';

export type Activation = 'none' | 'relu' | 'gelu' | 'sigmoid' | 'silu';
/** Values of `params.act` in the kernels. */
export const ACT: Readonly<Record<Activation, number>> = { none: 0, relu: 1, gelu: 2, sigmoid: 3, silu: 4 };

export const anActivation = oneOf(...Object.keys(ACT));

/** dLoss/dInput of the activation; `pre` makes its input again where the output does not determine the gradient. */
export function activationGrad(act: Activation, g: Tensor, y: Tensor, pre: () => Tensor): Tensor {
  switch (act) {
    case 'none': return g;
    case 'relu': return mul(g, cast(greaterScalar(y, 0), g.dtype));
    case 'sigmoid': return mul(g, mul(y, addScalar(neg(y), 1)));
    case 'silu': {
      const x = pre();
      const s = sigmoid(x);
      return mul(g, mul(s, addScalar(mul(x, addScalar(neg(s), 1)), 1)));
    }
    case 'gelu': {
      const x = pre();
      const cdf = mulScalar(addScalar(erf(mulScalar(x, Math.SQRT1_2)), 1), 0.5);
      return mul(g, add(cdf, mul(x, mulScalar(exp(mulScalar(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI)))));
    }
  }
}
