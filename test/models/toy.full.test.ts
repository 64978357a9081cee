// SPDX-License-Identifier: MIT
// Specification E.12: the 2D network of `tiny` learns noisy ellipses as fast as the prototype did. toy.test.ts is the short form.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { toyRun } from './toy.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it.each([0, 1, 2])('seed %i: mean Dice of unseen images at least 0.65 at iteration 120 and 0.69 at 240', async (seed) => {
  const { dice, seconds } = await toyRun(seed, [120, 240]);
  console.log(`seed ${seed}: Dice ${dice.map((d) => d.toFixed(3)).join(' and ')} in ${seconds.toFixed(0)} s`);
  expect(dice[0]).toBeGreaterThanOrEqual(0.65);
  expect(dice[1]).toBeGreaterThanOrEqual(0.69);
});
