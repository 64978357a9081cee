// SPDX-License-Identifier: MIT
// Every tile that bench/candidates.mjs measures computes the same product: compiling them all takes a software adapter a minute or two.
import { expect, it } from 'vitest';
import { fromF16, type DType } from '../../src/engine/dtype.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice } from '../../src/gpu/device.ts';
import type { Caps } from '../../src/gpu/caps.ts';
import { contenders, everyTile, shapeClass, tileName } from '../../src/ops/gemm.ts';
import { matmul } from '../../src/ops/matmul.ts';

const [m, k, n] = [37, 65, 70];
const left = Float32Array.from({ length: m * k }, (_, i) => ((i * 7) % 13) - 6);
const right = Float32Array.from({ length: k * n }, (_, i) => ((i * 5) % 11) - 5);
const expected = Float32Array.from({ length: m * n }, (_, at) => {
  let sum = 0;
  for (let i = 0; i < k; i++) sum += left[Math.floor(at / n) * k + i] * right[i * n + (at % n)];
  return sum;
});

async function capsHere(): Promise<Caps> {
  using device = await openDevice();
  return device.caps;
}

/** Small integers: exact in any order, and in f16 (below 2,048). */
async function everyOne(dtype: DType): Promise<void> {
  const caps = await capsHere();
  const names = everyTile(caps, dtype).map(tileName);
  expect(names).toEqual(expect.arrayContaining(contenders(caps, dtype).map(tileName)));
  expect(new Set(names).size).toBe(names.length);
  for (const tile of names) {
    using device = await openDevice({ tiles: () => ({ [shapeClass(dtype, m, n, 1)]: tile }) });
    expect(Object.values(device.caps.tiles), tile).toEqual([tile]);
    const y = matmul(tensor(left, { shape: [m, k], dtype }), tensor(right, { shape: [k, n], dtype }));
    const got = await y.data();
    expect(dtype === 'f16' ? Float32Array.from(got, fromF16) : got, tile).toEqual(expected);
  }
}

it('f32', () => everyOne('f32'));

it('f16', async (context) => {
  if (!(await capsHere()).f16) context.skip('the adapter has no shader-f16');
  await everyOne('f16');
});
