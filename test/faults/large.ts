// SPDX-License-Identifier: MIT
// Tensors of a little more than 2^24 elements, every one told from its neighbours, and a few places to look at.
import { afterAll, beforeAll } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { fromF16 } from '../../src/engine/dtype.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';

export const ROWS = 2 ** 14 + 1;
export const N = ROWS * 1024; // 2^24 + 1024
let device: Device;
/** u32: element i is i. */
export let counted: Tensor;
/** f32: element i is i % 251, exact in every arithmetic. */
export let waves: Tensor;
beforeAll(async () => {
  device = await openDevice();
  counted = tensor(
    Uint32Array.from({ length: N }, (_, i) => i),
    { dtype: 'u32' },
  );
  waves = tensor(Float32Array.from({ length: N }, (_, i) => i % 251));
});
afterAll(() => device.close());

export const PLACES = [0, 1, 2 ** 16 + 1, 2 ** 22 * 3 + 5, 2 ** 24 - 1, 2 ** 24, 2 ** 24 + 1, N - 1025, N - 1];
/** Values at these places, read one by one. */
export async function look(y: Tensor, places: readonly number[] = PLACES): Promise<number[]> {
  const half = y.dtype === 'f16';
  const words = await Promise.all(
    places.map((i) => device.read(y.storage.buffer, y.storage.offset + (half ? 4 * Math.floor(i / 2) : 4 * i), 4)),
  );
  return words.map((b, k) =>
    half ? fromF16(new Uint16Array(b)[places[k] % 2]) : y.dtype === 'f32' ? new Float32Array(b)[0] : new Uint32Array(b)[0],
  );
}
/** The same; y is given back. */
export async function at(y: Tensor, places?: readonly number[]): Promise<number[]> {
  return look(y, places).finally(() => {
    y.dispose();
  });
}
