// SPDX-License-Identifier: MIT
// Methods side by side, each over its folds and seeds: means, differences from one of them, and which is best where that can be said.

import type { BootstrapOptions } from './bootstrap.ts';
import { compareRuns, lacksOf, runAggregate, undefinedScores, type Comparison, type Run } from './compare.ts';
import type { Aggregate, MetricName } from './summary.ts';

/** What methods are compared by; the test that counts is on the Jaccard index (`IoU`). */
export const COMPARED = ['Dice', 'IoU', 'BF', 'HD95'] as const satisfies readonly MetricName[];
export type Compared = (typeof COMPARED)[number];

/** A method's runs, and what it costs. */
export interface MethodRuns extends Run {
  /** Trainable parameters of all its networks. */
  parameters: number | null;
  /** Seconds an iteration of training. */
  seconds: number | null;
}

export interface MethodRow {
  name: string;
  n_runs: number;
  /** Cases that were scored. */
  n_cases: number;
  metrics: Record<Compared, Aggregate>;
  /** Scores (cases times classes times runs) that each mean leaves out, one of the masks being empty. */
  without: Record<Compared, number>;
  /** This method minus the reference; null for the reference itself. */
  against: Record<Compared, Comparison> | null;
  /** Where it is the best, and significantly better than every other method. */
  best: Compared[];
  parameters: number | null;
  seconds: number | null;
}

export interface MethodTable {
  reference: string;
  alpha: number;
  rows: MethodRow[];
}

/** @param reference name of one of the methods */
export function compareMethods(methods: readonly MethodRuns[], reference: string, options: BootstrapOptions = {}): MethodTable {
  const base = methods.find(({ name }) => name === reference)!;
  const others = methods.filter((method) => method !== base);
  const alpha = Number((1 - (options.level ?? 0.95)).toFixed(9));
  const each = <T>(of: (metric: Compared) => T): Record<Compared, T> =>
    Object.fromEntries(COMPARED.map((metric) => [metric, of(metric)])) as Record<Compared, T>;
  const differences = each((metric) => compareRuns(base, others, metric, options));
  const metrics = methods.map((method) => each((metric) => runAggregate(method, metric, options)));
  const best = each((metric) =>
    bestOf(
      methods,
      metrics.map((m) => m[metric].mean),
      metric,
      alpha,
    ),
  );
  return {
    reference,
    alpha,
    rows: methods.map((method, i) => ({
      name: method.name,
      n_runs: method.summaries.length,
      n_cases: new Set(method.summaries.flatMap((s) => s.metric_per_case.map((c) => c.case))).size,
      metrics: metrics[i],
      without: each((metric) => undefinedScores(method, metric).length),
      against: method === base ? null : each((metric) => differences[metric][others.indexOf(method)]),
      best: COMPARED.filter((metric) => best[metric] === i),
      parameters: method.parameters,
      seconds: method.seconds,
    })),
  };
}

/**
 * The method with the best mean, if on the pairs it is better than each other one by Wilcoxon's test and Holm's correction; -1 if none
 * is, or if its mean leaves out what another has to answer for.
 */
function bestOf(methods: readonly Run[], means: readonly (number | null)[], metric: Compared, alpha: number): number {
  const sign = metric === 'HD95' ? -1 : 1;
  const order = [...means.keys()].filter((i) => means[i] !== null).sort((i, j) => sign * (means[j]! - means[i]!));
  const [first] = order;
  if (first === undefined || methods.length < 2) return -1;
  if (methods.some((method) => lacksOf(methods[first], method, metric))) return -1;
  const tests = compareRuns(
    methods[first],
    methods.filter((_, i) => i !== first),
    metric,
    { resamples: 1 },
  );
  return tests.every((t) => t.p_holm !== null && t.p_holm <= alpha && sign * t.difference! < 0) ? first : -1;
}
