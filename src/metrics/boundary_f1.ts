// SPDX-License-Identifier: MIT
// Boundary F1 (Csurka et al., BMVC 2013; MATLAB's bfscore): the share of boundary voxels that have a counterpart within theta voxels.
// MATLAB's tolerance is 0.75 % of the image diagonal; on a 32 x 64 x 64 region that is 0.72 voxel, which only an exact hit passes,
// so it is rounded up (specification 8). Distances are in voxels whatever the spacing, as in the image definition.

import type { Triple } from '../axes.ts';
import { boundaryVoxels, scoredVoxels, type BoxedMask } from './boundary.ts';
import { squaredDistances } from './edt.ts';
import type { MaskPair } from './mask.ts';

const VOXELS: Readonly<Triple> = [1, 1, 1];

/** Tolerance theta in voxels for an image of this size: ceil(0.0075 x diagonal). */
export function boundaryTolerance(size: readonly number[]): number {
  return Math.ceil(0.0075 * Math.hypot(...size));
}

export interface BoundaryF1 {
  precision: number;
  recall: number;
  /** 2 precision recall / (precision + recall). */
  f1: number;
}

/** Boundary F1 of one class in 3-D. Null when both masks are empty, 0 when one is. */
export function boundaryF1(pair: MaskPair | null, theta: number): BoundaryF1 | null {
  if (pair === null) return null;
  return matchBoundaries({ ...pair, mask: pair.reference }, { ...pair, mask: pair.prediction }, theta, false);
}

/**
 * Mean over transverse slices of the 2-D boundary F1, with 4-neighbours and in-slice distances; slices where both are empty are left out.
 */
export function boundaryF1PerSlice(pair: MaskPair | null, theta: number): number | null {
  if (pair === null) return null;
  const [d, h, w] = pair.size;
  let sum = 0,
    slices = 0;
  for (let z = 0; z < d; z++) {
    const slice = (mask: Uint8Array): BoxedMask => ({
      mask: mask.subarray(z * h * w, (z + 1) * h * w),
      size: [1, h, w],
      origin: [pair.origin[0] + z, pair.origin[1], pair.origin[2]],
      volume: pair.volume,
    });
    const score = matchBoundaries(slice(pair.reference), slice(pair.prediction), theta, true);
    if (score === null) continue;
    sum += score.f1;
    slices++;
  }
  return slices === 0 ? null : sum / slices;
}

function matchBoundaries(reference: BoxedMask, prediction: BoxedMask, theta: number, planar: boolean): BoundaryF1 | null {
  const marksR = boundaryVoxels(reference, planar),
    marksP = boundaryVoxels(prediction, planar);
  const scoredR = scoredVoxels(marksR),
    scoredP = scoredVoxels(marksP);
  if (scoredR.length === 0 && scoredP.length === 0) return null;
  if (scoredR.length === 0 || scoredP.length === 0) return { precision: 0, recall: 0, f1: 0 };
  const precision = shareWithin(scoredP, squaredDistances(marksR, reference.size, VOXELS), theta);
  const recall = shareWithin(scoredR, squaredDistances(marksP, reference.size, VOXELS), theta);
  return { precision, recall, f1: precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall) };
}

function shareWithin(voxels: Uint32Array, squared: Float64Array, theta: number): number {
  let near = 0;
  for (const i of voxels) if (squared[i] <= theta * theta) near++;
  return near / voxels.length;
}
