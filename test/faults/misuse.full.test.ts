// SPDX-License-Identifier: MIT
// The campaign of wrong arguments (misuse.ts) by the thousand.
import fc from 'fast-check';
import { afterAll, beforeAll, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { misuse, tryMisuse } from './misuse.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it(
  'wrong arguments work or throw a typed error, and leave nothing behind',
  () =>
    fc.assert(
      fc.asyncProperty(misuse, (m) => tryMisuse(device, m)),
      { seed: 20261128, numRuns: 20_000 },
    ),
  1_200_000,
);
