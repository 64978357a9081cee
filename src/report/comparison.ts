// SPDX-License-Identifier: MIT
// What a comparison of methods is made of, and its cells as text, which page, CSV and LaTeX share.

import type { Compared, MethodRow, MethodTable } from '../metrics/compare_methods.ts';
import { decimalsOf, fixed, interval, meanStd, pValue, signed } from './format.ts';
import type { SurfaceCase } from './section_distances.ts';

export interface Comparison {
  /** What differs between the runs and what else must be known before a number is read; shown first. */
  notices: readonly string[];
  methods: MethodTable;
  /** Rows by what the runs have switched off; null where no such runs are given. */
  ablation: MethodTable | null;
  /** Runs of every method. */
  runs: readonly { method: string; run: string; fold: number; seed: number; evaluated: string }[];
  level: number;
  /** mm: distances within it are drawn as right. */
  tolerance: number;
  surfaces: readonly SurfaceCase[];
}

export const TITLES: Readonly<Record<Compared, string>> = { Dice: 'Dice', IoU: 'Jaccard', BF: 'Boundary F1', HD95: 'HD95' };

/** "6.4 M" */
export const millions = (parameters: number | null): string =>
  parameters === null ? fixed(null) : parameters < 1e5 ? `${fixed(parameters / 1e3, 1)} k` : `${fixed(parameters / 1e6, 2)} M`;

/** Seconds with three digits. */
export const perIteration = (seconds: number | null): string =>
  seconds === null ? fixed(null) : `${fixed(seconds, seconds < 1 ? 3 : seconds < 10 ? 2 : 1)} s`;

export interface Cells {
  mean: string;
  interval: string;
  /** "without 2", where the metric is undefined in so many scores that have a Jaccard index; else nothing. */
  without: string;
  best: boolean;
}

/** Mean, spread and interval of one metric of a row. */
export function metricCells({ metrics, without: left, best }: MethodRow, metric: Compared): Cells {
  const aggregate = metrics[metric],
    without = left[metric];
  return {
    mean: meanStd(aggregate),
    interval: interval(aggregate.ci, decimalsOf(aggregate.unit)),
    without: without > 0 ? `without ${without}` : '',
    best: best.includes(metric),
  };
}

/** Difference from the reference, and its test. */
export function differenceCells({
  against,
}: MethodRow): { difference: string; interval: string; p: string; pairs: string; left: string } | null {
  if (against === null) return null;
  const { difference, ci, unit, p_holm, n_cases, n_unpaired } = against.IoU;
  return {
    difference: signed(difference),
    interval: interval(ci, decimalsOf(unit), signed),
    p: pValue(p_holm),
    pairs: String(n_cases),
    left: String(n_unpaired),
  };
}
