// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { dryDevice } from '../../src/gpu/dry.ts';
import { iterationCost, networkSizes, predictionDeviceBytes } from '../../src/train/cost.ts';
import { buildNetworks } from '../../src/train/networks.ts';
import { Predictor } from '../../src/methods/sanet/predictor.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { stepPlan, startTraining } from './phantom_step.ts';

it('the cost told beforehand is the work of the programs that run', async () => {
  const plan = stepPlan('full');
  plan.training.batch = 2;
  const first = await openDevice();
  const { software } = first.caps; // a GPU takes more micro-batches at once
  first.close();
  const told = await iterationCost(plan, dryDevice({ software }));
  using _device = await openDevice();
  using training = await startTraining(plan);
  const real = training.step.programs.map(({ name, runs, program }) => ({ name, runs, flops: program.report().flops }));
  expect(told.programs.map(({ name, runs, flops }) => ({ name, runs, flops }))).toEqual(real);
  expect(told.flops).toBe(real.reduce((n, p) => n + p.runs * p.flops, 0));
});

it('counts what is left after an ablation', () => {
  const plan = stepPlan('full');
  plan.method.network2d.useRM = false;
  plan.method.sam.enabled = false;
  const sizes = networkSizes(plan);
  expect(Object.keys(sizes)).toEqual(['transverse', 'coronal']);
  expect(Object.keys(sizes.transverse.modules)).not.toContain('rm');
  expect(Object.values(sizes.transverse.modules).reduce((a, b) => a + b, 0)).toBe(sizes.transverse.total);
});

it('a `base` step on 8 slices of 128 x 128 keeps at most 0.6 of what PyTorch saves for its gradients', async () => {
  const { programs } = await iterationCost(presetPlan('base'), dryDevice({ software: true }));
  const { activationBytes } = programs.find(({ name }) => name === 'train transverse')!;
  console.log(`activation slots: ${(activationBytes / 1e6).toFixed(0)} MB`);
  expect(activationBytes / 976e6).toBeLessThan(0.6); // specification B.4: 122 MB a slice
});

it('prediction holds no more on the device than is told beforehand', async () => {
  const plan = stepPlan('full');
  using device = await openDevice();
  const told = await predictionDeviceBytes(plan, device);
  const predictor = await Predictor.create(plan, buildNetworks(plan));
  const image = new Float32Array(plan.data.roi.reduce((a, b) => a * b, 1));
  for (const n of [1, predictor.most - 1, predictor.most]) await predictor.run(Array.from({ length: n }, () => image));
  const { peak } = device.memory();
  predictor.dispose();
  expect(peak).toBeLessThanOrEqual(told);
  expect(peak).toBeGreaterThan(told / 2);
});
