// SPDX-License-Identifier: MIT
// The slice-distance part of summary.json: Dice in per cent by distance to the nearest annotated slice, over cases.

import { bootstrapMean, bootstrapPairedDifference, type BootstrapOptions } from './bootstrap.ts';
import type { CaseResult, LabelClass } from './evaluate.ts';
import { overlapScores } from './overlap.ts';
import type { DistanceBin } from './slice_distance.ts';
import { mean, standardDeviation } from './statistics.ts';

/** Voxels `from` to `to` slices away from the nearest annotated plane; Dice in per cent, mean over cases of the mean over classes. */
export interface SliceDistanceRow {
  from: number;
  to: number;
  /** Cases with a defined Dice at this distance. */
  n_defined: number;
  mean: number | null;
  std: number | null;
  ci: [number, number] | null;
  /** Mean over cases by label. */
  classes: Record<string, number | null>;
}

export interface SliceDistanceSummary {
  /** Cases that say what was annotated. */
  n_cases: number;
  /** Mean shares annotated over those cases, fractions. */
  annotated: { transverse: number; coronal: number; voxels: number };
  rows: SliceDistanceRow[];
  /**
   * Dice (per cent) on annotated planes and on all others over the cases that have both, and others minus annotated with its paired
   * interval.
   */
  contrast: { n_cases: number; annotated: number; others: number; difference: number; ci: [number, number] | null } | null;
}

/** Null when no case has an annotation record. */
export function summariseSliceDistance(
  cases: readonly CaseResult[],
  classes: readonly LabelClass[],
  bootstrap: BootstrapOptions,
): SliceDistanceSummary | null {
  const known = cases.flatMap(({ slice_distance, annotated }) =>
    slice_distance && annotated ? [{ bins: slice_distance, annotated }] : [],
  );
  if (known.length === 0) return null;
  const ranges = new Map<number, number>();
  for (const { bins } of known) for (const list of Object.values(bins)) for (const { from, to } of list) ranges.set(from, to);
  const share = (plane: 'transverse' | 'coronal' | 'voxels'): number => mean(known.map(({ annotated }) => annotated[plane]))!;
  return {
    n_cases: known.length,
    annotated: { transverse: share('transverse'), coronal: share('coronal'), voxels: share('voxels') },
    rows: [...ranges]
      .sort(([a], [b]) => a - b)
      .map(([from, to]) => {
        const scores = known.map(({ bins }) =>
          classes.map(({ label }) => {
            const dice = bins[label]?.find((bin) => bin.from === from)?.Dice;
            return dice === undefined || dice === null ? null : dice * 100;
          }),
        );
        const perCase = scores.flatMap((row) => mean(row.flatMap((value) => value ?? [])) ?? []);
        const interval = bootstrapMean(perCase, bootstrap);
        return {
          from,
          to,
          n_defined: perCase.length,
          mean: mean(perCase),
          std: standardDeviation(perCase),
          ci: interval && [interval.low, interval.high],
          classes: Object.fromEntries(classes.map(({ label }, k) => [label, mean(scores.flatMap((row) => row[k] ?? []))])),
        };
      }),
    contrast: contrast(
      known.map(({ bins }) => bins),
      bootstrap,
    ),
  };
}

function contrast(cases: readonly Record<string, DistanceBin[]>[], bootstrap: BootstrapOptions): SliceDistanceSummary['contrast'] {
  const dice = (bins: readonly DistanceBin[]): number | null => {
    const total = { TP: 0, FP: 0, FN: 0 };
    for (const { TP, FP, FN } of bins) {
      total.TP += TP;
      total.FP += FP;
      total.FN += FN;
    }
    return overlapScores(total).Dice;
  };
  const annotated: number[] = [],
    others: number[] = [];
  for (const byClass of cases) {
    // Only classes defined on both sides: a small organ may miss every annotated plane.
    const both = Object.values(byClass).flatMap((bins) => {
      const near = dice(bins.filter((bin) => bin.from === 0)),
        far = dice(bins.filter((bin) => bin.from > 0));
      return near === null || far === null ? [] : [{ near, far }];
    });
    if (both.length === 0) continue;
    annotated.push(100 * mean(both.map(({ near }) => near))!);
    others.push(100 * mean(both.map(({ far }) => far))!);
  }
  if (annotated.length === 0) return null;
  const interval = bootstrapPairedDifference(others, annotated, bootstrap);
  const [a, o] = [mean(annotated)!, mean(others)!];
  return { n_cases: annotated.length, annotated: a, others: o, difference: o - a, ci: interval && [interval.low, interval.high] };
}
