// SPDX-License-Identifier: MIT
// The four presets (specification, section C) and what a data set decides about a plan.
import { AUGMENTATION_ODDS } from '../data/augment.ts';
import type { Plan, Preset } from './plan_schema.ts';

export type Triple = readonly [number, number, number];

/** What planning needs to know of a data set, all on the RAS grid [D, H, W]. */
export interface DatasetFingerprint {
  readonly name: string;
  /** Class names by label value, background first. */
  readonly classes: readonly string[];
  readonly medianSpacing: Triple;
  readonly medianSize: Triple;
}

const NET = {
  paper: { stem: 64, blocks: [3, 4, 6, 3], width: 256, recoveryWidth: 64 },
  base: { stem: 64, blocks: [3, 4, 6, 3], width: 128, recoveryWidth: 64 },
  tiny: { stem: 16, blocks: [1, 2, 2, 1], width: 64, recoveryWidth: 64 },
  demo: { stem: 16, blocks: [1, 1, 1, 1], width: 32, recoveryWidth: 32 },
} as const;

/** Image encoders: sam-b128, sam-s96, sam-t64. */
const SAM = {
  paper: { size: 128, width: 768, depth: 12, heads: 12 },
  base: { size: 96, width: 384, depth: 12, heads: 6 },
  tiny: { size: 64, width: 192, depth: 6, heads: 3 },
  demo: { size: 64, width: 192, depth: 6, heads: 3 },
} as const;

const ITERATIONS = { paper: 6000, base: 6000, tiny: 1000, demo: 120 } as const;

/** Plan of a preset for two classes and regions of interest around a nodule. */
export function presetPlan(preset: Preset): Plan {
  const small = preset === 'tiny' || preset === 'demo';
  return {
    version: 1, preset, name: preset, classes: ['background', 'foreground'],
    data: {
      spacing: preset === 'paper' ? [1, 1, 1] : 'native', roi: small ? [16, 64, 64] : [32, 64, 64], sampling: 'centre',
      foregroundShare: 2 / 3, jitter: [4, 8, 8], window: [-1200, 600], normalise: '-1..1',
    },
    annotation: { use: 'dataset', seed: 1337 },
    split: { folds: 5, fold: 0, selectionShare: 0.1, seed: 1337 },
    network2d: {
      enabled: true, ...NET[preset], blocks: [...NET[preset].blocks], norm: preset === 'tiny' ? 'gn' : 'bn', zeroInitLastGamma: false, foregroundPrior: true,
      resize: small ? 1 : 'auto', sliceContext: 1, useMSA: true, useBGC: true, useRM: true, rates: [1, 2, 4, 8],
      mfca: { position: 'after-lateral', grid: 7, frequencies: 16 }, layerAttention: 'corrected',
      graph: {
        nodes: 32, width: 128, depth: 1, projection: 'soft-assignment', inter: 'off-diagonal', normalisation: 'joint',
        scores: 'additive', update: 'relu-residual-norm',
      },
      esg: { input: 'region+boundary', nodes: 32, neighbours: 5 },
      recovery: { features: 'encoder', masks: 'predicted', combine: 'shuffle', strides: '8-8-8-4', temperature: 'learned', interiorBias: true },
    },
    sam: {
      enabled: true, trainable: true, ...SAM[preset], input: 'cube', window: 0, clicks: small ? 1 : 3,
      trainPrompt: 'annotated-error', testPrompt: 'consensus-centre',
    },
    cross: {
      enabled: true, pseudo: small ? 'selected' : 'full', slices: small ? [8, 8] : [16, 16], microBatch: 8, lambdaMax: small ? 0.5 : 0.1,
      warmStart: 1 / 6, hardThreshold: 0.9, softThreshold: 0.7, confidence: 'max', quality: 'dice', qualityBar: 0.85, qualityVoxels: 'annotated',
    },
    loss: { ce: 0.5, dice: 0.5, auxiliary: 0.4, boundary: 0.3, boundaryRadius: 'auto' },
    optimiser: {
      // `tiny` reads one volume an iteration, whose slices make poor batch statistics: LIDC nodules, transverse network, dense labels, 300
      // iterations in PyTorch, 63 held out: Dice 61.8 with batch norm (68.8 when it normalises by the held-out volume itself), 66.7
      // with group norm, 69.0 and 68.8 with group norm at 2e-3 and 3e-3 (bench/lab/README.md).
      rate2d: preset === 'tiny' ? 2e-3 : 1e-3, decay2d: 1e-4,
      // From scratch with one volume an iteration: 1e-4 (the official 8e-4 belongs to batches of 12). The small presets have too few
      // iterations for that, and nothing pretrained in the decoder to protect: at 1e-4 and 0.1 SAM found no phantom nodule in 100
      // iterations, at 8e-4 and 1 it reached Dice 0.65 in 150.
      rateSam: small ? 8e-4 : 1e-4, decaySam: preset === 'paper' ? 0.1 : 0.01, samDecoderFactor: small ? 1 : 0.1,
      betas: [0.9, 0.999], epsilon: 1e-8, schedule: 'poly', power: 0.9, warmUp: 1 / 30, clipNorm: 10,
    },
    augmentation: structuredClone(AUGMENTATION_ODDS),
    training: {
      iterations: ITERATIONS[preset], maxMinutes: null, batch: 1, seed: 1337, precision: 'f32', selections: small ? 4 : 15,
      checkpointEvery: Math.max(10, Math.round(ITERATIONS[preset] / 60)),
    },
    prediction: { step: 0.5, mirror: false, largestComponent: false, minVolume: 0 },
    evaluation: { headline: 'ensemble', boundaryTolerance: 'auto', surfaceMm: 2, test: 'wilcoxon-holm' },
  };
}

/**
 * The preset fitted to a data set: several classes get the abdominal window, 2 mm voxels (coarser axes stay as they are) and accuracy as
 * the quality of pseudo labels; volumes much larger than the region of interest are cut at random, not at their centre.
 */
export function inferPlan(fingerprint: DatasetFingerprint, preset: Preset): Plan {
  const plan = presetPlan(preset);
  const { name, classes, medianSpacing, medianSize } = fingerprint;
  plan.name = name.replace(/[^\w.-]+/g, '_').slice(0, 100) || preset;
  plan.classes = [...classes];
  if (classes.length > 2) {
    plan.data.window = [-160, 240];
    plan.data.normalise = 'z-score';
    plan.data.spacing = medianSpacing.map((mm) => Math.max(2, Math.round(mm * 100) / 100)) as [number, number, number];
    if (preset === 'base' || preset === 'paper') plan.data.roi = [96, 96, 96];
    plan.cross.quality = 'accuracy';
    plan.cross.qualityBar = 0.98;
  }
  const { spacing, roi } = plan.data;
  const size = medianSize.map((n, i) => spacing === 'native' ? n : (n * medianSpacing[i]!) / spacing[i]!);
  if (size.some((n, i) => n > 1.5 * roi[i]!)) plan.data.sampling = 'foreground';
  return plan;
}
