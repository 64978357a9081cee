// SPDX-License-Identifier: MIT
// The smallest of the paper's three regions of interest, enlarged twice as in its preset. The others: roi.full.test.ts.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { paperShape } from './phantom_step.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it('32 x 64 x 64: one iteration at C = 32, pseudo labels of the chosen slices', async () => {
  const { gflop } = await paperShape([32, 64, 64], 'selected');
  expect(gflop).toBeLessThan(60);
});
