// SPDX-License-Identifier: MIT
// Rearrangements that are a reshape, a permute and a reshape: one copy each, and gradients of their own accord.
import type { Plane } from '../axes.ts';
import { fields, integer, integers, maybe, oneOf } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { permute } from './permute.ts';
import { reshape } from './reshape.ts';
import { expand } from './expand.ts';
import { axisOf } from './layout.ts';

/** Order of the channels of a block: CRD has channel c r^2 + dy r + dx (PyTorch's pixel shuffle), DCR (dy r + dx) C + c (ONNX). */
export interface BlockOptions {
  factor: number;
  mode?: 'CRD' | 'DCR';
}

const BLOCK = fields({ factor: integer(1), mode: maybe(oneOf('CRD', 'DCR')) });

/** Blocks of factor^2 (3D: factor^3) pixels into channels: x [N, (D,) H, W, C] to [N, (D/r,) H/r, W/r, C r^n]. */
export const spaceToDepth = door(
  'spaceToDepth',
  { x: aTensor, options: BLOCK },
  (x: Tensor, { factor: r, mode = 'CRD' }: BlockOptions): Tensor => {
    const sizes = x.shape.slice(1, -1);
    const channels = x.shape.at(-1)!;
    if (sizes.some((d) => d % r !== 0))
      throw new ShapeError(`spaceToDepth: got [${x.shape}] and factor ${r}, expected sizes divisible by it.`);
    const n = sizes.length;
    const cells = sizes.map((_, i) => 2 * i + 1);
    const within = sizes.map((_, i) => 2 * i + 2);
    const c = 2 * n + 1;
    const apart = reshape(x, [x.shape[0], ...sizes.flatMap((d) => [d / r, r]), channels]);
    const moved = permute(apart, mode === 'CRD' ? [0, ...cells, c, ...within] : [0, ...cells, ...within, c]);
    return reshape(moved, [x.shape[0], ...sizes.map((d) => d / r), channels * r ** n]);
  },
);

/** Inverse of spaceToDepth: x [N, (D,) H, W, C r^n] to [N, (D r,) H r, W r, C]. */
export const depthToSpace = door(
  'depthToSpace',
  { x: aTensor, options: BLOCK },
  (x: Tensor, { factor: r, mode = 'CRD' }: BlockOptions): Tensor => {
    const sizes = x.shape.slice(1, -1);
    const n = sizes.length;
    const channels = x.shape.at(-1)! / r ** n;
    if (!Number.isInteger(channels))
      throw new ShapeError(`depthToSpace: got [${x.shape}] and factor ${r}, expected channels divisible by ${r ** n}.`);
    const block = sizes.map(() => r);
    const apart = reshape(x, [x.shape[0], ...sizes, ...(mode === 'CRD' ? [channels, ...block] : [...block, channels])]);
    const c = mode === 'CRD' ? n + 1 : 2 * n + 1;
    const first = mode === 'CRD' ? n + 2 : n + 1; // of the block's axes
    const moved = permute(apart, [0, ...sizes.flatMap((_, i) => [i + 1, first + i]), c]);
    return reshape(moved, [x.shape[0], ...sizes.map((d) => d * r), channels]);
  },
);

/** Channels [groups, C / groups] transposed: neighbours come from different groups. x [..., C] */
export const channelShuffle = door(
  'channelShuffle',
  { x: aTensor, options: fields({ groups: integer(1) }) },
  (x: Tensor, { groups }: { groups: number }): Tensor => {
    const channels = x.shape.at(-1)!;
    const rows = numel(x.shape.slice(0, -1));
    if (channels % groups !== 0) throw new ShapeError(`channelShuffle: got ${channels} channels and ${groups} groups, expected a divisor.`);
    return reshape(permute(reshape(x, [rows, groups, channels / groups]), [0, 2, 1]), x.shape);
  },
);

const ORDER: Record<Plane, readonly number[]> = { transverse: [0, 1, 2, 3, 4], coronal: [0, 2, 1, 3, 4], sagittal: [0, 3, 1, 2, 4] };

const aPlane = oneOf(...Object.keys(ORDER));

/** Volumes [N, D, H, W, C] as slices [N * count, h, w, C]. */
export const volumeToSlices = door(
  'volumeToSlices',
  { x: aTensor, options: fields({ plane: aPlane }) },
  (x: Tensor, { plane }: { plane: Plane }): Tensor => {
    if (x.shape.length !== 5) throw new ShapeError(`volumeToSlices: got [${x.shape}], expected [N, D, H, W, C].`);
    const y = permute(x, ORDER[plane]);
    return reshape(y, [y.shape[0] * y.shape[1], ...y.shape.slice(2)]);
  },
);

/** Slices [batch * count, h, w, C] as volumes [batch, D, H, W, C]. */
export const slicesToVolume = door(
  'slicesToVolume',
  { slices: aTensor, options: fields({ plane: aPlane, batch: maybe(integer(1)) }) },
  (slices: Tensor, { plane, batch = 1 }: { plane: Plane; batch?: number }): Tensor => {
    const [count, ...rest] = slices.shape as [number, ...number[]];
    if (rest.length !== 3 || count % batch !== 0)
      throw new ShapeError(`slicesToVolume: got [${slices.shape}] for a batch of ${batch}, expected [batch * count, h, w, C].`);
    const order = ORDER[plane];
    return permute(
      reshape(slices, [batch, count / batch, ...rest]),
      order.map((_, i) => order.indexOf(i)),
    );
  },
);

/** x repeated `repeats[i]` times along axis i; missing leading axes of x count 1. */
export const tile = door('tile', { x: aTensor, repeats: integers(0) }, (x: Tensor, repeats: readonly number[]): Tensor => {
  const rank = Math.max(repeats.length, x.shape.length);
  const shape = [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape];
  const times = [...new Array<number>(rank - repeats.length).fill(1), ...repeats];
  const repeated = times.flatMap((t, i) => (t === 1 ? [] : [i]));
  // Every repeated axis makes two, and what lies between them one: more are beyond the axes of one broadcast.
  if (repeated.length > 2)
    return tile(
      tile(
        x,
        times.map((t, i) => (i >= repeated[2] ? t : 1)),
      ),
      times.map((t, i) => (i >= repeated[2] ? 1 : t)),
    );
  const wide = expand(
    reshape(
      x,
      shape.flatMap((d) => [1, d]),
    ),
    shape.flatMap((d, i) => [times[i], d]),
  );
  return reshape(
    wide,
    shape.map((d, i) => d * times[i]),
  );
});

/** PyTorch's name of `tile`. */
export const repeat = tile;

/** Every element along `axis` `repeats` times in a row. */
export const repeatInterleave = door(
  'repeatInterleave',
  { x: aTensor, options: fields({ repeats: integer(0), axis: integer() }) },
  (x: Tensor, { repeats, axis }: { repeats: number; axis: number }): Tensor => {
    const at = axisOf('repeatInterleave', x.shape, axis);
    const [before, d, after] = [numel(x.shape.slice(0, at)), x.shape[at], numel(x.shape.slice(at + 1))];
    return reshape(
      expand(reshape(x, [before, d, 1, after]), [before, d, repeats, after]),
      x.shape.map((s, i) => (i === at ? s * repeats : s)),
    );
  },
);
