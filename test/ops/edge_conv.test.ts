// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { edgeConvGather, neighbourMax } from '../../src/ops/edge_conv.ts';
import { ShapeError } from '../../src/errors.ts';
import { matchesFloat64, random } from './float64.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('edgeConvGather and neighbourMax', () => {
  const [S, M, N, K, C] = [3, 7, 13, 5, 9];
  // node 6 is read by no row, node 0 often, one row reads a node twice
  const picks = Uint32Array.from({ length: S * N * K }, (_, i) => (i % 4 === 0 ? 0 : (i * i + i) % 6));
  const gathered = ([u, v]: Float64Array[]): Float64Array =>
    Float64Array.from({ length: S * N * K * C }, (_, i) => {
      const edge = Math.floor(i / C);
      const row = Math.floor(edge / K);
      return u[(Math.floor(row / N) * M + picks[edge]) * C + (i % C)] + v[row * C + (i % C)];
    });

  it('gathers rows and adds', async () => {
    const index = tensor(picks, { shape: [S, N, K], dtype: 'u32' });
    await matchesFloat64(([u, v]) => edgeConvGather(u, v, index), gathered, [random([S, M, C], 1), random([S, N, C], 2)], { samples: 60 });
  });
  it('takes the maximum over neighbours and routes the gradient to it', async () => {
    await matchesFloat64(
      ([x]) => neighbourMax(x),
      ([x]) =>
        Float64Array.from({ length: S * N * C }, (_, i) =>
          Math.max(...Array.from({ length: K }, (_, j) => x[(Math.floor(i / C) * K + j) * C + (i % C)])),
        ),
      [random([S, N, K, C], 3)],
      { samples: 60 },
    );
    const equal = await neighbourMax(tensor([1, 1, 1, 0], { shape: [1, 4, 1] })).data();
    expect([...equal]).toEqual([1]);
  });
  it('works as an edge convolution', async () => {
    const index = tensor(picks, { shape: [S, N, K], dtype: 'u32' });
    await matchesFloat64(
      ([u, v]) => neighbourMax(edgeConvGather(u, v, index)),
      (inputs) => {
        const e = gathered(inputs);
        return Float64Array.from({ length: S * N * C }, (_, i) =>
          Math.max(...Array.from({ length: K }, (_, j) => e[(Math.floor(i / C) * K + j) * C + (i % C)])),
        );
      },
      [random([S, M, C], 4), random([S, N, C], 5)],
      { samples: 40 },
    );
  });
  it('names the shapes that do not fit', () => {
    const x = tensor(new Float32Array(8), { shape: [1, 2, 4] });
    expect(() => edgeConvGather(x, x, tensor([0, 1, 1], { shape: [1, 3, 1], dtype: 'u32' }))).toThrow(ShapeError);
  });
});
