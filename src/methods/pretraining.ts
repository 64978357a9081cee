// SPDX-License-Identifier: MIT
// Learning from scans before labels: blocks of a volume are hidden and the network paints them (masked patches, as in He et al. 2022). It
// paints with the logits that it segments by afterwards, the last class's against the first's, so there is no head that is thrown away.
import type { Triple } from '../axes.ts';
import type { Tensor } from '../engine/tensor.ts';
import { noGrad } from '../engine/trace.ts';
import { slice } from '../ops/layout.ts';
import { add, addScalar, div, mul, neg, sub } from '../ops/pointwise.ts';
import { mean, sum } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { Philox } from '../random/philox.ts';

/** Edge of a block, voxels. */
const BLOCK = 8;
/** Share of the blocks that are hidden. */
const HIDDEN = 0.6;
/** Op of the order of what is hidden; cases and planes have those before. */
const BLOCKS = 4;

/** Whether iteration `it` of `n` is one of the first, which learn from scans alone; with a share below 1 the last never is. */
export const pretrains = (share: number, it: number, n: number): boolean => it < Math.floor(share * n);

/** 1 where the n-th region of a run is hidden, [D, H, W]: a function of (seed, n). */
export function hiddenBlocks([d, h, w]: Readonly<Triple>, seed: number, n: number): Float32Array {
  const blocks = [d, h, w].map((side) => Math.ceil(side / BLOCK)) as [number, number, number];
  const drawn = new Philox(seed, 'order').uniform(n, BLOCKS, blocks[0] * blocks[1] * blocks[2]);
  const out = new Float32Array(d * h * w);
  const block = (v: number): number => Math.floor(v / BLOCK);
  for (let z = 0, i = 0; z < d; z++)
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++, i++) if (drawn[(block(z) * blocks[1] + block(y)) * blocks[2] + block(x)] < HIDDEN) out[i] = 1;
  return out;
}

/** What a network is shown of volumes [B, D, H, W]: hidden voxels are 0 while `on` [1] is 1. */
export const shown = (image: Tensor, hidden: Tensor, on: Tensor): Tensor => noGrad(() => mul(image, addScalar(neg(mul(hidden, on)), 1)));

/** Mean square error of hidden voxels, painted by logits [B, D, H, W, K]: of each volume, then the mean. */
function paintLoss(logits: Tensor, image: Tensor, hidden: Tensor): Tensor {
  const classes = logits.shape.at(-1)!;
  const of = (c: number): Tensor => reshape(slice(logits, { axis: -1, start: c, end: c + 1 }), image.shape);
  const error = sub(sub(of(classes - 1), of(0)), image);
  const each = (x: Tensor): Tensor => sum(x, { axes: [-3, -2, -1] });
  return mean(div(each(mul(mul(error, error), hidden)), addScalar(each(hidden), 1)));
}

/** The loss of an iteration: of painting while `on` [1] is 1, else `segmentation`. */
export function paintOrSegment(segmentation: Tensor, on: Tensor, logits: Tensor, image: Tensor, hidden: Tensor): Tensor {
  const [paints, segments] = [reshape(on, []), reshape(addScalar(neg(on), 1), [])];
  return add(mul(segmentation, segments), mul(paintLoss(logits, image, hidden), paints));
}
