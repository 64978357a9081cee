// SPDX-License-Identifier: MIT
// summary.json: the cases of one evaluation put together. `metric_per_case`, `mean` and `foreground_mean` are nnU-Net's keys with
// nnU-Net's meaning (fractions, mean over the cases where a metric is defined), so its scripts read the file. What is ours stands
// beside them, in per cent and mm: spread, intervals, and how many cases each mean leaves out.

import { bootstrapInterval, bootstrapMean, type BootstrapOptions } from './bootstrap.ts';
import { DEFAULT_SURFACE_MM, type CaseResult, type ClassMetrics, type EvaluateOptions, type LabelClass } from './evaluate.ts';
import { mean, standardDeviation } from './statistics.ts';
import { averageHistogram, HISTOGRAM_CENTRES } from './surface_histogram.ts';
import { summariseSliceDistance, type SliceDistanceSummary } from './summary_slices.ts';

/** Metrics that are aggregated with spread and interval, and their unit there. */
export const METRIC_UNITS = {
  Dice: '%',
  IoU: '%',
  BF: '%',
  BF2D: '%',
  SurfaceDice: '%',
  SurfaceDice_1mm: '%',
  SurfaceDice_2mm: '%',
  SurfaceDice_3mm: '%',
  RAVD: '%',
  HD95: 'mm',
  ASSD: 'mm',
} as const;
export type MetricName = keyof typeof METRIC_UNITS;
export const METRIC_NAMES = Object.keys(METRIC_UNITS) as MetricName[];

/** Mean of one metric over the cases where it is defined; `ci` is the bootstrap interval over cases. */
export interface Aggregate {
  unit: '%' | 'mm';
  n_defined: number;
  mean: number | null;
  std: number | null;
  ci: [number, number] | null;
}

/** What a mean is made of, in pairs of case and class. */
export interface PairCounts {
  /** Pairs evaluated. */
  n_pairs: number;
  /** Reference or prediction holds the class: Dice is defined. */
  n_defined: number;
  /** Neither holds it: undefined, left out of the means. */
  n_both_empty: number;
  /** Reference holds it, prediction does not. */
  n_missed: number;
  /** Prediction holds it, reference does not. */
  n_spurious: number;
  /** Nobody drew the class in that case: left out altogether. */
  n_unlabelled: number;
  /** The case has no prediction: scored as an empty mask, or left out of all other counts (`Summary.missing_scored`). */
  n_not_predicted: number;
}

export interface Group extends PairCounts {
  metrics: Record<MetricName, Aggregate>;
  /** Means with undefined pairs scored as 3D2DCT does: both empty 100 % and 0 mm, one empty 0 % and 50 mm. RAVD has no such value. */
  convention: Partial<Record<MetricName, number | null>>;
}

type Means = Record<keyof ClassMetrics, number | null>;

/** What evaluated cases are to the model, and where its masks come from. */
export interface Evaluated {
  /** `held out`: neither trained on nor used to select the weights. `trained on`: one or the other. `not known`: no run was found. */
  cases: 'held out' | 'trained on' | 'not known';
  n_cases: number;
  n_patients: number;
  /** What wrote the masks, if their folder says. */
  masks: MadeBy | null;
  /** Cases whose mask is not the one that was written there: changed since, or never finished. */
  changed: string[];
  /** Of scans that the masks may not be right on, why, as it was said when they were predicted; older summaries lack it. */
  doubtful?: Record<string, string[]>;
}

/** The weights and options that masks were made by. The last three came later than the others. */
export interface MadeBy {
  verb: string;
  run: string;
  weights: string;
  iteration: number;
  /** `best`, `final` or `latest`. */
  checkpoint?: string;
  /** Which of a method's outputs they are: `ensemble`, or a network. */
  output?: string;
  /** Options of prediction by their names in the plan. */
  prediction?: Record<string, unknown>;
}

