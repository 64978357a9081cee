// SPDX-License-Identifier: MIT
// summary.json as others may have changed it: what a report reads of it is there and of the right type. More fields are let be.
import * as z from 'zod';
import { METRIC_NAMES, type MetricName } from './summary.ts';

const value = z.number().nullable();
const interval = z.tuple([z.number(), z.number()]).nullable();
const label = z.union([z.string(), z.number()]);
/** A field that older summaries may lack. */
const added = <T extends z.ZodType>(schema: T) => schema.nullish();

const aggregate = z.looseObject({ unit: z.enum(['%', 'mm']), n_defined: z.number(), mean: value, std: value, ci: interval });
const group = {
  n_pairs: z.number(),
  n_defined: z.number(),
  n_both_empty: z.number(),
  n_missed: z.number(),
  n_spurious: z.number(),
  n_unlabelled: z.number(),
  n_not_predicted: z.number().optional(),
  metrics: z.looseObject(Object.fromEntries(METRIC_NAMES.map((name) => [name, aggregate])) as Record<MetricName, typeof aggregate>),
  convention: z.record(z.string(), value),
};
const caseResult = z.looseObject({
  case: z.string(),
  reference_file: z.string(),
  prediction_file: z.string().nullable(),
  reference_digest: z.string().optional(),
  prediction_digest: z.string().optional(),
  n_copied: z.number().optional(),
  theta: added(z.number()),
  theta_2d: added(z.number()),
  metrics: z.record(z.string(), z.record(z.string(), value)),
  unlabelled: z.array(z.number()),
});
const names = z.array(z.string());
/** What evaluated cases are to the model. */
const evaluated = z.looseObject({
  cases: z.enum(['held out', 'trained on', 'not known']),
  n_cases: z.number(),
  n_patients: z.number(),
  changed: names,
  doubtful: added(z.record(z.string(), names)),
  masks: z
    .looseObject({
      verb: z.string(),
      run: z.string(),
      weights: z.string(),
      iteration: z.number(),
      checkpoint: added(z.string()),
      output: added(z.string()),
      prediction: added(z.record(z.string(), z.unknown())),
    })
    .nullable(),
});
const share = z.number();
const slices = z.looseObject({
  n_cases: z.number(),
  annotated: z.looseObject({ transverse: share, coronal: share, voxels: share }),
  rows: z.array(
    z.looseObject({
      from: z.number(),
      to: z.number(),
      n_defined: z.number(),
      mean: value,
      std: value,
      ci: interval,
      classes: z.record(z.string(), value),
    }),
  ),
  contrast: z
    .looseObject({ n_cases: z.number(), annotated: z.number(), others: z.number(), difference: z.number(), ci: interval })
    .nullable(),
});

const fields = {
  metric_per_case: z.array(caseResult),
  classes: z.array(z.looseObject({ ...group, label, name: z.string() })),
  foreground: z.looseObject(group),
  slice_distance: slices.nullable(),
  surface_histogram: z.looseObject({ centres_mm: z.array(z.number()), classes: z.record(z.string(), z.array(z.number())) }).nullable(),
  settings: z.looseObject({
    theta: z.array(z.number()),
    theta_2d: z.array(z.number()),
    theta_rule: z.string(),
    surface_mm: z.number(),
    ignore_label: z.number().nullable(),
    label_source: added(z.string()),
    trained_label_source: added(z.string()),
    level: z.number().gt(0).lt(1),
    seed: z.number(),
    resamples: z.int().min(1).max(1_000_000),
  }),
};
const summary = z.looseObject({
  ...fields,
  missing: names.optional(),
  missing_scored: z.boolean().optional(),
  unused: names.optional(),
  not_evaluated: z.record(z.string(), names).optional(),
  evaluated: evaluated.nullish(),
});

export const summarySchema = z.looseObject({ ...summary.shape, training: summary.nullish() });
