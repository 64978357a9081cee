// SPDX-License-Identifier: MIT
// Every decision of a run, as a schema. The numbers in brackets are the items of docs/method.md, part D; each of them is a field
// here. Defaults are in presets.ts. A value outside a range is a mistake, not a preference: ranges are wide.
import { z } from 'zod';

const number = (min: number, max: number) => z.number().min(min).max(max);
const integer = (min: number, max: number) => z.int().min(min).max(max);
const share = () => number(0, 1);
const flag = () => z.boolean();
const triple = <T extends z.ZodType>(item: T) => z.tuple([item, item, item]);

/**
 * A choice between readings of the paper. `built` values run; `specified` ones are alternatives that the specification describes and this
 * version does not build: they are refused by name, never ignored. Sizes with one built value are literals for the same reason.
 */
function choice<const T extends string>(built: readonly [T, ...T[]], specified: readonly string[] = []) {
  return z.string().superRefine((value, context) => {
    if ((built as readonly string[]).includes(value)) return;
    const known = specified.includes(value) ? ', a reading that the specification describes and this version does not build' : '';
    context.addIssue({ code: 'custom', message: `got "${value}"${known}, expected ${built.map((v) => `"${v}"`).join(' or ')}` });
  }) as unknown as z.ZodType<T, string>;
}

const data = z.strictObject({
  spacing: z.union([z.literal('native'), triple(number(0.05, 20))]).describe('[20] "native", or millimetres [z, y, x] to resample to'),
  roi: triple(integer(4, 512)).describe('[19] voxels [D, H, W] that a network sees at once'),
  sampling: z.enum(['centre', 'foreground']).describe('crops around the centre of each volume, or random patches, some on the foreground'),
  foregroundShare: share().describe('share of random patches centred on an annotated foreground voxel'),
  jitter: triple(integer(0, 128)).describe('largest random shift [z, y, x] of a centred crop, voxels'),
  window: z.tuple([number(-4096, 4096), number(-4096, 32767)]).refine(([low, high]) => low < high, { error: 'expected low < high' }).describe('[20] intensities kept, HU'),
  normalise: z.enum(['-1..1', '0..1', 'z-score']).describe('[20] what the window becomes; z-score: 0..1, then mean 0 and deviation 1 of each volume'),
});

const annotation = z.strictObject({
  use: z.enum(['dataset', 'dense', 'both', 'transverse', 'budget'])
    .describe('[17, 18] "dataset": annotations.json and the ignore label; "dense": all there is (upper bound); else simulated: every 3rd slice of both planes, every 3rd transverse, every 6th of both'),
  seed: integer(0, 2 ** 31 - 1).describe('phase of the simulated slices, drawn once a case'),
});

const split = z.strictObject({
  folds: integer(2, 20).describe('[20] folds over patients, never dividing one'),
  fold: integer(0, 19).describe('fold held out'),
  selectionShare: number(0, 0.5).describe('share of the training part kept for choosing the best checkpoint'),
  seed: integer(0, 2 ** 31 - 1),
});

const graph = z.strictObject({
  nodes: z.literal(32).describe('[7] nodes of each graph'),
  width: z.literal(128).describe('[7] channels of a node'),
  depth: z.literal(1).describe('[7] graph convolutions'),
  projection: choice(['soft-assignment'], ['glore', 'mgl-anchors']).describe('[7] how pixels become nodes'),
  inter: choice(['off-diagonal'], ['diagonal']).describe('[5] place of the inter-graph blocks in equation 3'),
  normalisation: choice(['joint'], ['separate']).describe('[5] one softmax over both graphs, or one each and their mean'),
  scores: choice(['additive'], ['dot-product']).describe('[6] form of a_ij'),
  update: choice(['relu-residual-norm'], ['literal']).describe('[7] F and alpha of equation 4'),
});