export interface Summary {
  metric_per_case: Pick<
    CaseResult,
    | 'case'
    | 'reference_file'
    | 'prediction_file'
    | 'reference_digest'
    | 'prediction_digest'
    | 'n_copied'
    | 'theta'
    | 'theta_2d'
    | 'metrics'
    | 'unlabelled'
  >[];
  /** Cases that have a reference and no prediction. */
  missing: string[];
  /** Whether they were scored as empty masks, which is the rule, or left out of every mean. */
  missing_scored: boolean;
  /** Predictions that have no reference. */
  unused: string[];
  /** References of parts of the data set of which nothing was predicted, by part. */
  not_evaluated: Record<string, string[]>;
  evaluated: Evaluated | null;
  /** Cases that the model was trained on, where there are others too: never averaged with them. */
  training: Summary | null;
  mean: Record<string, Means>;
  foreground_mean: Means;
  classes: (Group & LabelClass)[];
  /** Mean over classes of the class means; the spread is that of the cases' means over classes. */
  foreground: Group;
  /** Null when no case says which slices were annotated. */
  slice_distance: SliceDistanceSummary | null;
  /** Share of predicted boundary voxels by signed distance, mm, mean over cases; null without any surface. */
  surface_histogram: { centres_mm: readonly number[]; classes: Record<string, number[]> } | null;
  settings: {
    /** Tolerances of boundary F1 that occurred, voxels. */
    theta: number[];
    theta_2d: number[];
    theta_rule: string;
    surface_mm: number;
    ignore_label: number | null;
    /** Marks of masks that nobody drew (`label_source.ts`): of the reference, and of what the run was trained on. */
    label_source?: string;
    trained_label_source?: string;
    level: number;
    seed: number;
    resamples: number;
  };
}

/** What is written down beside the numbers; everything may be left out. */
export interface SummaryFacts {
  labelSource?: string;
  trainedLabelSource?: string;
  missing?: readonly string[];
  missingScored?: boolean;
  unused?: readonly string[];
  notEvaluated?: Record<string, string[]>;
  evaluated?: Evaluated;
  training?: Summary;
}

/** Puts evaluated cases together. Pass the options `evaluateCase` was given: they are written down. */
export function summarise(
  cases: readonly CaseResult[],
  classes: readonly LabelClass[],
  options: EvaluateOptions & BootstrapOptions & SummaryFacts = {},
): Summary {
  const missing = [...(options.missing ?? [])],
    notScored = options.missingScored === false ? missing.length : 0;
  const bootstrap = { seed: options.seed ?? 1337, resamples: options.resamples ?? 10_000, level: options.level ?? 0.95 };
  const columns = classes.map(({ label }) => cases.map((result): ClassMetrics | undefined => result.metrics[label]));
  const absent = cases.map((result) => result.prediction_file === null);
  const means = columns.map(nnunetMeans);
  const distinct = (values: number[]): number[] => [...new Set(values)].sort((a, b) => a - b);
  const histograms = classes.flatMap(({ label }) => {
    const average = averageHistogram(cases.flatMap((result) => (result.surface_histogram[label] ? [result.surface_histogram[label]] : [])));
    return average ? [[String(label), average] as const] : [];
  });
  return {
    metric_per_case: cases.map(({ annotated: _annotated, slice_distance: _distance, surface_histogram: _histogram, ...entry }) => entry),
    missing,
    missing_scored: options.missingScored ?? true,
    unused: [...(options.unused ?? [])],
    not_evaluated: options.notEvaluated ?? {},
    evaluated: options.evaluated ?? null,
    training: options.training ?? null,
    mean: Object.fromEntries(classes.map(({ label }, k) => [label, means[k]])),
    foreground_mean: meanOfMeans(means),
    classes: classes.map((entry, k) => ({ ...entry, ...summariseGroup([columns[k]], absent, notScored, bootstrap) })),
    foreground: summariseGroup(columns, absent, notScored, bootstrap),
    slice_distance: summariseSliceDistance(cases, classes, bootstrap),
    surface_histogram: histograms.length > 0 ? { centres_mm: HISTOGRAM_CENTRES, classes: Object.fromEntries(histograms) } : null,
    settings: {
      theta: distinct(cases.map((result) => result.theta)),
      theta_2d: distinct(cases.map((result) => result.theta_2d)),
      theta_rule: options.theta === undefined ? 'ceil(0.0075 x diagonal in voxels)' : 'given',
      surface_mm: options.surfaceMm ?? DEFAULT_SURFACE_MM,
      ignore_label: options.ignoreLabel ?? null,
      ...(options.labelSource !== undefined && { label_source: options.labelSource }),
      ...(options.trainedLabelSource !== undefined && { trained_label_source: options.trainedLabelSource }),
      ...bootstrap,
    },
  };
}

/** A metric of one case over several classes: the mean over the classes where it is defined, in the metric's own unit. */
export function caseMean(metrics: Record<string, ClassMetrics>, name: MetricName): number | null {
  return mean(Object.values(metrics).flatMap((m) => m[name] ?? []));
}

