// SPDX-License-Identifier: MIT
// Indices past 2^24, where f32 no longer counts, and over two dimensions of workgroups of maps.
import { expect, it } from 'vitest';
import { tensor } from '../../src/engine/tensor.ts';
import * as vg from '../../src/index.ts';
import { at, PLACES, ROWS, waves } from './large.ts';

it('convolution, pooling and resize of a large map', async () => {
  const map = vg.reshape(waves, [1, ROWS, 1024, 1]);
  const shift = tensor([0, 0, 1], { shape: [1, 1, 3, 1] }); // picks the right neighbour
  const right = (i: number): number => i % 1024 === 1023 ? 0 : (i + 1) % 251;
  expect(await at(vg.conv2d(map, shift, { padding: [0, 1] }))).toEqual(PLACES.map(right));
  const best = (i: number): number => Math.max(i % 251, right(i));
  expect(await at(vg.maxPool2d(map, { kernel: [1, 2], stride: 1, padding: [0, [0, 1]] }))).toEqual(PLACES.map(best));
  expect(await at(vg.resize(map, [ROWS, 1024], { mode: 'nearest', coordinates: 'asymmetric', scale: [1, 2] }))).toEqual(PLACES.map((i) => (i - i % 1024 + Math.floor(i % 1024 / 2)) % 251));
});
