// SPDX-License-Identifier: MIT
// Activations that matmul and convolution apply on the way out, and their gradients from the output or the recomputed input.
import { oneOf } from '../check.ts';
import type { Tensor } from '../engine/tensor.ts';
import * as slope from './slopes.ts';

export type Activation = 'none' | 'relu' | 'gelu' | 'sigmoid' | 'silu';
/** Values of `params.act` in the kernels. */
export const ACT: Readonly<Record<Activation, number>> = { none: 0, relu: 1, gelu: 2, sigmoid: 3, silu: 4 };

export const anActivation = oneOf(...Object.keys(ACT));

/** dLoss/dInput of the activation; `pre` makes its input again where the output does not determine the gradient. */
export function activationGrad(act: Activation, g: Tensor, y: Tensor, pre: () => Tensor): Tensor {
  switch (act) {
    case 'none':
      return g;
    case 'relu':
      return slope.relu([g, y]);
    case 'sigmoid':
      return slope.sigmoid([g, y]);
    case 'silu':
      return slope.silu([g, pre()]);
    case 'gelu':
      return slope.gelu([g, pre()]);
  }
}
