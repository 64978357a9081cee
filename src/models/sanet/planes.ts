// SPDX-License-Identifier: MIT
// Slices of volumes and back (specification 1.2, 1.4). Volumes [B, D, H, W, C]; transverse slices fix z and are [H, W],
// coronal slices fix y and are [D, W]. Slices are numbered through all volumes.
import type { SlicePlane, Triple } from '../../axes.ts';
import { ShapeError } from '../../errors.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { indexSelect } from '../../ops/gather.ts';
import { pad, slice } from '../../ops/layout.ts';
import { permute } from '../../ops/permute.ts';
import { reshape } from '../../ops/reshape.ts';
import { resize } from '../../ops/resize.ts';

export const PLANES: readonly SlicePlane[] = ['transverse', 'coronal'];

/** Number of slices of a plane, and their height and width. */
export function planeShape([d, h, w]: Readonly<Triple>, plane: SlicePlane): { count: number; height: number; width: number } {
  return plane === 'transverse' ? { count: d, height: h, width: w } : { count: h, height: d, width: w };
}

/** Every slice of a plane: volumes [B, D, H, W, C] -> [B, count, h, w, C], and back. */
export const turned = (volumes: Tensor, plane: SlicePlane): Tensor =>
  plane === 'transverse' ? volumes : permute(volumes, [0, 2, 1, 3, 4]);

/** volumes [B, D, H, W, C], index u32 [S] into the slices of all -> [S, h, w, C] */
export function takeSlices(volumes: Tensor, plane: SlicePlane, index: Tensor): Tensor {
  const all = turned(volumes, plane);
  return indexSelect(reshape(all, [-1, ...all.shape.slice(2)]), index, { axis: 0 });
}

/**
 * slices [S, h, w, C] -> volumes [B, D, H, W, C]. `inverse` u32 [B, count] holds, for every position of the volumes, which slice
 * lies there; positions without a slice hold any index and must be masked by the caller.
 */
export function putSlices(slices: Tensor, plane: SlicePlane, inverse: Tensor): Tensor {
  const all = indexSelect(slices, reshape(inverse, [-1]), { axis: 0 });
  return turned(reshape(all, [...inverse.shape, ...slices.shape.slice(1)]), plane);
}

/** How native slices become network input: enlarged, then edge-padded to multiples of 32, the odd pixel last. */
export interface Fit {
  readonly height: number;
  readonly width: number;
  readonly factor: 1 | 2;
  readonly top: number;
  readonly left: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
}

export function fitSlices(height: number, width: number, resizeBy: 'auto' | 1 | 2): Fit {
  if (height < 1 || width < 1) throw new ShapeError(`slices: got ${height} x ${width}, expected at least 1 x 1.`);
  const factor = resizeBy === 'auto' ? (Math.max(height, width) < 96 ? 2 : 1) : resizeBy;
  const h = height * factor;
  const w = width * factor;
  const padH = (32 - (h % 32)) % 32;
  const padW = (32 - (w % 32)) % 32;
  return { height, width, factor, top: padH >> 1, left: padW >> 1, inputHeight: h + padH, inputWidth: w + padW };
}

/** [S, h, w, C] -> [S, inputHeight, inputWidth, C] */
export function toNetwork(slices: Tensor, fit: Fit): Tensor {
  const h = fit.height * fit.factor;
  const w = fit.width * fit.factor;
  const enlarged = fit.factor === 1 ? slices : resize(slices, [h, w], { mode: 'linear' });
  if (h === fit.inputHeight && w === fit.inputWidth) return enlarged;
  return pad(enlarged, {
    axes: [1, 2],
    before: [fit.top, fit.left],
    after: [fit.inputHeight - h - fit.top, fit.inputWidth - w - fit.left],
    mode: 'replicate',
  });
}

/** Logits of any resolution [S, *, *, K] -> resized to the network input, cropped, resized to the native slice [S, h, w, K]. */
export function toNative(logits: Tensor, fit: Fit): Tensor {
  const full =
    logits.shape[1] === fit.inputHeight && logits.shape[2] === fit.inputWidth
      ? logits
      : resize(logits, [fit.inputHeight, fit.inputWidth], { mode: 'linear' });
  const h = fit.height * fit.factor;
  const w = fit.width * fit.factor;
  const cropped =
    h === fit.inputHeight && w === fit.inputWidth
      ? full
      : slice(full, { axis: [1, 2], start: [fit.top, fit.left], end: [fit.top + h, fit.left + w] });
  return fit.factor === 1 ? cropped : resize(cropped, [fit.height, fit.width], { mode: 'linear' });
}
