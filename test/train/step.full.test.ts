// SPDX-License-Identifier: MIT
// The full step's share of step.test.ts that takes minutes on a busy software adapter: six programs are traced and frozen for every row.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { ablated, iterations, PARTS, stepPlan } from './phantom_step.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it('a run is a function of its seed', async () => {
  const plan = stepPlan('full');
  plan.method.sam.clicks = 3;
  expect(await iterations(plan, 2)).toEqual(await iterations(plan, 2));
});

describe('ablations, two iterations each', () => {
  it.each(PARTS)('without %s', (part) => ablated(stepPlan('full'), part));
});
