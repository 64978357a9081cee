// SPDX-License-Identifier: MIT
// Distances between two surfaces in mm: ASSD, HD95, surface Dice, signed distances. Surfaces are boundary voxels, each counted once
// and placed at its centre (a voxel version of google-deepmind/surface-distance, which weighs surface elements by area).

import type { Triple } from '../axes.ts';
import { boundaryVoxels, scoredVoxels } from './boundary.ts';
import { squaredDistances } from './edt.ts';
import type { MaskPair } from './mask.ts';
import { quantile } from './statistics.ts';

/** Distances of every scored boundary voxel to the other surface, mm. */
export interface SurfaceDistances {
  /** Prediction to reference, negative where the predicted boundary voxel lies inside the reference. */
  predictionToReference: Float64Array;
  /** Reference to prediction, unsigned. */
  referenceToPrediction: Float64Array;
}

/** Header spacings are float32 (0.1f x 10 > 1): a distance this little above a tolerance, in mm, still passes. */
const SPACING_ROUNDING = 1e-6;

/** Distances between the surfaces of one class; null when either mask is empty. */
export function surfaceDistances(pair: MaskPair | null, spacing: Readonly<Triple>): SurfaceDistances | null {
  if (pair === null || pair.nReference === 0 || pair.nPrediction === 0) return null;
  const marksR = boundaryVoxels({ ...pair, mask: pair.reference }),
    marksP = boundaryVoxels({ ...pair, mask: pair.prediction });
  return {
    predictionToReference: distancesAt(scoredVoxels(marksP), marksR, pair.size, spacing, pair.reference),
    referenceToPrediction: distancesAt(scoredVoxels(marksR), marksP, pair.size, spacing),
  };
}

function distancesAt(
  voxels: Uint32Array,
  sites: Uint8Array,
  size: Readonly<Triple>,
  spacing: Readonly<Triple>,
  inside?: Uint8Array,
): Float64Array {
  const squared = squaredDistances(sites, size, spacing);
  return Float64Array.from(voxels, (i) => {
    const distance = Math.sqrt(squared[i]);
    return inside?.[i] === 1 && distance > 0 ? -distance : distance;
  });
}

/** Average symmetric surface distance: the mean over the voxels of both surfaces together (Heimann et al. 2009), mm. */
export function assd(distances: SurfaceDistances): number {
  let sum = 0;
  for (const d of distances.predictionToReference) sum += Math.abs(d);
  for (const d of distances.referenceToPrediction) sum += d;
  return sum / (distances.predictionToReference.length + distances.referenceToPrediction.length);
}

/** The larger of the two directed 95th percentiles, mm. */
export function hd95(distances: SurfaceDistances): number {
  const directed = (values: Float64Array): number => quantile(values.map(Math.abs).sort(), 0.95);
  return Math.max(directed(distances.predictionToReference), directed(distances.referenceToPrediction));
}

/** Share of both surfaces that lies within `toleranceMm` of the other (Nikolov et al. 2018). */
export function surfaceDice(distances: SurfaceDistances, toleranceMm: number): number {
  let near = 0;
  for (const d of distances.predictionToReference) if (Math.abs(d) <= toleranceMm + SPACING_ROUNDING) near++;
  for (const d of distances.referenceToPrediction) if (d <= toleranceMm + SPACING_ROUNDING) near++;
  return near / (distances.predictionToReference.length + distances.referenceToPrediction.length);
}
