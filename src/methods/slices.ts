// SPDX-License-Identifier: MIT
// Which slices of a region an iteration looks at.
import type { SlicePlane } from '../axes.ts';
import type { Sample } from '../data/sample.ts';
import { planeShape } from '../models/sanet/planes.ts';

/** Numbers of `wanted` slices, ascending: wholly annotated ones before others, either in random order (`u`, one number a slice). */
export function chooseSlices(sample: Sample, plane: SlicePlane, wanted: number, u: Float32Array): Uint32Array {
  const { count, height, width } = planeShape(sample.size, plane);
  const voxels = new Float64Array(count);
  const [, h, w] = sample.size;
  sample.weight.forEach((v, i) => {
    if (v) voxels[plane === 'transverse' ? Math.floor(i / (h * w)) : Math.floor(i / w) % h]++;
  });
  const whole = Math.max(...voxels) > 0.99 * height * width ? height * width : Math.max(...voxels);
  const rank = (s: number): number => (voxels[s] >= 0.99 * whole && whole > 0 ? 1 : 0);
  const order = Array.from({ length: count }, (_, s) => s).sort((a, b) => rank(b) - rank(a) || u[a] - u[b]);
  return Uint32Array.from(order.slice(0, Math.min(wanted, count)).sort((a, b) => a - b));
}

export type PlaneFeed = {
  readonly index: Uint32Array;
  readonly inverse: Uint32Array;
  readonly chosen: Float32Array;
  /** ESG's neighbours instead of a search for them. */
  readonly selected?: Uint32Array;
};

/** Where each position of the volume finds its slice, and which positions have one. */
export function planeFeed(index: Uint32Array, count: number): PlaneFeed {
  const inverse = new Uint32Array(count);
  const chosen = new Float32Array(count);
  index.forEach((s, i) => {
    inverse[s] = i;
    chosen[s] = 1;
  });
  return { index, inverse, chosen };
}
