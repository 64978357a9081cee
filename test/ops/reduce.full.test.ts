// SPDX-License-Identifier: MIT
// Indices past 2^24, where an f32 could no longer count.
import { expect, it } from 'vitest';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { argmax, argmin, sum } from '../../src/ops/reduce.ts';

it('argmax, argmin and integer sums of 2^24 + 11 elements', async () => {
  using device = await openDevice();
  const n = 2 ** 24 + 11;
  const x = new Float32Array(n);
  x[n - 2] = 1;
  x[n - 4] = -1;
  const t = tensor(x, { shape: [n] });
  expect(await argmax(t).item()).toBe(n - 2);
  expect(await argmin(t).item()).toBe(n - 4);
  t.dispose();
  expect(await sum(tensor(new Uint32Array(n).fill(1), { dtype: 'u32' })).item()).toBe(n);
  void device;
});
