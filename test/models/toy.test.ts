// SPDX-License-Identifier: MIT
// Specification E.12 in short: one seed, its bound of iteration 120 at iteration 60 already. Three seeds to 240 are in toy.full.test.ts.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { toyRun } from './toy.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it('mean Dice of unseen noisy ellipses is at least 0.65 at iteration 60', async () => {
  const {
    dice: [dice],
    seconds,
  } = await toyRun(0, [60]);
  console.log(`seed 0: Dice ${dice.toFixed(3)} in ${seconds.toFixed(0)} s`);
  expect(dice).toBeGreaterThanOrEqual(0.65);
});
