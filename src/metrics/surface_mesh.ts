// SPDX-License-Identifier: MIT
// The surface of a predicted class as triangles, every corner with its distance to the reference: what a figure draws.
//
// Surface nets of the mask (Gibson 1998): a corner in every cell of eight voxels that the surface crosses, four steps towards the mean
// of its neighbours without leaving its cell, a square for every pair of voxels that it divides. Distances are those of the metrics
// (`surface.ts`): of boundary voxels, negative inside the reference, and none where only the end of the volume makes a boundary.

import type { Triple } from '../axes.ts';
import { boundaryVoxels, SCORED } from './boundary.ts';
import { squaredDistances } from './edt.ts';
import { cropClass, type LabelMap, type MaskPair } from './mask.ts';

export interface SurfaceMesh {
  /** mm, [x, y, z] a corner: along W, H and D. */
  positions: Float32Array;
  /** Three corners each, counterclockwise from outside. */
  triangles: Uint32Array;
  /** mm to the reference a corner, negative inside it; NaN where there is none, or where it is not scored. */
  distances: Float32Array;
  /** Triangles before they were made fewer. */
  whole: number;
}

const STEPS = 4;

/** The predicted surface of a class in at most `most` triangles; null where nothing is predicted. @param most at least 100 */
export function predictedSurface(reference: LabelMap, prediction: LabelMap, label: number, most: number): SurfaceMesh | null {
  const pair = cropClass(reference, prediction, label);
  if (pair === null || pair.nPrediction === 0) return null;
  const full = surfaceNet(pair, boundaryDistances(pair, reference.spacing));
  const whole = full.triangles.length / 3;
  let mesh = full;
  for (let edge = 1; mesh.triangles.length / 3 > most; edge *= 1.25) mesh = clustered(full, edge);
  const { spacing } = reference;
  const positions = mesh.positions.map((v, i) => (v + pair.origin[2 - (i % 3)]) * spacing[2 - (i % 3)]);
  return { ...mesh, positions, whole };
}

type Net = Omit<SurfaceMesh, 'whole'>;

/** The surface of a class of one mask, as `predictedSurface` has it but for the distances. For a picture: memory is a few times its box. */
export function maskSurface(mask: LabelMap, label: number): Pick<SurfaceMesh, 'positions' | 'triangles'> | null {
  const pair = cropClass(mask, mask, label);
  if (pair === null) return null;
  const { positions, triangles } = surfaceNet(pair, new Float32Array(pair.prediction.length).fill(NaN));
  return { positions: positions.map((v, i) => (v + pair.origin[2 - (i % 3)]) * mask.spacing[2 - (i % 3)]), triangles };
}

/** Distance of every scored boundary voxel of the prediction, NaN elsewhere. */
function boundaryDistances(pair: MaskPair, spacing: Readonly<Triple>): Float32Array {
  const marks = boundaryVoxels({ ...pair, mask: pair.prediction });
  const squared = squaredDistances(boundaryVoxels({ ...pair, mask: pair.reference }), pair.size, spacing);
  const scored = marks.includes(SCORED); // as `scoredVoxels`: a mask that fills the volume has its faces scored
  return Float32Array.from(marks, (mark, i) => {
    if (mark === 0 || (scored && mark !== SCORED) || pair.nReference === 0) return NaN;
    const distance = Math.sqrt(squared[i]);
    return pair.reference[i] === 1 ? -distance : distance;
  });
}

