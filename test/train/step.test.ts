// SPDX-License-Identifier: MIT
// Both kinds of training step: where they must agree to the last digits, and what each plan field does to them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';
import { ablate } from '../../src/train/plan.ts';
import { microBatches } from '../../src/methods/sanet/step_full.ts';
import { ablated, iterations, openAs, PARTS, phantomSampler, read, smallPlan, startTraining, stepPlan } from './phantom_step.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const MODES = ['selected', 'full'] as const;
/** A plan whose micro-batch holds every slice, so that both modes see the same. */
function wholePlan(pseudo: SanetPlan['method']['cross']['pseudo']): SanetPlan {
  const plan = smallPlan([8, 12, 32]);
  Object.assign(plan.method.cross, { pseudo, slices: [8, 12], microBatch: 12 });
  plan.method.sam.clicks = 3;
  return plan;
}

/** Largest difference of two rows, relative to the first. */
function gap(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): number {
  expect(Object.keys(b).sort()).toEqual(Object.keys(a).sort());
  return Math.max(...Object.entries(a).map(([key, v]) => Math.abs(v - b[key]) / Math.max(1e-3, Math.abs(v))));
}

describe('micro-batches', () => {
  it('hold every position, of one size, none twice in one', () => {
    for (const [n, largest] of [
      [16, 8],
      [13, 8],
      [160, 8],
      [7, 8],
      [9, 4],
      [48, 7],
      [1, 1],
    ] as const) {
      const batches = microBatches(n, largest);
      expect(new Set(batches.flat())).toEqual(new Set(Array.from({ length: n }, (_, i) => i)));
      expect(batches.length).toBe(Math.ceil(n / largest));
      for (const batch of batches) {
        expect(batch.length).toBe(batches[0].length);
        expect(batch.length).toBeLessThanOrEqual(largest);
        expect(new Set(batch).size).toBe(batch.length);
      }
    }
    expect(microBatches(6, 3)).toEqual([
      [0, 2, 4],
      [1, 3, 5],
    ]);
  });
});

describe('full and selected', () => {
  it('are one where a micro-batch holds every slice: losses, norms, running statistics', async () => {
    const found = [];
    for (const mode of MODES) {
      const plan = wholePlan(mode);
      const sampler = phantomSampler(plan);
      using training = await startTraining(plan);
      const rows = [];
      for (let it = 0; it < 2; it++) rows.push(await read(await training.run(await sampler.iteration(it))));
      const bn = training.nets.transverse!.encoder.bn1;
      found.push({ rows, running: [...(await bn.running_mean.torchValues()), ...(await bn.running_var.torchValues())] });
    }
    const [selected, full] = found as [(typeof found)[0], (typeof found)[0]];
    expect(Object.keys(full.rows[0]).sort()).toEqual([
      'agreement.2D planes',
      'coronal',
      'coronal_norm',
      'quality',
      'sam',
      'sam_norm',
      'transverse',
      'transverse_norm',
    ]);
    expect(gap(selected.rows[0], full.rows[0])).toBeLessThan(1e-4);
    expect(gap(selected.rows[1], full.rows[1])).toBeLessThan(2e-2); // Adam's first step follows the sign of gradients that are almost 0
    selected.running.forEach((v, i) => {
      expect(Math.abs(v - full.running[i])).toBeLessThan(1e-4 * Math.max(1, Math.abs(v)));
    });
  });
});

it.each([
  ['a processor', 'selected', 1e-4], // lanes of a row follow from how many rows there are
  ['a processor', 'full', 1e-4],
  ['a GPU', 'selected', 1e-6], // each volume in the order of one: what is left adds up two equal gradients
  ['a GPU', 'full', 1e-6],
  ['a GPU of small tiles', 'full', 1e-6],
] as const)('two equal volumes are one as %s computes them: gradients are averaged (%s)', async (chooser, pseudo, most) => {
  using _device = await openAs(chooser);
  const plan = stepPlan(pseudo);
  const volume = (await phantomSampler(plan).iteration(0))[0]!;
  const rows = [];
  for (const batch of [1, 2]) {
    plan.training.batch = batch;
    using training = await startTraining(plan);
    rows.push(await read(await training.run(new Array(batch).fill(volume))));
  }
  expect(gap(rows[0], rows[1])).toBeLessThan(most);
});

describe.each(MODES)('%s', (pseudo) => {
  it('five classes, two of them without labels in the case', async () => {
    const plan = stepPlan(pseudo, 5);
    plan.method.sam.clicks = 2;
    for (const row of await iterations(plan, 1, { partial: true, unlabelled: [2, 4] }))
      for (const [key, value] of Object.entries(row)) expect(Number.isFinite(value), key).toBe(true);
  });

  it('a frozen SAM keeps its weights and gives pseudo labels', async () => {
    const plan = stepPlan(pseudo);
    plan.method.sam.trainable = false;
    using training = await startTraining(plan);
    const weight = training.nets.sam!.mask_decoder.transformer.layers[0].mlp.lin1.weight;
    const before = await weight.torchValues();
    const row = await read(await training.run(await phantomSampler(plan).iteration(0)));
    expect(await weight.torchValues()).toEqual(before);
    expect(Object.keys(row).sort()).toEqual([
      'agreement.2D planes',
      'coronal',
      'coronal_norm',
      'quality',
      'sam',
      'transverse',
      'transverse_norm',
    ]);
  });
});

it('a run is a function of its seed', async () => {
  const plan = stepPlan('selected');
  plan.method.sam.clicks = 3;
  expect(await iterations(plan, 2)).toEqual(await iterations(plan, 2));
});

describe('ablations, two iterations each (the full step: step.full.test.ts)', () => {
  it.each(PARTS)('without %s', (part) => ablated(stepPlan('selected'), part));
});

describe('stage 0 of the full step', () => {
  it('trains on annotated voxels without looking, and measures no agreement', async () => {
    const plan = smallPlan([8, 32, 32]);
    Object.assign(plan.method.cross, { pseudo: 'full', slices: [4, 4], microBatch: 4 });
    const sampler = phantomSampler(plan);
    using training = await startTraining(plan);
    const first = await read(await training.run(await sampler.iteration(0), 0));
    using sparse = await startTraining(ablate(plan, ['cross']));
    const alone = await read(await sparse.run(await sampler.iteration(0)));
    expect(Object.keys(first)).not.toContain('agreement.2D planes');
    const { quality, ...losses } = first;
    expect(quality).toBeGreaterThanOrEqual(0);
    expect(gap(losses, alone)).toBeLessThan(1e-4);
  });
});
