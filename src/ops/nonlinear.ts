// SPDX-License-Identifier: MIT
// More activations: rows of their own where a gradient must be whole at corners and infinities, else made of others, which programs fuse.
import { fields, maybe, scalar } from '../check.ts';
import { aTensor, door } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { abs, addScalar, div, elu, mul, mulScalar, sigmoid } from './pointwise.ts';
import { one, row, two } from './row.ts';
import * as slope from './slopes.ts';

const hardSigmoidRow = row('hard_sigmoid', 1, 'clamped(a * p0 + p1, 0.0, 1.0)', (g, [x], _, consts) => [
  () => slope.hardSigmoid([g, x], consts),
]);
/** min(max(alpha x + beta, 0), 1); no gradient passes at the corners. */
export const hardSigmoid = door(
  'hardSigmoid',
  { x: aTensor, options: maybe(fields({ alpha: maybe(scalar), beta: maybe(scalar) })) },
  (x: Tensor, { alpha = 1 / 6, beta = 0.5 }: { alpha?: number; beta?: number } = {}): Tensor => hardSigmoidRow([x], [alpha, beta]),
);
/** x hardSigmoid(x) */
export const hardSwish = one(
  row('hard_swish', 1, 'a * (clamped(a + 3.0, 0.0, 6.0) * 0.16666667)', (g, [x]) => [() => slope.hardSwish([g, x])]),
);
/** x sigmoid(alpha x) */
export const swish = door('swish', { x: aTensor, alpha: maybe(scalar) }, (x: Tensor, alpha: number = 1): Tensor =>
  mul(x, sigmoid(mulScalar(x, alpha))),
);
/** x tanh(log(1 + exp(x))) */
export const mish = one(row('mish', 1, 'mish(a)', (g, [x]) => [() => slope.mish([g, x])]));
/** Self-normalising: gamma elu(x, alpha). */
export const selu = door(
  'selu',
  { x: aTensor, options: maybe(fields({ alpha: maybe(scalar), gamma: maybe(scalar) })) },
  (x: Tensor, { alpha = 1.6732632423543772, gamma = 1.0507009873554805 }: { alpha?: number; gamma?: number } = {}): Tensor =>
    elu(x, alpha, gamma),
);
/** max(x, 0) + min(alpha (exp(x / alpha) - 1), 0): elu with a continuous slope. */
export const celu = door('celu', { x: aTensor, alpha: maybe(scalar) }, (x: Tensor, alpha: number = 1): Tensor =>
  elu(x, alpha, 1, 1 / alpha),
);
/** x where it is positive, else slope x; the slope broadcasts and is learnt. */
export const prelu = two(
  row('prelu', 2, 'select(a * b, a, a > 0.0)', (g, [x, w]) => [() => slope.prelu([g, x, w]), () => slope.preluSlope([g, x])]),
);
/** x / (1 + |x|) */
export const softsign = door('softsign', { x: aTensor }, (x: Tensor): Tensor => div(x, addScalar(abs(x), 1)));
/** gelu with tanh in place of erf. */
export const geluTanh = one(row('gelu_tanh', 1, 'gelu_tanh(a)', (g, [x]) => [() => slope.geluTanh([g, x])]));
