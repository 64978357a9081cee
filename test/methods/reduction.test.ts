// SPDX-License-Identifier: MIT
// Several processes as one would learn: here they share a process, and meet in memory.
import { describe, expect, it } from 'vitest';
import { networkList, type Networks, type Optimisers } from '../../src/methods/method.ts';
import { methodOf } from '../../src/methods/methods.ts';
import type { Plan } from '../../src/methods/plan.ts';
import type { Reducer } from '../../src/methods/reducer.ts';
import { buildNetworks, buildOptimisers } from '../../src/train/networks.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { openAs, phantomSampler, read, stepPlan, type Chooser } from '../train/phantom_step.ts';
import { slicesAlone } from '../train/tiny_run.ts';

/** Reducers of processes that take turns on this thread. */
function meeting(ranks: number): Reducer[] {
  let waiting: { values: Float32Array; answer: (sum: Float32Array) => void }[] = [];
  return Array.from({ length: ranks }, (_, rank) => ({
    rank,
    ranks,
    sum: (values: Float32Array) =>
      new Promise<Float32Array>((answer) => {
        waiting[rank] = { values, answer };
        if (waiting.filter(Boolean).length < ranks) return;
        const all = waiting;
        waiting = [];
        const sum = all[0].values.slice();
        for (const { values: more } of all.slice(1)) more.forEach((v, i) => (sum[i] += v));
        for (const each of all) each.answer(sum.slice());
      }),
  }));
}

interface Trained {
  readonly row: Record<string, number>;
  /** By name: weights, running statistics, first moments. Adam divides a gradient by itself, so of weights only the bits are compared. */
  readonly values: ReadonlyMap<string, Float32Array>;
}

/** Everything of the networks after iterations with a part of their volumes, and the last row. */
async function train(plan: Plan, iterations: number, part: (all: unknown[]) => unknown[], reducer?: Reducer): Promise<Trained> {
  const nets: Networks = buildNetworks(plan);
  const optimisers: Optimisers = buildOptimisers(plan, nets);
  const step = await methodOf(plan).step(plan, nets, optimisers, { partial: false, ...(reducer && { reducer }) });
  const whole = phantomSampler({ ...plan, training: { ...plan.training, batch: 2 } } as never);
  let row = {};
  for (let it = 0; it < iterations; it++) row = await read(await step.run(part(await whole.iteration(it)), { iteration: it, lambda: 0.5 }));
  const values = new Map<string, Float32Array>();
  for (const { net } of networkList(nets)) for (const [, p] of net.namedParameters()) values.set(p.name!, (await p.torchValues()).slice());
  for (const optimiser of optimisers.values()) for (const [name, { data }] of await optimiser.stateDict()) values.set(name, data);
  step.dispose();
  for (const optimiser of optimisers.values()) optimiser.dispose();
  return { row, values };
}

const withBatch = <P extends Plan>(plan: P, batch: number): P => ({ ...plan, training: { ...plan.training, batch } });
const both = (plan: Plan, iterations = 1): Promise<Trained[]> =>
  Promise.all(meeting(2).map((reducer) => train(withBatch(plan, 1), iterations, (all) => [all[reducer.rank]], reducer)));

/** Largest difference of running statistics and of gradients, relative to the largest of their kind. */
function gap(a: Trained, b: Trained): number {
  expect([...b.values.keys()]).toEqual([...a.values.keys()]);
  const gaps = [/^exp_avg\./, /running_mean$/, /running_var$/].map((kind) => {
    let [difference, largest] = [0, 0];
    for (const [name, values] of a.values) {
      if (!kind.test(name)) continue;
      values.forEach((v, i) => {
        difference = Math.max(difference, Math.abs(v - b.values.get(name)![i]));
        largest = Math.max(largest, Math.abs(v));
      });
    }
    return largest === 0 ? 0 : difference / largest;
  });
  return Math.max(...gaps);
}

function slices(pseudo: 'selected' | 'full'): Plan {
  const plan = stepPlan(pseudo);
  slicesAlone(plan);
  return plan;
}

/** A network without batch statistics, which sees all volumes of a process as one tensor. */
function dense(): Plan {
  const plan = presetPlan('demo', 'unet3d');
  plan.data.roi = [16, 16, 16];
  plan.data.jitter = [0, 0, 0];
  return plan;
}

describe('two processes with a volume each', () => {
  it.each<[Chooser, string, () => Plan]>([
    ['a processor', 'SA-Net, selected slices', () => slices('selected')],
    ['a processor', 'SA-Net, all slices', () => slices('full')],
    ['a processor', 'a network of volumes', dense],
    ['a GPU', 'SA-Net, selected slices', () => slices('selected')],
    ['a GPU', 'SA-Net, all slices', () => slices('full')],
    ['a GPU', 'a network of volumes', dense],
  ])('as %s computes are one with two, running statistics and measures too, and hold the same bits: %s', async (chooser, _, make) => {
    using _device = await openAs(chooser);
    const [one, two] = await both(make());
    expect(two).toEqual(one);
    const alone = await train(withBatch(make(), 2), 1, (all) => all);
    expect(gap(alone, one)).toBeLessThan(1e-6); // each volume in one order, with `openAs`: sums over both alone are in another
    expect(Object.keys(one.row).sort()).toEqual(Object.keys(alone.row).sort());
    for (const [key, value] of Object.entries(alone.row))
      expect(Math.abs(one.row[key] - value) / Math.max(1e-3, Math.abs(value)), key).toBeLessThan(1e-5);
  });

  it.each<Chooser>(['a processor', 'a GPU'])('agree on the loss scale as %s computes and skip the same update', async (chooser) => {
    using _device = await openAs(chooser);
    const plan = slices('selected');
    plan.training.precision = 'mixed';
    const [one, two] = await both(plan, 3);
    expect(two).toEqual(one);
    expect(one.row.transverse_scale).toBeGreaterThan(0);
  });
});