const network2d = z.strictObject({
  enabled: flag(),
  stem: integer(4, 128).describe('channels of the ResNet stem'),
  blocks: z.tuple([integer(1, 36), integer(1, 36), integer(1, 36), integer(1, 36)]).describe('bottlenecks of each stage'),
  width: z.int().min(32).max(512).multipleOf(16).describe('[10] C, channels of the fused pyramid'),
  recoveryWidth: z.int().min(8).max(256).multipleOf(4).describe('Cr, channels of the recovery module'),
  norm: choice(['bn', 'gn']).describe('[26] batch norm over the micro-batch, or group norm of each slice (32 groups, or as many as divide the channels)'),
  zeroInitLastGamma: flag().describe('start every residual branch at zero'),
  foregroundPrior: flag().describe('start K = 2 heads at 12 % foreground instead of 50 %'),
  resize: z.union([z.literal('auto'), z.literal(1), z.literal(2)]).describe('enlargement of slices; auto: 2 where both sides are under 96'),
  sliceContext: z.literal(1).describe('[25] neighbouring slices as channels'),
  useMSA: flag(), useBGC: flag(), useRM: flag(),
  rates: z.tuple([integer(1, 32), integer(1, 32), integer(1, 32), integer(1, 32)]).describe('[11] dilations of the four parallel convolutions'),
  mfca: z.strictObject({
    position: choice(['after-lateral'], ['before-lateral']).describe('[9]'),
    grid: z.literal(7).describe('[9] pooled map on which frequencies live'),
    frequencies: z.literal(16).describe('[9] frequencies kept'),
  }),
  layerAttention: choice(['corrected'], ['cfpt']).describe('[10] with the three quirks of the public code mended, or as it is'),
  graph,
  esg: z.strictObject({
    input: choice(['region+boundary'], ['region']).describe('[8] J2 + J1'),
    nodes: z.literal(32), neighbours: z.literal(5),
  }),
  recovery: z.strictObject({
    features: choice(['encoder'], ['msa']).describe('what a step reads: E_i or O_i'),
    masks: choice(['predicted'], ['teacher-forcing']).describe('[12] the boundary and region that guide attention'),
    combine: choice(['shuffle'], ['sum']).describe('[13]'),
    strides: choice(['8-8-8-4'], ['32-16-8-4']).describe('[14]'),
    temperature: choice(['learned', 'one']).describe('[15] tau'),
    interiorBias: flag().describe('[15] log mask on the keys'),
  }),
});

const sam = z.strictObject({
  enabled: flag(),
  trainable: flag().describe('[1] false needs weights from outside'),
  size: z.int().min(32).max(256).multipleOf(16).describe('[4] S, side of the cube that the ROI is resized to'),
  input: choice(['cube'], ['keep-aspect']).describe('[4]'),
  width: integer(48, 1536), depth: integer(1, 32), heads: integer(1, 32),
  window: z.union([z.literal(0), z.literal(14)]).describe('0: global attention; 14: as the official weights'),
  clicks: integer(1, 11).describe('prompted decodes of an iteration'),
  trainPrompt: choice(['annotated-error']).describe('[3] clicks on annotated voxels that are wrong'),
  testPrompt: choice(['consensus-centre']).describe('[3] innermost voxel of the two-plane consensus; never ground truth'),
});

const cross = z.strictObject({
  enabled: flag().describe('false: no exchange, sparse labels alone'),
  pseudo: z.enum(['full', 'selected']).describe('pseudo labels from a pass over all slices, or from the slices of the training pass'),
  slices: z.tuple([integer(1, 512), integer(1, 512)]).describe('transverse and coronal slices of an iteration, annotated ones first'),
  microBatch: integer(1, 64).describe('[26] slices at once'),
  lambdaMax: number(0, 10).describe('largest weight of pseudo labels'),
  warmStart: number(0, 0.9).describe('share of the iterations with annotated voxels only (stage 0)'),
  hardThreshold: number(0.5, 1), softThreshold: number(0.5, 1),
  confidence: choice(['max']).describe('[28] max(p, 1 - p) for one class'),
  quality: z.enum(['dice', 'accuracy']).describe('[16] on annotated voxels'),
  qualityBar: share(),
  qualityVoxels: choice(['annotated'], ['all']).describe('[16] denominator of equation 1'),
});

