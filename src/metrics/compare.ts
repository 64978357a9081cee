// SPDX-License-Identifier: MIT
// Two or more runs on the same cases: paired differences, their intervals, tests and effect sizes.

import { bootstrapPairedDifference, type BootstrapOptions } from './bootstrap.ts';
import { holm, mean } from './statistics.ts';
import { pairedT } from './student.ts';
import { aggregate, METRIC_UNITS, type Aggregate, type MetricName, type Summary } from './summary.ts';
import { wilcoxonSignedRank } from './wilcoxon.ts';

/** A run: one summary, or one a fold (other cases) or seed (the same cases, averaged). */
export interface Run {
  name: string;
  summaries: readonly Summary[];
}

/** `run` against `baseline` on one metric over the cases both have; per cent or mm. */
export interface Comparison {
  run: string;
  baseline: string;
  metric: MetricName;
  unit: '%' | 'mm';
  n_cases: number;
  /** Cases that one of the two has and that are in no pair: not evaluated or undefined in the other. */
  n_unpaired: number;
  /** Mean of run minus baseline. */
  difference: number | null;
  /** Paired bootstrap interval over cases. */
  ci: [number, number] | null;
  /** Wilcoxon signed-rank, two-sided; null without common cases. */
  p: number | null;
  /** The same after Holm's correction over all runs compared. */
  p_holm: number | null;
  /** Matched-pairs rank-biserial correlation: 1 when every case is higher than in the baseline. */
  rank_biserial: number | null;
  /** Paired t-test, for those who ask for it, with Cohen's d_z. */
  t: { p: number; d_z: number } | null;
}

/** Compares every run with the baseline; specification 8 tests the Jaccard index (`IoU`). */
export function compareRuns(
  baseline: Run,
  runs: readonly Run[],
  metric: MetricName = 'IoU',
  bootstrap: BootstrapOptions = {},
): Comparison[] {
  const unit = METRIC_UNITS[metric];
  const scale = unit === '%' ? 100 : 1;
  const base = pairScores(baseline, metric);
  const comparisons = runs.map((run): Comparison => {
    const { x, y } = commonCases(pairScores(run, metric), base, scale);
    const test = x.length > 0 ? wilcoxonSignedRank(x, y) : null;
    const interval = bootstrapPairedDifference(x, y, bootstrap);
    const t = x.length > 1 ? pairedT(x, y) : null;
    return {
      run: run.name,
      baseline: baseline.name,
      metric,
      unit,
      n_cases: x.length,
      n_unpaired: casesOf(baseline, run).size - x.length,
      difference: mean(x.map((value, i) => value - y[i])),
      ci: interval && [interval.low, interval.high],
      p: test?.p ?? null,
      p_holm: null,
      rank_biserial: test?.rankBiserial ?? null,
      t: t && { p: t.p, d_z: t.effect },
    };
  });
  const tested = comparisons.filter((c) => c.p !== null);
  holm(tested.map((c) => c.p!)).forEach((p, i) => {
    tested[i].p_holm = p;
  });
  return comparisons;
}

/**
 * Whether `other` has a value for a class of a case in which `run` was scored and has none, in one of its seeds: what it missed has no
 * distance.
 */
export function lacksOf(run: Run, other: Run, metric: MetricName): boolean {
  const [own, theirs] = [pairScores(run, metric), pairScores(other, metric)];
  return (
    [...theirs].some(([name, labels]) => own.has(name) && [...labels.keys()].some((label) => !own.get(name)!.has(label))) ||
    undefinedScores(run, metric).some(([name, label]) => theirs.get(name)?.has(label))
  );
}

/** Case and class of every score of every seed that a metric leaves out, one of the masks being empty. */
export function undefinedScores({ summaries }: Run, metric: MetricName): [name: string, label: string][] {
  return summaries.flatMap(({ metric_per_case }) =>
    metric_per_case.flatMap(({ case: name, metrics }) =>
      Object.entries(metrics).flatMap(([label, m]): [string, string][] => (m.IoU !== null && m[metric] === null ? [[name, label]] : [])),
    ),
  );
}

/** Names of all cases that runs were asked for. */
export const casesOf = (...runs: readonly Run[]): Set<string> =>
  new Set(
    runs.flatMap(({ summaries }) =>
      summaries.flatMap(({ metric_per_case, missing }) => [...metric_per_case.map((c) => c.case), ...missing]),
    ),
  );

/** A metric of a run over all its cases: seeds of one case are averaged, folds stand side by side. */
export function runAggregate(run: Run, metric: MetricName, bootstrap: BootstrapOptions = {}): Aggregate {
  const scores = [...pairScores(run, metric).values()];
  const labels = [...new Set(scores.flatMap((c) => [...c.keys()]))];
  return aggregate(
    labels.map((label) => scores.map((c) => ({ [metric]: mean(c.get(label) ?? []) }))),
    metric,
    bootstrap,
  );
}

/** case -> label -> scores, one a summary that has them. */
type PairScores = Map<string, Map<string, number[]>>;

function pairScores(run: Run, metric: MetricName): PairScores {
  const scores: PairScores = new Map();
  for (const summary of run.summaries) {
    for (const { case: name, metrics } of summary.metric_per_case) {
      const labels = scores.get(name) ?? new Map<string, number[]>();
      scores.set(name, labels);
      for (const [label, m] of Object.entries(metrics)) {
        const value = m[metric];
        if (value !== null) labels.set(label, [...(labels.get(label) ?? []), value]);
      }
    }
  }
  return scores;
}

/** Case means over the classes defined in both runs, so that neither gains from a class the other has to answer for. */
function commonCases(run: PairScores, base: PairScores, scale: number): { x: number[]; y: number[] } {
  const x: number[] = [],
    y: number[] = [];
  for (const [name, labels] of run) {
    const shared = [...labels.keys()].filter((label) => base.get(name)?.has(label));
    if (shared.length === 0) continue;
    x.push(scale * mean(shared.map((label) => mean(labels.get(label)!)!))!);
    y.push(scale * mean(shared.map((label) => mean(base.get(name)!.get(label)!)!))!);
  }
  return { x, y };
}
