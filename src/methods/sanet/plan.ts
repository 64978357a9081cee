// SPDX-License-Identifier: MIT
// SA-Net's part of a plan. The numbers in brackets are the items of docs/method.md, part D. Defaults are in presets.ts.
import * as z from 'zod';
import { choice, flag, integer, number, rate, share } from '../plan_fields.ts';
import type { Plan } from '../plan.ts';
import { vnetSizes } from '../vnet_sizes.ts';

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
  rate: rate().describe('learning rate of both networks'),
  decay: number(0, 1).describe('weight decay'),
  stem: integer(4, 128).describe('channels of the ResNet stem'),
  blocks: z.tuple([integer(1, 36), integer(1, 36), integer(1, 36), integer(1, 36)]).describe('bottlenecks of each stage'),
  width: z.int().min(32).max(512).multipleOf(16).describe('[10] C, channels of the fused pyramid'),
  recoveryWidth: z.int().min(8).max(256).multipleOf(4).describe('Cr, channels of the recovery module'),
  window: z
    .union([z.literal('data'), z.tuple([number(-4096, 4096), number(-4096, 32767)])])
    .describe('intensities that both networks see, HU, where SAM sees more than they (sam.compatibility); "data": those of data.window'),
  norm: choice(['bn', 'gn']).describe(
    '[26] batch norm over the micro-batch, or group norm of each slice (32 groups, or as many as divide the channels)',
  ),
  zeroInitLastGamma: flag().describe('start every residual branch at zero'),
  foregroundPrior: flag().describe('start K = 2 heads at 12 % foreground instead of 50 %'),
  resize: z.union([z.literal('auto'), z.literal(1), z.literal(2)]).describe('enlargement of slices; auto: 2 where both sides are under 96'),
  sliceContext: z.literal(1).describe('[25] neighbouring slices as channels'),
  useMSA: flag(),
  useBGC: flag(),
  useRM: flag(),
  rates: z
    .tuple([integer(1, 32), integer(1, 32), integer(1, 32), integer(1, 32)])
    .describe('[11] dilations of the four parallel convolutions'),
  mfca: z.strictObject({
    position: choice(['after-lateral'], ['before-lateral']).describe('[9]'),
    grid: z.literal(7).describe('[9] pooled map on which frequencies live'),
    frequencies: z.literal(16).describe('[9] frequencies kept'),
  }),
  layerAttention: choice(['corrected'], ['cfpt']).describe('[10] with the three quirks of the public code mended, or as it is'),
  graph,
  esg: z.strictObject({
    input: choice(['region+boundary'], ['region']).describe('[8] J2 + J1'),
    nodes: z.literal(32),
    neighbours: z.literal(5),
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
  rate: rate().describe('learning rate of the image encoder'),
  decay: number(0, 1).describe('weight decay'),
  decoderFactor: number(0, 10).describe("rate of prompt encoder and mask decoder over the encoder's"),
  trainable: flag().describe('[1] false needs weights from outside'),
  size: z.int().min(32).max(256).multipleOf(16).describe('[4] S, side of the cube that the ROI is resized to'),
  input: choice(['cube'], ['keep-aspect']).describe('[4]'),
  width: integer(48, 1536),
  depth: integer(1, 32),
  heads: integer(1, 32),
  window: z.union([z.literal(0), z.literal(14)]).describe('0: global attention; 14: as the official weights'),
  compatibility: z
    .enum(['corrected', 'official'])
    .describe('[4] official: positions, axes and intensities as the code computes them that the released weights were trained with'),
  clicks: integer(1, 11).describe('prompted decodes of an iteration'),
  trainPrompt: choice(['annotated-error']).describe('[3] clicks on annotated voxels that are wrong'),
  testPrompt: choice(['consensus-centre']).describe('[3] innermost voxel of the two-plane consensus; never ground truth'),
});

const vnet = vnetSizes.extend({ rate: rate().describe('learning rate'), decay: number(0, 1).describe('weight decay') });

export const teacherAverage = number(0, 0.9999).describe(
  'pseudo labels come from running averages of the weights, of which this is left after an iteration; 0: from the weights as they are',
);
const cross = z.strictObject({
  enabled: flag().describe('false: no exchange, sparse labels alone'),
  pseudo: z.enum(['full', 'selected']).describe('pseudo labels from a pass over all slices, or from the slices of the training pass'),
  slices: z.tuple([integer(1, 512), integer(1, 512)]).describe('transverse and coronal slices of an iteration, annotated ones first'),
  microBatch: integer(1, 64).describe('[26] slices at once'),
  lambdaMax: number(0, 10).describe('largest weight of pseudo labels'),
  warmStart: number(0, 0.9).describe('share of the iterations with annotated voxels only (stage 0)'),
  hardThreshold: number(0.5, 1),
  softThreshold: number(0.5, 1),
  confidence: choice(['max']).describe('[28] max(p, 1 - p) for one class'),
  quality: z.enum(['dice', 'accuracy']).describe('[16] on annotated voxels'),
  qualityBar: share(),
  teacherBar: share().describe('running mean of the quality on annotated voxels below which a teacher does not teach; 0: it always does'),
  teachesAlways: flag().describe('a teacher whose running mean is below that of its pupils teaches them all the same'),
  calibrate: flag().describe("SAM's probabilities are shifted to the volume that annotated voxels have before they become pseudo labels"),
  mirrorAgreement: flag().describe('a label counts only where its teacher says the same of the mirrored volume; with pseudo "selected"'),
  teacherAverage,
  qualityVoxels: choice(['annotated'], ['all']).describe('[16] denominator of equation 1'),
});

const loss = z.strictObject({
  ce: number(0, 100),
  dice: number(0, 100),
  auxiliary: number(0, 100),
  boundary: number(0, 100),
  boundaryRadius: z.union([z.literal('auto'), z.literal(1), z.literal(2)]).describe('auto: 1 where slices are at most 128 wide, else 2'),
});

export const sanetSchema = z.strictObject({
  name: z.literal('sanet'),
  volume: z.enum(['sam', 'vnet']).describe('the network in the 3D role: SAM, or the VNet of cross-teaching, which no click prompts'),
  network2d,
  sam,
  vnet: vnet.describe('sizes of the VNet, where `volume` asks for it'),
  cross,
  loss,
});

export type SanetFields = z.infer<typeof sanetSchema>;
export type SanetPlan = Plan<SanetFields>;
