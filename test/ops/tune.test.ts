// SPDX-License-Identifier: MIT
// Tuning on the adapter at hand: what it returns and what a program then uses. Which tile wins is not a matter of tests.
import { expect, it } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { chooseTile, contenders, tileName } from '../../src/ops/gemm.ts';
import { tuneShape } from '../../src/ops/tune.ts';
import { capsHere, expectSameProduct } from './same_product.ts';

it('compares the contenders on a shape class and leaves nothing behind', async () => {
  using device = await openDevice();
  await tuneShape('f32 16x32 2'); // pipelines
  const { live } = device.memory();
  const row = await tuneShape('f32 16x32 2');
  expect(device.memory().live).toBe(live);
  const builtIn = tileName(chooseTile(device.caps, 'f32', 16, 32, 2));
  expect(row.builtIn).toBe(builtIn);
  expect([builtIn, ...contenders(device.caps, 'f32', 16, 32, 2).map(tileName)]).toContain(row.tile);
  expect(row.ms).toBeGreaterThan(0);
  expect(row.tile === row.builtIn ? row.ms === row.builtInMs : row.ms < row.builtInMs).toBe(true);
});

it('every contender computes the same product', async () => expectSameProduct(contenders(await capsHere(), 'f32', 37, 50, 1), 'f32'));

it('compares f16 products where the adapter has them, and refuses what is no shape class', async (context) => {
  using device = await openDevice();
  await expect(tuneShape('f64 8x8 1')).rejects.toThrow('tuneShape: got "f64 8x8 1", expected a shape class like "f32 1024x64 1".');
  if (!device.caps.f16) context.skip('the adapter has no shader-f16');
  const row = await tuneShape('f16 16x32 1');
  expect([row.builtIn, ...contenders(device.caps, 'f16', 16, 32, 1).map(tileName)]).toContain(row.tile);
});
