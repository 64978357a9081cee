// SPDX-License-Identifier: MIT
// Clicks at test time (specification 3.6): from the consensus of the 2D networks, never from ground truth.
import type { Triple } from '../../axes.ts';
import { squaredDistances } from '../../metrics/edt.ts';
import { largestComponent } from '../../data/morphology.ts';
import { argmax } from '../../predict/predict_volume.ts';
import { voxelCoordinates } from './feed.ts';

/**
 * One click for each foreground class: the innermost voxel of the largest component of the consensus (argmax of the mean
 * probabilities [D, H, W, K]); the ROI's centre where the class is empty. coords [K-1, 1, 3] in [0, 1], labels [K-1, 1].
 */
export function consensusClicks(
  predictions: readonly Float32Array[],
  size: Readonly<Triple>,
  classes: number,
): { coords: Float32Array; labels: Float32Array } {
  const coords = new Float32Array((classes - 1) * 3).fill(0.5);
  const label = argmax(predictions, classes);
  for (let c = 1; c < classes; c++) {
    const mask = Uint8Array.from(label, (v) => (v === c ? 1 : 0));
    if (!mask.includes(1)) continue; // so too where there is no 2D network: no consensus
    coords.set(voxelCoordinates(innermost(largestComponent(mask, [...size]), size), size), (c - 1) * 3);
  }
  return { coords, labels: new Float32Array(classes - 1).fill(1) };
}

/** Voxel of a mask with the largest distance to its outside; voxels beyond the volume count as outside. */
function innermost(mask: Uint8Array, [d, h, w]: Readonly<Triple>): [number, number, number] {
  // A rim of background makes the volume's faces count as outside.
  const rim: Readonly<Triple> = [d + 2, h + 2, w + 2];
  const outside = new Uint8Array(rim[0] * rim[1] * rim[2]).fill(1);
  for (let z = 0; z < d; z++) {
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) if (mask[(z * h + y) * w + x]) outside[((z + 1) * rim[1] + y + 1) * rim[2] + x + 1] = 0;
    }
  }
  const distance = squaredDistances(outside, [...rim], [1, 1, 1]);
  let best = 0;
  for (let i = 1; i < distance.length; i++) if (distance[i] > distance[best]) best = i;
  return [Math.floor(best / (rim[1] * rim[2])) - 1, (Math.floor(best / rim[2]) % rim[1]) - 1, (best % rim[2]) - 1];
}
