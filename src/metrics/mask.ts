// SPDX-License-Identifier: MIT
// Label volumes as the metrics see them: integer labels on a grid, nothing else. Axis order is [D, H, W], W fastest.

import type { Triple } from '../axes.ts';
import { DataError } from '../errors.ts';

/** A label volume. `size` is [D, H, W] in voxels, `spacing` the same order in mm, `data[(z * H + y) * W + x]` the label. */
export interface LabelMap {
  data: Uint8Array;
  size: Readonly<Triple>;
  spacing: Readonly<Triple>;
}

/** Refuses two volumes that do not lie on one grid; spacing may differ by a thousandth (headers keep float32). */
export function assertSameGrid(reference: LabelMap, prediction: LabelMap, where: string): void {
  const voxels = reference.size[0] * reference.size[1] * reference.size[2];
  if (reference.size.some((n, axis) => n !== prediction.size[axis])) {
    throw new DataError(
      `${where}: reference and prediction lie on different grids, got ${prediction.size.join(' x ')} voxels, expected ` +
        `${reference.size.join(' x ')}.`,
      'Predict again from the image of this case, or resample the prediction to the reference grid.',
    );
  }
  if (reference.spacing.some((s, axis) => !(s > 0) || Math.abs(s - prediction.spacing[axis]) > 1e-3 * s)) {
    throw new DataError(
      `${where}: reference and prediction differ in spacing, got ${prediction.spacing.join(' x ')} mm, expected ` +
        `${reference.spacing.join(' x ')} mm.`,
      'One of the two headers is wrong; distances in mm would be too.',
    );
  }
  for (const [name, map] of [
    ['reference', reference],
    ['prediction', prediction],
  ] as const) {
    if (map.data.length !== voxels) {
      throw new DataError(`${where}: the ${name} does not fill its grid, got ${map.data.length} labels, expected ${voxels}.`);
    }
  }
}

/** Two binary masks cut to the smallest box that holds both; `origin` is the box's first voxel in the volume of `volume` voxels. */
export interface MaskPair {
  reference: Uint8Array;
  prediction: Uint8Array;
  size: Readonly<Triple>;
  origin: Readonly<Triple>;
  volume: Readonly<Triple>;
  nReference: number;
  nPrediction: number;
}

/**
 * Cuts one class out of both volumes. Both surfaces lie inside the joint bounding box, so distances between them are the
 * same as on the whole volume at a fraction of the memory. Null when the class occurs in neither.
 */
export function cropClass(reference: LabelMap, prediction: LabelMap, label: number): MaskPair | null {
  const [D, H, W] = reference.size;
  const low = [D, H, W],
    high = [-1, -1, -1];
  for (let z = 0, i = 0; z < D; z++) {
    for (let y = 0; y < H; y++) {
      let first = -1,
        last = -1;
      for (let x = 0; x < W; x++, i++) {
        if (reference.data[i] !== label && prediction.data[i] !== label) continue;
        if (first < 0) first = x;
        last = x;
      }
      if (first < 0) continue;
      low[0] = Math.min(low[0], z);
      high[0] = z;
      low[1] = Math.min(low[1], y);
      high[1] = Math.max(high[1], y);
      low[2] = Math.min(low[2], first);
      high[2] = Math.max(high[2], last);
    }
  }
  if (high[0] < 0) return null;

  const [d, h, w] = [high[0] - low[0] + 1, high[1] - low[1] + 1, high[2] - low[2] + 1];
  const pair = { reference: new Uint8Array(d * h * w), prediction: new Uint8Array(d * h * w) };
  let nReference = 0,
    nPrediction = 0;
  for (let z = 0, i = 0; z < d; z++) {
    for (let y = 0; y < h; y++) {
      let j = ((z + low[0]) * H + y + low[1]) * W + low[2];
      for (let x = 0; x < w; x++, i++, j++) {
        if (reference.data[j] === label) {
          pair.reference[i] = 1;
          nReference++;
        }
        if (prediction.data[j] === label) {
          pair.prediction[i] = 1;
          nPrediction++;
        }
      }
    }
  }
  return { ...pair, size: [d, h, w], origin: [low[0], low[1], low[2]], volume: reference.size, nReference, nPrediction };
}
