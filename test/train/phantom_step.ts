// SPDX-License-Identifier: MIT
// Training steps on phantoms without files: a plan with networks small enough for a test, and what a sampler feeds them.
import type { Triple } from '../../src/axes.ts';
import { expect } from 'vitest';
import { annotationWeight } from '../../src/data/annotations.ts';
import { makePhantom } from '../../src/data/phantom.ts';
import type { TunedTiles } from '../../src/gpu/caps.ts';
import { currentDevice, openDevice, type Device } from '../../src/gpu/device.ts';
import { prepareCase, type PreparedCase } from '../../src/data/sample.ts';
import { sparsePlanes, type SparseMode } from '../../src/data/sparse_planes.ts';
import { annotated } from '../../src/train/annotated.ts';
import { intensityWindow } from '../../src/train/cases.ts';
import { buildAverages, buildNetworks, buildOptimisers } from '../../src/train/networks.ts';
import { ablate } from '../../src/train/plan.ts';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { Sampler } from '../../src/train/sampler.ts';
import type { StepOptions, StepResult, Step } from '../../src/methods/method.ts';
import { methodOf } from '../../src/methods/methods.ts';
import type { SanetNetworks } from '../../src/methods/sanet/networks.ts';
import type { StepExample } from '../../src/methods/sanet/step.ts';
import type { StepFeed } from '../../src/methods/sanet/feed.ts';

/** Whose kernels and launches a device chooses, whatever the adapter is. */
export type Chooser = 'a processor' | keyof typeof TILES;

/**
 * A device that computes two volumes in the order of sums in which it computes one. A GPU's tiles and ranges follow from how much there is
 * to do: in another order a ReLU or a neighbour changes sides, which moved a gradient's norm by 5e-3 where the order moves it by 1e-7. So
 * of a GPU's tiles every product takes the same one, and long ones are cut into 32 ranges, the others not (a weight gradient of one range
 * is rounded by 7e-6); all else is as a GPU has it, launches, joined sums and micro-batches.
 * With large tiles attention of few slices is by products, of many by kernels of its own (`byProducts`); with small ones all of it is.
 */
export async function openAs(chooser: Chooser): Promise<Device> {
  const device = apart(await openDevice());
  const software = chooser === 'a processor';
  return Object.assign(device, { caps: { ...device.caps, software, ...(!software && { tiles: oneTile(TILES[chooser]) }) } });
}
/** With a dispatch for every call: side by side they have the same bits (beside.full.test.ts), and a compiler has four times their text. */
function apart(device: Device): Device {
  const limits = { ...device.caps.limits, maxStorageBuffersPerShaderStage: 1 };
  return Object.assign(device, { caps: { ...device.caps, limits } });
}
const TILES = { 'a GPU': 'blocks 64x64', 'a GPU of small tiles': 'registers 4x4' };
const oneTile = (tile: string): TunedTiles =>
  new Proxy<TunedTiles>({}, { get: (_, shape) => `${tile} ${/ k\d+$/.test(String(shape)) ? 'k32' : 'k1'}` });

/** C = 32 with the smallest encoder and the smallest SAM; every class but background is a lesion. */
export function smallPlan(roi: Triple, classes = 2): SanetPlan {
  const plan = presetPlan('demo');
  plan.data.roi = [...roi];
  plan.data.jitter = [0, 0, 0];
  plan.classes = Array.from({ length: classes }, (_, c) => (c ? `lesion ${c}` : 'background'));
  plan.method.network2d.stem = 4;
  Object.assign(plan.method.sam, { size: 32, width: 48, depth: 1, heads: 3 });
  if (classes > 2) Object.assign(plan.method.cross, { quality: 'accuracy', qualityBar: 0.98 });
  return plan;
}

