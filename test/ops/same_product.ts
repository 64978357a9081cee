// SPDX-License-Identifier: MIT
// One product by every tile that is named: small integers, exact in any order, and in f16 (below 2,048).
import { expect } from 'vitest';
import { fromF16, type DType } from '../../src/engine/dtype.ts';
import { tensor } from '../../src/engine/tensor.ts';
import type { Caps } from '../../src/gpu/caps.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { shapeClass, tileName, type Tile } from '../../src/ops/gemm.ts';
import { matmul } from '../../src/ops/matmul.ts';

const [m, k, n] = [37, 65, 50];
const left = Float32Array.from({ length: m * k }, (_, i) => ((i * 7) % 13) - 6);
const right = Float32Array.from({ length: k * n }, (_, i) => ((i * 5) % 11) - 5);
const expected = Float32Array.from({ length: m * n }, (_, at) => {
  let sum = 0;
  for (let i = 0; i < k; i++) sum += left[Math.floor(at / n) * k + i] * right[i * n + (at % n)];
  return sum;
});

export async function capsHere(): Promise<Caps> {
  using device = await openDevice();
  return device.caps;
}

/** @throws where a tile computes something else, or is not the one that computes */
export async function expectSameProduct(tiles: readonly Tile[], dtype: DType): Promise<void> {
  for (const tile of tiles.map(tileName)) {
    using device = await openDevice({ tiles: () => ({ [shapeClass(dtype, m, n, 1)]: tile }) });
    expect(Object.values(device.caps.tiles), tile).toEqual([tile]);
    const y = matmul(tensor(left, { shape: [m, k], dtype }), tensor(right, { shape: [k, n], dtype }));
    const got = await y.data();
    expect(dtype === 'f16' ? Float32Array.from(got, fromF16) : got, tile).toEqual(expected);
  }
}
