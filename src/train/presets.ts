// SPDX-License-Identifier: MIT
// The four presets (specification, section C) and what a data set decides about a plan.
import type { Triple } from '../axes.ts';
import { AUGMENTATION_ODDS } from '../data/augment.ts';
import { UsageError } from '../errors.ts';
import { METHODS, methodOf } from '../methods/methods.ts';
import { PRESETS, type Plan, type Preset } from '../methods/plan.ts';
import type { SanetPlan } from '../methods/sanet/plan.ts';

/** What planning needs to know of a data set, all on the RAS grid [D, H, W]. */
export interface DatasetFingerprint {
  readonly name: string;
  /** Class names by label value, background first. */
  readonly classes: readonly string[];
  readonly medianSpacing: Readonly<Triple>;
  readonly medianSize: Readonly<Triple>;
  /** How many folds the data set has of its own, where it says so. */
  readonly folds?: number;
}

const ITERATIONS = { paper: 6000, base: 6000, tiny: 1000, demo: 120 } as const;

/** What all methods share in a preset. */
function sharedPreset(preset: Preset): Omit<Plan, 'method'> {
  const small = preset === 'tiny' || preset === 'demo';
  return {
    version: 2,
    preset,
    name: preset,
    classes: ['background', 'foreground'],
    data: {
      spacing: preset === 'paper' ? [1, 1, 1] : 'native',
      roi: small ? [16, 64, 64] : [32, 64, 64],
      sampling: 'centre',
      foregroundShare: 2 / 3,
      jitter: [4, 8, 8],
      window: [-1200, 600],
      normalise: '-1..1',
    },
    annotation: { use: 'dataset', every: null, cases: null, seed: 1337 },
    split: { folds: 5, fold: 0, selectionShare: 0.1, seed: 1337 },
    optimiser: { betas: [0.9, 0.999], epsilon: 1e-8, schedule: 'poly', power: 0.9, warmUp: 1 / 30, clipNorm: 10 },
    augmentation: structuredClone(AUGMENTATION_ODDS),
    training: {
      iterations: ITERATIONS[preset],
      maxMinutes: null,
      batch: 1,
      seed: 1337,
      precision: 'f32',
      selections: small ? 4 : 15,
      checkpointEvery: 'auto',
    },
    prediction: { step: 0.5, mirror: false, largestComponent: false, minVolume: 0 },
    evaluation: { headline: 'ensemble', boundaryTolerance: 'auto', surfaceMm: 2, test: 'wilcoxon-holm' },
  };
}

/** Plan of a preset for two classes and regions of interest around a nodule. @throws UsageError for a preset or a method that is none */
export function presetPlan(preset: Preset): SanetPlan;
export function presetPlan(preset: Preset, method: string): Plan;
export function presetPlan(preset: Preset, method = 'sanet'): Plan {
  const found = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
  if (!found) throw new UsageError(`method: got "${method}", expected ${Object.keys(METHODS).join(', ')}.`);
  if (!PRESETS.includes(preset)) throw new UsageError(`preset: got "${preset}", expected ${PRESETS.join(', ')}.`);
  return found.preset(preset, sharedPreset(preset));
}

/**
 * The preset fitted to a data set: several classes get the abdominal window, 2 mm voxels (coarser axes stay as they are), and the method
 * fits its part; volumes much larger than the region of interest are cut at random, not at their centre.
 */
export function inferPlan(fingerprint: DatasetFingerprint, preset: Preset): SanetPlan;
export function inferPlan(fingerprint: DatasetFingerprint, preset: Preset, method?: string): Plan;
export function inferPlan(fingerprint: DatasetFingerprint, preset: Preset, method = 'sanet'): Plan {
  const plan: Plan = presetPlan(preset, method);
  const { name, classes, medianSpacing, medianSize, folds } = fingerprint;
  plan.name = [...name.normalize('NFC').replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, '_')].slice(0, 50).join('').replace(/^_+$/, '') || preset;
  plan.classes = [...classes];
  if (folds !== undefined) plan.split.folds = folds;
  if (classes.length > 2) {
    plan.data.window = [-160, 240];
    plan.data.normalise = 'z-score';
    plan.data.spacing = medianSpacing.map((mm) => Math.max(2, Math.round(mm * 100) / 100)) as [number, number, number];
    if (preset === 'base' || preset === 'paper') plan.data.roi = [96, 96, 96];
    methodOf(plan).severalClasses?.(plan);
  }
  const { spacing, roi } = plan.data;
  const size = medianSize.map((n, i) => (spacing === 'native' ? n : (n * medianSpacing[i]) / spacing[i]));
  if (size.some((n, i) => n > 1.5 * roi[i])) plan.data.sampling = 'foreground';
  return plan;
}