function surfaceNet({ prediction, size: [d, h, w] }: MaskPair, near: Float32Array): Net {
  // A cell has the number of its lowest voxel in the box with one empty voxel around it.
  const W = w + 2,
    HW = (h + 2) * W,
    solid = new Uint8Array((d + 2) * HW);
  for (let z = 0, i = 0; z < d; z++)
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++, i++) solid[(z + 1) * HW + (y + 1) * W + x + 1] = prediction[i]!;
  const corners = [0, 1, W, W + 1, HW, HW + 1, HW + W, HW + W + 1];
  const vertexOf = new Int32Array(solid.length).fill(-1);
  const cells: number[] = [],
    positions: number[] = [],
    distances: number[] = [];
  for (let z = 0; z <= d; z++)
    for (let y = 0; y <= h; y++)
      for (let x = 0; x <= w; x++) {
        const cell = z * HW + y * W + x;
        let inside = 0;
        const values: number[] = [];
        corners.forEach((step, k) => {
          if (solid[cell + step] === 0) return;
          inside++;
          const value = near[((z - 1 + (k >> 2)) * h + y - 1 + ((k >> 1) & 1)) * w + x - 1 + (k & 1)];
          if (!Number.isNaN(value)) values.push(value);
        });
        if (inside === 0 || inside === 8) continue;
        vertexOf[cell] = distances.length;
        cells.push(x - 0.5, y - 0.5, z - 0.5); // the cell's middle: between the centres of its voxels
        positions.push(x - 0.5, y - 0.5, z - 0.5);
        // The middle one, which is a voxel's own: a mean of 1 and 1.4 mm would be beyond a tolerance of 1.
        distances.push(values.length === 0 ? NaN : values.sort((p, q) => p - q)[(values.length - 1) >> 1]);
      }
  const squares: number[] = [];
  const steps = [1, W, HW]; // x, y, z
  for (let z = 0; z <= d; z++)
    for (let y = 0; y <= h; y++)
      for (let x = 0; x <= w; x++) {
        const voxel = z * HW + y * W + x;
        for (let a = 0; a < 3; a++) {
          if (solid[voxel] === solid[voxel + steps[a]]) continue;
          const b = steps[(a + 1) % 3],
            c = steps[(a + 2) % 3];
          const around = [voxel - b - c, voxel - c, voxel, voxel - b].map((cell) => vertexOf[cell]);
          squares.push(...(solid[voxel] === 1 ? around : around.reverse()));
        }
      }
  return { positions: relaxed(positions, cells, squares), triangles: halved(squares), distances: Float32Array.from(distances) };
}

/** Corners moved towards their neighbours' mean, each within its own cell. */
function relaxed(start: readonly number[], cells: readonly number[], squares: readonly number[]): Float32Array {
  let now = Float32Array.from(start);
  for (let step = 0; step < STEPS; step++) {
    const sums = new Float32Array(now.length),
      counts = new Uint16Array(now.length / 3);
    for (let s = 0; s < squares.length; s += 4) {
      for (let k = 0; k < 4; k++) {
        const p = squares[s + k],
          q = squares[s + ((k + 1) % 4)];
        counts[p]++;
        counts[q]++;
        for (let a = 0; a < 3; a++) {
          sums[3 * p + a] += now[3 * q + a];
          sums[3 * q + a] += now[3 * p + a];
        }
      }
    }
    now = now.map((v, i) => Math.max(cells[i] - 0.5, Math.min(cells[i] + 0.5, (v + sums[i] / counts[Math.floor(i / 3)]) / 2)));
  }
  return now;
}

function halved(squares: readonly number[]): Uint32Array {
  const triangles = new Uint32Array((squares.length / 4) * 6);
  for (let s = 0, t = 0; s < squares.length; s += 4) for (const k of [0, 1, 2, 0, 2, 3]) triangles[t++] = squares[s + k]!;
  return triangles;
}

/** Corners within one cube of `edge` voxels become one, in their middle and with their mean distance (Rossignac and Borrel 1993). */
function clustered({ positions, triangles, distances }: Net, edge: number): Net {
  const clusters = new Map<string, number>(),
    sums: number[] = [],
    counts: number[] = [],
    near: number[] = [],
    scored: number[] = [];
  const clusterOf = Int32Array.from(distances, (distance, i) => {
    const at = [0, 1, 2].map((a) => positions[3 * i + a]);
    const key = at.map((v) => Math.floor(v / edge)).join();
    let cluster = clusters.get(key);
    if (cluster === undefined) {
      clusters.set(key, (cluster = counts.length));
      sums.push(0, 0, 0);
      counts.push(0);
      near.push(0);
      scored.push(0);
    }
    at.forEach((v, a) => {
      sums[3 * cluster + a] += v;
    });
    counts[cluster]++;
    if (!Number.isNaN(distance)) {
      near[cluster] += distance;
      scored[cluster]++;
    }
    return cluster;
  });
  const kept: number[] = [],
    seen = new Set<string>();
  for (let t = 0; t < triangles.length; t += 3) {
    const corners = [0, 1, 2].map((k) => clusterOf[triangles[t + k]]);
    if (new Set(corners).size < 3) continue;
    const first = corners.indexOf(Math.min(...corners)),
      turned = [0, 1, 2].map((k) => corners[(first + k) % 3]);
    if (seen.has(turned.join())) continue;
    seen.add(turned.join());
    kept.push(...turned);
  }
  return {
    positions: Float32Array.from(sums, (v, i) => v / counts[Math.floor(i / 3)]),
    triangles: Uint32Array.from(kept),
    distances: Float32Array.from(near, (v, i) => (scored[i] === 0 ? NaN : v / scored[i])),
  };
}
