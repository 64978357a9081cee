// SPDX-License-Identifier: MIT
// Voxel overlap of a reference and a prediction: counts, Dice, Jaccard, volume difference.

import type { LabelMap } from './mask.ts';

/** Voxel counts of one class. Names are nnU-Net's. */
export interface OverlapCounts {
  TP: number;
  FP: number;
  FN: number;
  TN: number;
  n_ref: number;
  n_pred: number;
}

/** Overlap scores as fractions. Null means undefined, never 0. */
export interface OverlapScores {
  /** 2 TP / (n_ref + n_pred); null when both masks are empty, 0 when one is. */
  Dice: number | null;
  /** Jaccard index TP / (TP + FP + FN); null and 0 as for Dice. */
  IoU: number | null;
  /** Relative volume difference (n_pred - n_ref) / n_ref, signed; null without a reference volume. */
  RAVD: number | null;
}

const LABELS = 256;

/** Joint histogram of two label volumes, `table[reference * 256 + prediction]`; voxels whose reference is `ignoreLabel` are not counted. */
export function confusion(reference: LabelMap, prediction: LabelMap, ignoreLabel?: number): Float64Array {
  const table = new Float64Array(LABELS * LABELS);
  const n = reference.data.length;
  for (let i = 0; i < n; i++) table[reference.data[i] * LABELS + prediction.data[i]]++;
  if (ignoreLabel !== undefined) table.fill(0, ignoreLabel * LABELS, (ignoreLabel + 1) * LABELS);
  return table;
}

/** Counts of one class, one against all others, from a joint histogram. */
export function overlapCounts(table: Float64Array, label: number): OverlapCounts {
  let n_ref = 0,
    n_pred = 0,
    total = 0;
  for (const count of table) total += count;
  for (let other = 0; other < LABELS; other++) {
    n_ref += table[label * LABELS + other];
    n_pred += table[other * LABELS + label];
  }
  const TP = table[label * LABELS + label];
  return { TP, FP: n_pred - TP, FN: n_ref - TP, TN: total - n_ref - n_pred + TP, n_ref, n_pred };
}

/** Dice, Jaccard and relative volume difference of counted voxels. */
export function overlapScores(counts: Pick<OverlapCounts, 'TP' | 'FP' | 'FN'>): OverlapScores {
  const { TP, FP, FN } = counts;
  const empty = TP + FP + FN === 0;
  return {
    Dice: empty ? null : (2 * TP) / (2 * TP + FP + FN),
    IoU: empty ? null : TP / (TP + FP + FN),
    RAVD: TP + FN === 0 ? null : (FP - FN) / (TP + FN),
  };
}
