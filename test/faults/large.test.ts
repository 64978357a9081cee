// SPDX-License-Identifier: MIT
// Indices past 2^24, where f32 no longer counts, and over two dimensions of workgroups: the families that compute an index.
import { expect, it } from 'vitest';
import { tensor } from '../../src/engine/tensor.ts';
import * as vg from '../../src/index.ts';
import { at, counted, N, PLACES, ROWS, waves } from './large.ts';

it('pointwise', async () => {
  expect(await at(vg.add(counted, tensor([3], { dtype: 'u32' })))).toEqual(PLACES.map((i) => i + 3));
});

it('broadcast of a row and of a column', async () => {
  const x = vg.reshape(counted, [ROWS, 1024]);
  const row = tensor(
    Uint32Array.from({ length: 1024 }, (_, i) => i),
    { dtype: 'u32' },
  );
  const column = tensor(
    Uint32Array.from({ length: ROWS }, (_, i) => 1024 * i),
    { shape: [ROWS, 1], dtype: 'u32' },
  );
  expect(await at(vg.sub(x, row))).toEqual(PLACES.map((i) => i - (i % 1024)));
  expect(await at(vg.sub(x, column))).toEqual(PLACES.map((i) => i % 1024));
});

it('permute', async () => {
  const y = vg.transpose(vg.reshape(counted, [ROWS, 1024]));
  expect(await at(y)).toEqual(PLACES.map((i) => (i % ROWS) * 1024 + Math.floor(i / ROWS)));
});

it('gather, from and to far places', async () => {
  const index = tensor(Uint32Array.from(PLACES), { dtype: 'u32' });
  expect([...(await vg.indexSelect(counted, index).data())]).toEqual(PLACES);
  const reversed = tensor(
    Uint32Array.from({ length: N }, (_, i) => N - 1 - i),
    { dtype: 'u32' },
  );
  expect(await at(vg.gather(counted, reversed, { axis: 0 }))).toEqual(PLACES.map((i) => N - 1 - i));
  reversed.dispose();
});

it('padding and flipping', async () => {
  expect(await at(vg.flip(vg.pad(counted, { before: 5 }), { axis: 0 }))).toEqual(PLACES.map((i) => N + 4 - i - 5));
});

it('cutting and joining', async () => {
  const y = vg.concat([vg.slice(counted, { axis: 0, start: 5 }), vg.slice(counted, { axis: 0, end: 5 })], { axis: 0 });
  expect(await at(y)).toEqual(PLACES.map((i) => (i + 5) % N));
});

it('matmul, with as many rows', async () => {
  expect(await at(vg.matmul(vg.reshape(waves, [N, 1]), tensor([2], { shape: [1, 1] })))).toEqual(PLACES.map((i) => 2 * (i % 251)));
});

it('rows of softmax and norms', async () => {
  const y = vg.softmax(vg.reshape(waves, [N / 4, 4]), -1);
  const expected = (i: number): number => Math.exp(i % 251) / [0, 1, 2, 3].reduce((s, k) => s + Math.exp((i - (i % 4) + k) % 251), 0);
  (await at(y)).forEach((v, k) => expect(v).toBeCloseTo(expected(PLACES[k]), 5));
  const z = vg.layerNorm(vg.reshape(waves, [ROWS, 1024]));
  const row = (i: number): number[] => Array.from({ length: 1024 }, (_, k) => (i - (i % 1024) + k) % 251);
  (await at(z)).forEach((v, k) => {
    const values = row(PLACES[k]);
    const mean = values.reduce((a, b) => a + b) / 1024;
    const sigma = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 1024);
    expect(v).toBeCloseTo(((PLACES[k] % 251) - mean) / sigma, 4);
  });
});
