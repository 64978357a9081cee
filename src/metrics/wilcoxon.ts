// SPDX-License-Identifier: MIT
// Wilcoxon signed-rank test for pairs, two-sided (Wilcoxon 1945).
//
// Pairs without a difference are dropped, ties get the mean of their ranks. Up to 25 pairs the distribution of the rank sum is
// counted exactly, ties included (all 2^n sign patterns, by dynamic programming over doubled ranks, which are integers); above
// that the normal approximation with tie and continuity correction. Without ties both agree with scipy.stats.wilcoxon.

import { DataError } from '../errors.ts';
import { erfc } from './special.ts';

export interface WilcoxonResult {
  /** The smaller of the two rank sums. */
  W: number;
  /** Two-sided p-value; 1 when no pair differs. */
  p: number;
  /** Pairs that differ. */
  n: number;
  /** Matched-pairs rank-biserial correlation (Kerby 2014): (R+ - R-) / (R+ + R-), from -1 to 1; 0 when no pair differs. */
  rankBiserial: number;
  method: 'exact' | 'normal';
}

const EXACT_UP_TO = 25;

/** Tests whether x - y is symmetric about zero. */
export function wilcoxonSignedRank(x: readonly number[], y: readonly number[], method?: 'exact' | 'normal'): WilcoxonResult {
  if (x.length !== y.length) throw new DataError(`wilcoxon: the pairs do not match, got ${y.length} values, expected ${x.length}.`);
  const differences = x.map((value, i) => value - y[i]).filter((d) => d !== 0);
  if (differences.some((d) => !Number.isFinite(d)))
    throw new DataError(
      'wilcoxon: a difference is not a finite number, got NaN or infinity, expected numbers.',
      'Leave out the cases where a score is undefined.',
    );
  const n = differences.length;
  const used = method ?? (n <= EXACT_UP_TO ? 'exact' : 'normal');
  if (n === 0) return { W: 0, p: 1, n, rankBiserial: 0, method: used };

  const { ranks, ties } = midranks(differences.map(Math.abs));
  let plus = 0,
    minus = 0;
  differences.forEach((d, i) => {
    if (d > 0) plus += ranks[i];
    else minus += ranks[i];
  });
  const W = Math.min(plus, minus);
  const p = used === 'exact' ? exactP(ranks, W) : normalP(n, ties, W);
  return { W, p, n, rankBiserial: (plus - minus) / (plus + minus), method: used };
}

/** Ranks from 1, ties sharing their mean rank, and the sum of t^3 - t over groups of t ties. */
function midranks(values: number[]): { ranks: number[]; ties: number } {
  const order = values.map((_, i) => i).sort((i, j) => values[i] - values[j]);
  const ranks = new Array<number>(values.length);
  let ties = 0;
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end + 1 < order.length && values[order[end + 1]] === values[order[start]]) end++;
    for (let k = start; k <= end; k++) ranks[order[k]] = (start + end) / 2 + 1;
    const t = end - start + 1;
    ties += t ** 3 - t;
    start = end + 1;
  }
  return { ranks, ties };
}

function exactP(ranks: number[], W: number): number {
  const doubled = ranks.map((r) => Math.round(2 * r));
  const total = doubled.reduce((a, b) => a + b, 0);
  // patterns[s]: sign patterns whose positive doubled ranks sum to s; at most 2^25, exact in float64.
  const patterns = new Float64Array(total + 1);
  patterns[0] = 1;
  for (const r of doubled) for (let s = total; s >= r; s--) patterns[s] += patterns[s - r];
  let tail = 0;
  for (let s = 0; s <= Math.round(2 * W); s++) tail += patterns[s];
  return Math.min(1, (2 * tail) / 2 ** ranks.length);
}

function normalP(n: number, ties: number, W: number): number {
  const expected = (n * (n + 1)) / 4;
  const variance = (n * (n + 1) * (2 * n + 1)) / 24 - ties / 48;
  // W is the smaller sum, so the half-step of the continuity correction is towards the expectation.
  const z = Math.max(0, expected - W - 0.5) / Math.sqrt(variance);
  return Math.min(1, erfc(z / Math.SQRT2));
}
