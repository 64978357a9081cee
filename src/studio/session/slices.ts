// SPDX-License-Identifier: MIT
// Masks of one slice by networks that see slabs, and how far networks agree.
import type { Plane, Triple } from '../../axes.ts';
import { resizeNearest, stepBetween } from '../../data/resample.ts';
import { crop } from '../../data/roi.ts';
import type { PreparedCase } from '../../data/sample.ts';
import type { Plan } from '../../methods/plan.ts';
import { predictVolume, type RoiNetworks } from '../../predict/predict_volume.ts';
import { windowsOf } from '../../train/inference.ts';

export const AXIS: Readonly<Record<Plane, 0 | 1 | 2>> = { transverse: 0, coronal: 1, sagittal: 2 };

/** Voxels of one slice of [D, H, W], rows first. */
export function sliceOf(data: Uint8Array, size: Readonly<Triple>, view: Plane, index: number): Uint8Array {
  const start: Triple = [0, 0, 0],
    thin: Triple = [...size];
  start[AXIS[view]] = index;
  thin[AXIS[view]] = 1;
  return crop(data, [...size], start, thin, 0);
}

/**
 * Labels of each output by name on one slice of the native grid; `voters` make the ensemble, else all do. The networks see a slab about it,
 * as deep as their region: a slice of the whole volume's mask may differ where patches lie otherwise.
 */
export async function segmentSlice(
  plan: Plan,
  networks: RoiNetworks,
  scan: PreparedCase,
  view: Plane,
  index: number,
  voters?: readonly string[],
): Promise<Record<string, Uint8Array>> {
  const axis = AXIS[view],
    step = stepBetween(scan.grid, scan.native),
    size: Triple = [...scan.grid.size];
  const at = Math.min(size[axis] - 1, Math.floor((index + 0.5) * step[axis]));
  const slab: Triple = [...size],
    start: Triple = [0, 0, 0];
  slab[axis] = Math.min(size[axis], plan.data.roi[axis]);
  start[axis] = Math.max(0, Math.min(size[axis] - slab[axis], at - (slab[axis] >> 1)));
  const image = crop(scan.image, size, start, slab, scan.outside);
  const labels = await predictVolume(windowsOf(plan, voters), networks, {
    image,
    grid: { ...scan.grid, size: slab },
    outside: scan.outside,
  });
  const from: Triple = [...size],
    to: Triple = [...scan.native.size],
    thin: Triple = [...step];
  from[axis] = to[axis] = thin[axis] = 1;
  return Object.fromEntries(
    Object.entries(labels).map(([name, mask]) => [name, resizeNearest(sliceOf(mask, slab, view, at - start[axis]), from, to, thin)]),
  );
}

/** Mean Dice of all pairs, a voxel counting where both say one class; 1 where both are empty. Null for one network. */
export function agreementOf(masks: readonly Uint8Array[]): number | null {
  if (masks.length < 2) return null;
  let sum = 0,
    pairs = 0;
  for (let a = 0; a < masks.length; a++)
    for (let b = a + 1; b < masks.length; b++, pairs++) {
      const [one, other] = [masks[a], masks[b]];
      let both = 0,
        sizes = 0;
      for (let i = 0; i < one.length; i++) {
        sizes += (one[i] ? 1 : 0) + (other[i] ? 1 : 0);
        if (one[i] && one[i] === other[i]) both++;
      }
      sum += sizes === 0 ? 1 : (2 * both) / sizes;
    }
  return sum / pairs;
}

/** The masks of networks among those of all outputs: of those that vote. */
export const networksOf = (masks: Readonly<Record<string, Uint8Array>>, voters?: readonly string[]): Uint8Array[] =>
  Object.entries(masks)
    .filter(([name]) => (voters ? voters.includes(name) : name !== 'ensemble'))
    .map(([, mask]) => mask);

/** The slice that is worth most: of least agreement, else (also of equals) farthest from what is annotated; the middle where nothing is. */
export function proposed(n: number, annotated: readonly number[], agreement: ArrayLike<number> | undefined): number | null {
  const known = new Set(annotated);
  const away = (i: number): number =>
    annotated.length === 0 ? Math.min(i, n - 1 - i) : Math.min(...annotated.map((k) => Math.abs(k - i)));
  return Array.from({ length: n }, (_, i) => i)
    .filter((i) => !known.has(i))
    .reduce<number | null>((best, i) => {
      if (best === null) return i;
      const gain = agreement ? agreement[best] - agreement[i] : 0;
      return gain > 0 || (gain === 0 && away(i) > away(best)) ? i : best;
    }, null);
}
