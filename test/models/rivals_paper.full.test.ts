// SPDX-License-Identifier: MIT
// The compared networks at the sizes of `paper`, as its plans make them, against PyTorch: logits. Gradients are those of small sizes
// (rivals_golden.test.ts): here some are so sensitive that the oracle's own float32 misses them by 15 %.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { methodOf } from '../../src/methods/methods.ts';
import type { Plan } from '../../src/methods/plan.ts';
import type { Segmenter, SupervisedFields } from '../../src/methods/supervised.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { compareForward } from './rivals_golden.ts';
import { NAMES } from './rivals_names.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it.each(Object.keys(NAMES) as (keyof typeof NAMES)[])('%s', async (name) => {
  const plan = presetPlan('paper', name) as Plan<SupervisedFields<Record<string, unknown>>>;
  for (const drawn of ['dropout', 'dropPath']) if (drawn in plan.method.network) plan.method.network[drawn] = 0;
  const net = methodOf(plan).networks(plan)[name] as Segmenter;
  const { logits, f32 } = await compareForward(`${name}_paper`, net, NAMES[name]);
  if (process.env.SHOW) console.log(name, logits, f32);
  expect(logits).toBeLessThan(Math.max(1e-5, 4 * f32));
});
