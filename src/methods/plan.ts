// SPDX-License-Identifier: MIT
// Every decision of a run that does not depend on what is trained, as a schema; what does is the method's (`method`). The numbers in
// brackets are the items of docs/method.md, part D; each of them is a field here or in sanet/plan.ts.
import * as z from 'zod';
import { SPARSE_MODES } from '../data/sparse_planes.ts';
import { choice, flag, integer, number, share, triple } from './plan_fields.ts';

const data = z.strictObject({
  spacing: z.union([z.literal('native'), triple(number(0.05, 20))]).describe('[20] "native", or millimetres [z, y, x] to resample to'),
  roi: triple(integer(4, 512)).describe('[19] voxels [D, H, W] that a network sees at once'),
  sampling: z.enum(['centre', 'foreground']).describe('crops around the centre of each volume, or random patches, some on the foreground'),
  foregroundShare: share().describe('share of random patches centred on an annotated foreground voxel'),
  jitter: triple(integer(0, 128)).describe('largest random shift [z, y, x] of a centred crop, voxels'),
  window: z
    .tuple([number(-4096, 4096), number(-4096, 32767)])
    .refine(([low, high]) => low < high, { error: 'expected low < high' })
    .describe('[20] intensities kept, HU'),
  normalise: z
    .enum(['-1..1', '0..1', 'z-score'])
    .describe('[20] what the window becomes; z-score: 0..1, then mean 0 and deviation 1 of each volume'),
});

/** Names of `annotation.use`. */
export const ANNOTATION_SCHEMES = ['dataset', 'dense', ...SPARSE_MODES] as const;

const annotation = z.strictObject({
  use: z
    .enum(ANNOTATION_SCHEMES)
    .describe(
      '[17, 18] "dataset": annotations.json and the ignore label; "dense": all there is (upper bound); else simulated: every 3rd ' +
        'slice of both planes, every 3rd transverse, every 6th of both, the one transverse slice with the largest section of each ' +
        'nodule',
    ),
  every: integer(1, 512).nullable().describe('another stride of the simulated slices; null: that of `use`'),
  cases: integer(1, 100_000)
    .nullable()
    .describe('training cases that are annotated at all, drawn by the seed; null: every one. Cases for selection keep their annotation'),
  seed: integer(0, 2 ** 31 - 1).describe('phase of the simulated slices, drawn once a case, and which cases are annotated'),
});

const split = z.strictObject({
  folds: integer(1, 20).describe('[20] folds over patients, never dividing one; 1: all are trained on, none is tested on'),
  fold: integer(0, 19).describe('fold held out'),
  selectionShare: number(0, 0.5).describe('share of the training part kept for choosing the best checkpoint'),
  seed: integer(0, 2 ** 31 - 1),
});

const optimiser = z
  .strictObject({
    betas: z.tuple([number(0, 0.999999), number(0, 0.999999)]),
    epsilon: number(1e-12, 1e-3),
    schedule: z.enum(['poly', 'constant']),
    power: number(0, 4),
    warmUp: number(0, 0.5).describe('share of the iterations'),
    clipNorm: number(1e-3, 1e6).describe("global norm of each network's gradient"),
  })
  .describe("what the updates of all networks share; rates and decay are the method's");

const chance = (largest: number) => z.strictObject({ probability: share(), range: number(0, largest) });
const augmentation = z.strictObject({ flip: share(), rotate90: share(), scale: chance(0.9), shift: chance(1) });

const training = z.strictObject({
  iterations: integer(1, 10_000_000),
  maxMinutes: number(0.1, 100_000)
    .nullable()
    .describe('time that shortens `iterations` once, after the first ten; null: iterations as given'),
  batch: integer(1, 64).describe('volumes of an iteration'),
  seed: integer(0, 2 ** 31 - 1),
  precision: z
    .enum(['f32', 'mixed'])
    .describe(
      'mixed: f16 activations, and weights where they meet them; f32 master weights, sums, norms, graphs and losses; needs shader-f16',
    ),
  transport: z
    .enum(['f32', 'f16'])
    .optional()
    .describe('how gradients travel between the processes of a run (mpirun): f16 halves the bytes and rounds; left out: f32'),
  selections: integer(1, 1000).describe('validations in a run; the best one is kept'),
  checkpointEvery: z
    .union([z.literal('auto'), integer(1, 1_000_000)])
    .describe('iterations; auto: as often as a twentieth of the time allows'),
});

const prediction = z.strictObject({
  step: number(0.1, 1).describe('of the window, between two patches'),
  mirror: flag().describe('average over flips'),
  largestComponent: flag(),
  minVolume: number(0, 1e7).describe('mm3; smaller components are dropped'),
});

const evaluation = z.strictObject({
  headline: z
    .string()
    .min(1)
    .max(100)
    .describe('[2] the output that is reported first and selects checkpoints: "ensemble" or a network\'s name; all are always evaluated'),
  boundaryTolerance: z.union([z.literal('auto'), number(0, 100)]).describe('[21] voxels; auto: ceil(0.75 % of the diagonal)'),
  surfaceMm: number(0, 100),
  test: choice(['wilcoxon-holm'], ['paired-t']).describe('[22] between runs, on the Jaccard index of each case'),
});

/** Presets from small to large: `demo` and `tiny` for software adapters, `base` and `paper` for GPUs. */
export const PRESETS = ['demo', 'tiny', 'base', 'paper'] as const;
export type Preset = (typeof PRESETS)[number];

const fields = {
  version: z.literal(2),
  preset: z.enum(PRESETS).describe('where fields that the file leaves out come from'),
  name: z
    .string()
    .regex(/^[\p{L}\p{M}\p{N}_.-]+$/u, { error: 'expected letters, digits, ".", "-" and "_"' })
    .max(100),
  classes: z.array(z.string().min(1)).min(2).max(256).describe('names by label value, background first'),
  data,
  annotation,
  split,
};
const rest = { optimiser, augmentation, training, prediction, evaluation };

/** The schema of whole plans of one method. Items 23, 24 and 27 concern notation and compared networks: they decide nothing in a run. */
export const schemaWith = <M extends z.ZodType>(method: M) =>
  z.strictObject({ ...fields, method, ...rest }).describe('numbers in brackets are open questions of the paper: docs/method.md, part D');

/** What every method's part of a plan has. */
export interface MethodPlan {
  readonly name: string;
}

/** A complete, checked plan; `M` is the method's part. */
export type Plan<M extends MethodPlan = MethodPlan> = z.infer<z.ZodObject<typeof fields & typeof rest>> & { method: M };