const COUNTED: (keyof ClassMetrics)[] = [...METRIC_NAMES, 'TP', 'FP', 'FN', 'TN', 'n_ref', 'n_pred', 'volume_ref_mm3', 'volume_pred_mm3'];

function nnunetMeans(column: (ClassMetrics | undefined)[]): Means {
  return Object.fromEntries(COUNTED.map((name) => [name, mean(column.flatMap((m) => m?.[name] ?? []))])) as Means;
}

function meanOfMeans(means: Means[]): Means {
  return Object.fromEntries(COUNTED.map((name) => [name, mean(means.flatMap((m) => m[name] ?? []))])) as Means;
}

/**
 * Aggregates columns (one a class, one entry a case, undefined where unlabelled) into one group. `absent`: cases without a prediction;
 * `left`: more of them, left out.
 */
function summariseGroup(
  columns: (ClassMetrics | undefined)[][],
  absent: readonly boolean[],
  left: number,
  bootstrap: BootstrapOptions,
): Group {
  const pairs = columns.flat();
  const count = (is: (m: ClassMetrics) => boolean): number => pairs.filter((m) => m !== undefined && is(m)).length;
  return {
    n_pairs: count(() => true),
    n_defined: count((m) => m.n_ref + m.n_pred > 0),
    n_both_empty: count((m) => m.n_ref + m.n_pred === 0),
    n_missed: count((m) => m.n_ref > 0 && m.n_pred === 0),
    n_spurious: count((m) => m.n_ref === 0 && m.n_pred > 0),
    n_unlabelled: pairs.length - count(() => true),
    n_not_predicted: columns.reduce((n, column) => n + left + column.filter((m, i) => m !== undefined && absent[i]).length, 0),
    metrics: Object.fromEntries(METRIC_NAMES.map((name) => [name, aggregate(columns, name, bootstrap)])) as Group['metrics'],
    convention: Object.fromEntries(
      METRIC_NAMES.filter((name) => name !== 'RAVD').map((name) => [
        name,
        mean(columns.flatMap((column) => mean(column.flatMap((m) => (m ? (conventional(m, name) ?? []) : []))) ?? [])),
      ]),
    ),
  };
}

/** Columns as above, of which only the metric itself is asked. */
export function aggregate(
  columns: (Partial<Record<MetricName, number | null>> | undefined)[][],
  name: MetricName,
  bootstrap: BootstrapOptions,
): Aggregate {
  const unit = METRIC_UNITS[name];
  const all = columns.map((column) => column.map((m) => scaled(m?.[name] ?? null, unit)));
  const cases = all[0]?.map((_, i) => i).filter((i) => all.some((column) => column[i] !== null)) ?? [];
  const values = all.map((column) => cases.map((i) => column[i]));
  const perCase = cases.map((_, i) => mean(values.flatMap((column) => column[i] ?? []))!);
  const interval =
    values.length === 1
      ? bootstrapMean(perCase, bootstrap)
      : bootstrapInterval(cases.length, (drawn) => meanOverClasses(values, drawn), bootstrap);
  return {
    unit,
    n_defined: values.flat().filter((value) => value !== null).length,
    mean: meanOverClasses(values, Uint32Array.from(perCase.keys())),
    std: standardDeviation(perCase),
    ci: interval && [interval.low, interval.high],
  };
}

/** Mean over columns of each column's mean over the drawn cases where it is defined. Plain loops: it runs 10,000 times an interval. */
function meanOverClasses(values: (number | null)[][], drawn: Uint32Array): number | null {
  let total = 0,
    classes = 0;
  for (const column of values) {
    let sum = 0,
      n = 0;
    for (let i = 0; i < drawn.length; i++) {
      const value = column[drawn[i]];
      if (value !== null) {
        sum += value;
        n++;
      }
    }
    if (n > 0) {
      total += sum / n;
      classes++;
    }
  }
  return classes === 0 ? null : total / classes;
}

function conventional(m: ClassMetrics, name: MetricName): number | null {
  const unit = METRIC_UNITS[name];
  if (m.n_ref + m.n_pred === 0) return unit === 'mm' ? 0 : 100;
  if (m.n_ref === 0 || m.n_pred === 0) return unit === 'mm' ? 50 : 0;
  return scaled(m[name], unit);
}

function scaled(value: number | null, unit: '%' | 'mm'): number | null {
  return value === null ? null : unit === '%' ? value * 100 : value;
}