function phantomCase(plan: SanetPlan, index: number, mode: SparseMode, unlabelled: readonly number[]): PreparedCase {
  const size = [...plan.data.roi] as Triple;
  const { image, label } = makePhantom({
    size,
    seed: 11,
    index,
    classes: plan.classes.length - 1,
    radii: [3, Math.max(4, Math.min(...size) / 3)],
    contrast: 400,
  });
  const name = `phantom_${index}`;
  // What the case has no labels of is background in its mask.
  const mask = Uint8Array.from(label.data, (v) => (unlabelled.includes(v) ? 0 : v));
  const own = annotationWeight(size, sparsePlanes(name, size, mode, 5), name);
  const weight = annotated(plan, new Set(), { name, image, label: mask, weight: own });
  return prepareCase({ name, image, label: mask, weight, unlabelled: [...unlabelled], stored: label }, null, intensityWindow(plan.data));
}

interface PhantomOptions {
  cases?: number;
  mode?: SparseMode;
  unlabelled?: readonly number[];
}

export function phantomSampler(plan: SanetPlan, { cases = 2, mode = 'both', unlabelled = [] }: PhantomOptions = {}): Sampler {
  const made = Array.from({ length: cases }, (_, i) => phantomCase(plan, i, mode, unlabelled));
  return new Sampler(
    plan,
    made.map((c) => c.name),
    (name) => Promise.resolve(made.find((c) => c.name === name)!),
  );
}

export interface Training extends Disposable {
  readonly step: Step<StepFeed>;
  readonly nets: SanetNetworks;
  /** One iteration; pseudo labels count half unless told otherwise. */
  run(volumes: readonly StepFeed[], lambda?: number): StepResult | Promise<StepResult>;
}

/** Networks, optimisers and step of a plan, with pseudo labels at full weight. */
export async function startTraining(
  plan: SanetPlan,
  { partial = false, ...options }: Partial<Omit<StepOptions, 'device'>> & { example?: StepExample } = {},
): Promise<Training> {
  const nets = buildNetworks(plan);
  const optimisers = buildOptimisers(plan, nets);
  const averages = buildAverages(plan, nets, optimisers);
  const step = await methodOf(plan).step(plan, nets, optimisers, { partial, averages, ...options });
  const full = plan.method.cross.enabled ? 0.5 : 0;
  return {
    step,
    nets,
    run: (volumes, lambda = full) => step.run(volumes, { iteration: 0, lambda }),
    [Symbol.dispose]: () => {
      step.dispose();
      for (const o of [...optimisers.values(), ...averages.values()]) o.dispose();
    },
  };
}

/** Values of a step's result by name. */
export async function read(result: StepResult): Promise<Record<string, number>> {
  return Object.fromEntries(await Promise.all(Object.entries(result).map(async ([key, t]) => [key, await t.item()] as const)));
}

/** The results of a run's first iterations. */
export async function iterations(
  plan: SanetPlan,
  count: number,
  options: { partial?: boolean; unlabelled?: readonly number[] } = {},
): Promise<Record<string, number>[]> {
  const sampler = phantomSampler(plan, { unlabelled: options.unlabelled ?? [] });
  using training = await startTraining(plan, { partial: options.partial ?? false });
  const rows: Record<string, number>[] = [];
  for (let it = 0; it < count; it++) rows.push(await read(await training.run(await sampler.iteration(it))));
  return rows;
}

/** Four slices a plane on a small ROI, in one micro-batch or two. */
export function stepPlan(pseudo: SanetPlan['method']['cross']['pseudo'], classes = 2): SanetPlan {
  const plan = smallPlan([8, 32, 32], classes);
  Object.assign(plan.method.cross, { pseudo, slices: [4, 4], microBatch: pseudo === 'full' ? 2 : 8 });
  return plan;
}

/** What `--ablate` can switch off. */
export const PARTS = ['msa', 'bgc', 'rm', 'cross', '2d', 'sam'] as const;

