// SPDX-License-Identifier: MIT
// Activations made of pointwise rows: their gradients follow from the rows', and programs fuse each into one kernel.
import { fields, maybe, scalar } from '../check.ts';
import { aTensor, door } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { noGrad } from '../engine/trace.ts';
import { abs, addScalar, clamp, div, elu, greaterScalar, mul, mulScalar, sigmoid, softplus, tanh, where } from './pointwise.ts';

/** min(max(alpha x + beta, 0), 1) */
export const hardSigmoid = door('hardSigmoid', { x: aTensor, options: maybe(fields({ alpha: maybe(scalar), beta: maybe(scalar) })) },
  (x: Tensor, { alpha = 1 / 6, beta = 0.5 }: { alpha?: number; beta?: number } = {}): Tensor =>
  clamp(addScalar(mulScalar(x, alpha), beta), 0, 1));
/** x hardSigmoid(x) */
export const hardSwish = door('hardSwish', { x: aTensor }, (x: Tensor): Tensor => mul(x, hardSigmoid(x)));
/** x sigmoid(alpha x) */
export const swish = door('swish', { x: aTensor, alpha: maybe(scalar) },
  (x: Tensor, alpha: number = 1): Tensor => mul(x, sigmoid(mulScalar(x, alpha))));
/** x tanh(log(1 + exp(x))) */
export const mish = door('mish', { x: aTensor }, (x: Tensor): Tensor => mul(x, tanh(softplus(x))));
/** Self-normalising: gamma elu(x, alpha). */
export const selu = door('selu', { x: aTensor, options: maybe(fields({ alpha: maybe(scalar), gamma: maybe(scalar) })) },
  (x: Tensor, { alpha = 1.6732632423543772, gamma = 1.0507009873554805 }: { alpha?: number; gamma?: number } = {}): Tensor =>
  mulScalar(elu(x, alpha), gamma));
/** max(x, 0) + min(alpha (exp(x / alpha) - 1), 0): elu with a continuous slope. */
export const celu = door('celu', { x: aTensor, alpha: maybe(scalar) },
  (x: Tensor, alpha: number = 1): Tensor => mulScalar(elu(mulScalar(x, 1 / alpha)), alpha));
/** x where it is positive, else slope x; the slope broadcasts and is learnt. */
export const prelu = door('prelu', { x: aTensor, slope: aTensor },
  (x: Tensor, slope: Tensor): Tensor => where(noGrad(() => greaterScalar(x, 0)), x, mul(x, slope)));
/** x / (1 + |x|) */
export const softsign = door('softsign', { x: aTensor }, (x: Tensor): Tensor => div(x, addScalar(abs(x), 1)));
/** gelu with tanh in place of erf. */
export const geluTanh = door('geluTanh', { x: aTensor }, (x: Tensor): Tensor => {
  const inner = mul(x, addScalar(mulScalar(mul(x, x), 0.044715 * Math.sqrt(2 / Math.PI)), Math.sqrt(2 / Math.PI)));
  return mul(mulScalar(x, 0.5), addScalar(tanh(inner), 1));
});
