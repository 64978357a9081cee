// SPDX-License-Identifier: MIT
// The campaign of wrong arguments (misuse.ts), some hundred of them, and every right call once; thousands are in misuse.full.test.ts.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { scope } from '../../src/engine/scope.ts';
import { calls, misuse, tryMisuse } from './misuse.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it.each(calls.map(([name, f, args]) => ({ name, f, args })))('$name, called right, works and keeps nothing', async ({ f, args }) => {
  const before = device.memory().live;
  scope(() => {
    f(...(args() as never[]));
  });
  await device.sync();
  expect(device.memory().live).toBe(before);
});

it(
  'wrong arguments work or throw a typed error, and leave nothing behind',
  () =>
    fc.assert(
      fc.asyncProperty(misuse, (m) => tryMisuse(device, m)),
      { seed: 20261128, numRuns: 600 },
    ),
  120_000,
);