/** Two iterations without a part: losses and norms of the networks that are left, all finite; quality where all three exchange. */
export async function ablated(full: SanetPlan, part: (typeof PARTS)[number]): Promise<void> {
  const plan = ablate(full, [part]);
  const networks = [...(plan.method.sam.enabled ? ['sam'] : []), ...(plan.method.network2d.enabled ? ['transverse', 'coronal'] : [])];
  const exchange = ['msa', 'bgc', 'rm'].includes(part) ? ['quality', 'agreement.2D planes'] : [];
  for (const row of await iterations(plan, 2)) {
    expect(Object.keys(row).sort()).toEqual([...networks, ...networks.map((n) => `${n}_norm`), ...exchange].sort());
    for (const [key, value] of Object.entries(row)) expect(Number.isFinite(value), key).toBe(true);
  }
}

/**
 * Two iterations in mixed precision: all numbers finite, the first losses and norms those of f32 but for rounding, norm 0 and half the
 * scale where an update was skipped.
 */
export async function mixedBesideF32(pseudo: SanetPlan['method']['cross']['pseudo']): Promise<void> {
  const plan = stepPlan(pseudo);
  const [f32] = await iterations(plan, 1);
  plan.training.precision = 'mixed';
  const rows = await iterations(plan, 2);
  for (const row of rows) for (const [key, value] of Object.entries(row)) expect(Number.isFinite(value), key).toBe(true);
  for (const name of ['sam', 'transverse', 'coronal']) {
    const [loss, norm, scale] = [name, `${name}_norm`, `${name}_scale`].map((key) => rows[0][key]) as [number, number, number];
    expect(Math.abs(loss / f32[name] - 1), name).toBeLessThan(0.06);
    expect(scale, name).toBe(norm === 0 ? 2 ** 9 : 2 ** 10);
    if (norm !== 0) expect(Math.abs(norm / f32[`${name}_norm`] - 1), name).toBeLessThan(0.3);
  }
  expect(rows.some((row) => row.sam_norm > 0)).toBe(true);
}

/** One iteration at C = 32 on a phantom of one of the paper's shapes. Returns what it took. */
export async function paperShape(
  roi: Triple,
  pseudo: SanetPlan['method']['cross']['pseudo'],
  classes = 2,
): Promise<{ seconds: number; gflop: number; peakMiB: number }> {
  const plan = presetPlan('demo');
  plan.data.roi = [...roi];
  plan.data.jitter = [0, 0, 0];
  plan.classes = Array.from({ length: classes }, (_, c) => (c ? `organ ${c}` : 'background'));
  plan.method.network2d.resize = 'auto';
  plan.method.sam.clicks = 3;
  Object.assign(plan.method.cross, {
    pseudo,
    slices: pseudo === 'full' ? [16, 16] : [8, 8],
    ...(classes > 2 && { quality: 'accuracy', qualityBar: 0.98 }),
  });
  const sampler = phantomSampler(plan, { cases: 1 });
  using training = await startTraining(plan);
  const start = performance.now();
  const row = await read(await training.run(await sampler.iteration(0)));
  const seconds = (performance.now() - start) / 1000;
  for (const name of ['sam', 'transverse', 'coronal']) {
    expect(row[name], name).toBeGreaterThan(0);
    expect(row[name], name).toBeLessThan(20);
    expect(row[`${name}_norm`], `${name} gradient`).toBeGreaterThan(1e-4);
    expect(row[`${name}_norm`], `${name} gradient`).toBeLessThan(1e4);
  }
  for (const share of ['quality', 'agreement.2D planes'])
    expect(row[share] === undefined ? NaN : Math.abs(row[share] - 0.5), share).toBeLessThanOrEqual(0.5);
  const { peak } = currentDevice().memory();
  expect(peak, 'bytes on the device').toBeLessThan(6 * 2 ** 30);
  return {
    seconds,
    gflop: training.step.programs.reduce((n, p) => n + p.runs * p.program.report().flops, 0) / 1e9,
    peakMiB: peak / 2 ** 20,
  };
}
