// SPDX-License-Identifier: MIT
// Global response norm (ConvNeXt V2, Woo et al. 2023): channels compete by their norms over all positions of a sample.
import { fields, maybe, scalar } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor, door } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { noGrad } from '../engine/trace.ts';
import { add, addScalar, cast, div, greaterScalar, mul, mulScalar, sqrt, where } from './pointwise.ts';
import { mean, sumSquares } from './reduce.ts';

/** sqrt(x) with slope 0 at 0, as PyTorch's norm has it: the square root's own is infinite, and infinity times 0 is no number. */
function root(x: Tensor): Tensor {
  const some = noGrad(() => greaterScalar(x, 0));
  return mul(
    sqrt(where(some, x, addScalar(mulScalar(x, 0), 1))),
    noGrad(() => cast(some, x.dtype)),
  );
}

/** gamma x n + beta + x, n a channel's norm over the positions of x [N, ..., C] by their mean over channels + eps; gamma, beta f32 [C]. */
export const globalResponseNorm = door(
  'globalResponseNorm',
  { x: aTensor, gamma: aTensor, beta: aTensor, options: maybe(fields({ eps: maybe(scalar) })) },
  (x: Tensor, gamma: Tensor, beta: Tensor, { eps = 1e-6 }: { eps?: number } = {}): Tensor => {
    const channels = x.shape.at(-1);
    if (x.shape.length < 3)
      throw new ShapeError(`globalResponseNorm: got [${x.shape}], expected [N, positions, C] with one or more axes of positions.`);
    for (const v of [gamma, beta]) {
      if (v.shape.length !== 1 || v.shape[0] !== channels)
        throw new ShapeError(`globalResponseNorm: got a channel vector [${v.shape}] for [${x.shape}], expected [${channels}].`);
    }
    const as = (t: Tensor, dtype: Tensor['dtype']): Tensor => (t.dtype === dtype ? t : cast(t, dtype));
    // f32: a sum of squares leaves the range of f16
    const norms = root(sumSquares(as(x, 'f32'), { axes: x.shape.slice(1, -1).map((_, i) => i + 1), keepDims: true }));
    const shares = div(norms, addScalar(mean(norms, { axes: x.shape.length - 1, keepDims: true }), eps));
    return add(mul(x, as(addScalar(mul(shares, gamma), 1), x.dtype)), as(beta, x.dtype));
  },
);
