// SPDX-License-Identifier: MIT
// Every tile that bench/candidates.mjs measures computes the same product: compiling them all takes a software adapter a minute or two.
import { expect, it } from 'vitest';
import type { DType } from '../../src/engine/dtype.ts';
import { contenders, everyTile, tileName } from '../../src/ops/gemm.ts';
import { capsHere, expectSameProduct } from './same_product.ts';

async function everyOne(dtype: DType): Promise<void> {
  const caps = await capsHere();
  const tiles = everyTile(caps, dtype);
  const names = tiles.map(tileName);
  expect(names).toEqual(expect.arrayContaining(contenders(caps, dtype, 37, 50, 1).map(tileName)));
  expect(new Set(names).size).toBe(names.length);
  await expectSameProduct(tiles, dtype);
}

it('f32', () => everyOne('f32'));

it('f16', async (context) => {
  if (!(await capsHere()).f16) context.skip('the adapter has no shader-f16');
  await everyOne('f16');
});
