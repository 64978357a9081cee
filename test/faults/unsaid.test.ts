// SPDX-License-Identifier: MIT
// Arguments that were once taken without a word and gave something else than was meant.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { tensor, zeros } from '../../src/engine/tensor.ts';
import * as vg from '../../src/index.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('refused by name', () => {
  const index = (n: number) => tensor(new Uint32Array(n), { shape: [n], dtype: 'u32' });
  const calls: readonly [string, () => unknown, RegExp][] = [
    [
      'fewer indices than values',
      () => vg.scatterAdd(zeros([4]), index(2), { axis: 0, size: 3 }),
      /scatterAdd: got index \[2\], expected \[4\]/,
    ],
    ['more indices than values', () => vg.scatterAdd(zeros([4]), index(9), { axis: 0, size: 3 }), /scatterAdd: got index \[9\]/],
    ['more shifts than axes', () => vg.roll(zeros([3]), { shift: [1, 2], axis: 0 }), /pad: got axes \[0\], expected lists as long/],
    ['one shift for two axes', () => vg.roll(zeros([3, 3]), { shift: 1, axis: [0, 1] }), /pad: got axes \[0,1\]/],
    [
      'one start for two axes',
      () => vg.slice(zeros([3, 3]), { axis: [0, 1], start: [1] }),
      /slice: got axes \[0,1\], expected lists as long/,
    ],
    ['two borders for one axis', () => vg.pad(zeros([3, 3]), { axes: [0], before: [1, 2] }), /pad: got axes \[0\], expected/],
    ['a name beside', () => new vg.InstanceNorm(4, { afine: true } as never), /InstanceNorm: got an option afine/],
    ['half a channel', () => new vg.InstanceNorm(4.5), /InstanceNorm: got channels 4.5/],
    ['other channels', () => new vg.InstanceNorm(4).forward(zeros([1, 3, 5])), /InstanceNorm: got \[1,3,5\], expected \[N, \.\.\., 4\]/],
    ['eps as a name beside', () => new vg.GroupNorm(2, 4, { epsilon: 1 } as never), /GroupNorm: got an option epsilon/],
    ['eps as text', () => new vg.GroupNorm(2, 4, { eps: '1e-5' as never }), /GroupNorm: got eps "1e-5"/],
    ['a response norm', () => new vg.GlobalResponseNorm(4, { ep: 1 } as never), /GlobalResponseNorm: got an option ep/],
    ['statistics of a batch', () => new vg.BatchStatisticsNorm(4, { momentum: 1 } as never), /BatchStatisticsNorm: got an option momentum/],
    ['a share as text', () => new vg.Dropout2d('0.5' as never), /Dropout2d: got p "0.5"/],
    [
      'a state as it is in PyTorch',
      () => new vg.LSTM(4, 3).initialise(0).forward(zeros([1, 2, 4]), zeros([1, 1, 3]) as never),
      /LSTM: got /,
    ],
  ];
  it.each(calls)('%s', (_, call, message) => {
    expect(call).toThrow(message);
  });
});
