// SPDX-License-Identifier: MIT
// Specification E.12 in short: one seed to iteration 120. Three seeds to 240 are in toy.full.test.ts.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { toyRun } from './toy.ts';

let device: Device;
beforeAll(async () => { device = await openDevice(); });
afterAll(() => device.close());

it('mean Dice of unseen noisy ellipses is at least 0.65 at iteration 120', async () => {
  const { dice: [dice], seconds } = await toyRun(0, [120]);
  console.log(`seed 0: Dice ${dice!.toFixed(3)} in ${seconds.toFixed(0)} s`);
  expect(dice).toBeGreaterThanOrEqual(0.65);
});
