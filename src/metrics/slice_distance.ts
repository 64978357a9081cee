// SPDX-License-Identifier: MIT
// Dice by distance to the nearest annotated slice: does the model know the slices nobody drew as well as those somebody did?

import type { Triple } from '../axes.ts';
import { DataError } from '../errors.ts';
import type { LabelMap } from './mask.ts';
import { overlapScores } from './overlap.ts';

/** Annotated planes of one case, zero-based indices along D (transverse) and H (coronal): `annotations.json`. */
export interface AnnotatedSlices {
  transverse?: readonly number[];
  coronal?: readonly number[];
}

/** Overlap of one class over the voxels whose nearest annotated plane is `from` to `to` slices away (0: annotated). */
export interface DistanceBin {
  from: number;
  to: number;
  TP: number;
  FP: number;
  FN: number;
  Dice: number | null;
}

/** Distance in slices of every image row (z, y) to the nearest annotated plane of either direction; null when nothing is annotated. */
export function rowDistances(size: Readonly<Triple>, annotated: AnnotatedSlices): Uint16Array | null {
  const [D, H] = size;
  const toTransverse = nearest(D, annotated.transverse ?? [], 'transverse');
  const toCoronal = nearest(H, annotated.coronal ?? [], 'coronal');
  if (toTransverse === null && toCoronal === null) return null;
  const rows = new Uint16Array(D * H);
  for (let z = 0; z < D; z++) {
    for (let y = 0; y < H; y++) rows[z * H + y] = Math.min(toTransverse?.[z] ?? Infinity, toCoronal?.[y] ?? Infinity);
  }
  return rows;
}

function nearest(length: number, slices: readonly number[], plane: string): number[] | null {
  const wrong = slices.find((k) => !Number.isInteger(k) || k < 0 || k >= length);
  if (wrong !== undefined) {
    throw new DataError(
      `annotations: no such ${plane} slice, got ${wrong}, expected 0 to ${length - 1}.`,
      'Indices are zero-based on the grid of the stored label.',
    );
  }
  if (slices.length === 0) return null;
  return Array.from({ length }, (_, i) => Math.min(...slices.map((k) => Math.abs(i - k))));
}

/** The bin of a distance: 0, 1, 2, 3, 4 alone, then 5-8, 9-16, 17-32, ... */
export function distanceBin(distance: number): { from: number; to: number } {
  if (distance <= 4) return { from: distance, to: distance };
  const to = 2 ** Math.ceil(Math.log2(distance));
  return { from: to / 2 + 1, to };
}

/** Overlap of one class in every bin that has voxels, nearest first; voxels whose reference is `ignoreLabel` do not count. */
export function overlapByDistance(
  reference: LabelMap,
  prediction: LabelMap,
  label: number,
  rows: Uint16Array,
  ignoreLabel?: number,
): DistanceBin[] {
  const W = reference.size[2];
  const bins = new Map<number, Omit<DistanceBin, 'Dice'>>();
  for (let row = 0; row < rows.length; row++) {
    const range = distanceBin(rows[row]);
    let bin = bins.get(range.from);
    if (bin === undefined) bins.set(range.from, (bin = { ...range, TP: 0, FP: 0, FN: 0 }));
    for (let i = row * W; i < (row + 1) * W; i++) {
      const r = reference.data[i];
      if (r === ignoreLabel) continue;
      if (prediction.data[i] === label) {
        if (r === label) bin.TP++;
        else bin.FP++;
      } else if (r === label) bin.FN++;
    }
  }
  return [...bins.values()].sort((a, b) => a.from - b.from).map((bin) => ({ ...bin, Dice: overlapScores(bin).Dice }));
}