const loss = z.strictObject({
  ce: number(0, 100), dice: number(0, 100), auxiliary: number(0, 100), boundary: number(0, 100),
  boundaryRadius: z.union([z.literal('auto'), z.literal(1), z.literal(2)]).describe('auto: 1 where slices are at most 128 wide, else 2'),
});

const rate = () => number(1e-8, 1);
const optimiser = z.strictObject({
  rate2d: rate(), decay2d: number(0, 1), rateSam: rate().describe('image encoder'), decaySam: number(0, 1),
  samDecoderFactor: number(0, 10).describe('rate of prompt encoder and mask decoder over the encoder\'s'),
  betas: z.tuple([number(0, 0.999999), number(0, 0.999999)]), epsilon: number(1e-12, 1e-3),
  schedule: z.enum(['poly', 'constant']), power: number(0, 4), warmUp: number(0, 0.5).describe('share of the iterations'),
  clipNorm: number(1e-3, 1e6).describe('global norm of each network\'s gradient'),
});

const chance = (largest: number) => z.strictObject({ probability: share(), range: number(0, largest) });
const augmentation = z.strictObject({ flip: share(), rotate90: share(), scale: chance(0.9), shift: chance(1) });

const training = z.strictObject({
  iterations: integer(1, 10_000_000),
  maxMinutes: number(0.1, 100_000).nullable().describe('time that shortens `iterations` once, after the first ten; null: iterations as given'),
  batch: integer(1, 64).describe('volumes of an iteration'),
  seed: integer(0, 2 ** 31 - 1),
  precision: z.enum(['f32', 'mixed']).describe('mixed: f16 activations, and weights where they meet them; f32 master weights, sums, norms, graphs and losses; needs shader-f16'),
  selections: integer(1, 1000).describe('validations in a run; the best one is kept'),
  checkpointEvery: integer(1, 1_000_000).describe('iterations'),
});

const prediction = z.strictObject({
  step: number(0.1, 1).describe('of the window, between two patches'),
  mirror: flag().describe('average over flips'),
  largestComponent: flag(),
  minVolume: number(0, 1e7).describe('mm3; smaller components are dropped'),
});

const evaluation = z.strictObject({
  headline: z.enum(['ensemble', 'sam', 'transverse', 'coronal']).describe('[2] the output that is reported first and selects checkpoints; all four are always evaluated'),
  boundaryTolerance: z.union([z.literal('auto'), number(0, 100)]).describe('[21] voxels; auto: ceil(0.75 % of the diagonal)'),
  surfaceMm: number(0, 100),
  test: choice(['wilcoxon-holm'], ['paired-t']).describe('[22] between runs, on the Jaccard index of each case'),
});

export const PRESETS = ['demo', 'tiny', 'base', 'paper'] as const;
export type Preset = (typeof PRESETS)[number];

/** Items 23, 24 and 27 concern compared networks and notation: they decide nothing in a run of SA-Net. */
export const planSchema = z.strictObject({
  version: z.literal(1),
  preset: z.enum(PRESETS).describe('where fields that the file leaves out come from'),
  name: z.string().regex(/^[\w.-]+$/, { error: 'expected letters, digits, ".", "-" and "_"' }).max(100),
  classes: z.array(z.string().min(1)).min(2).max(256).describe('names by label value, background first'),
  data, annotation, split, network2d, sam, cross, loss, optimiser, augmentation, training, prediction, evaluation,
}).describe('numbers in brackets are open questions of the paper: docs/method.md, part D');

/** A complete, checked plan. */
export type Plan = z.infer<typeof planSchema>;
