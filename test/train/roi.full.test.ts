// SPDX-License-Identifier: MIT
// One iteration of each of the paper's regions of interest at C = 32, 16 + 16 slices of which are trained: a look at all slices of the
// largest one alone is some 100 GFLOP, minutes on a busy software adapter.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { paperShape } from './phantom_step.ts';

// A device a row: its memory is that row's.
let device: Device;
beforeEach(async () => {
  device = await openDevice();
});
afterEach(() => device.close());

describe.each([
  ['self-collected', [48, 160, 160], 2],
  ['LUNA16', [32, 64, 64], 2],
  ['AbdomenCT-1K, five classes', [96, 96, 96], 5],
] as const)('%s: %j', (_, roi, classes) => {
  it.each(['full', 'selected'] as const)('%s', async (pseudo) => {
    const cost = await paperShape([...roi], pseudo, classes);
    console.log(roi.join(' x '), pseudo, cost);
    expect(cost.peakMiB).toBeGreaterThan(100);
  });
});
