// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { bilateralAdjacency, bilateralGraphConv } from '../../src/ops/bilateral_graph.ts';
import { ShapeError } from '../../src/errors.ts';
import { matchesFloat64, random } from './float64.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

function reference(S: number, N: number, first: number, d: number, z: Float64Array, p: Float64Array, q: Float64Array): Float64Array {
  const out = new Float64Array(S * N * d);
  const dot = (a: Float64Array, i: number, b: Float64Array, j: number): number => {
    let s = 0;
    for (let c = 0; c < d; c++) s += a[i * d + c] * b[j * d + c];
    return s;
  };
  const relation = (i: number, j: number): number => (i < first ? (j < first ? 0 : 1) : j < first ? 2 : 3);
  for (let s = 0; s < S; s++) {
    for (let i = 0; i < N; i++) {
      const e = Array.from({ length: N }, (_, j) => {
        const x = dot(p, relation(i, j), z, s * N + i) + dot(q, relation(i, j), z, s * N + j);
        return Math.exp(x > 0 ? x : 0.2 * x);
      });
      const total = e.reduce((a, b) => a + b, 0);
      for (let j = 0; j < N; j++) for (let c = 0; c < d; c++) out[(s * N + i) * d + c] += (e[j] / total) * z[(s * N + j) * d + c];
    }
  }
  return out;
}

describe('bilateralGraphConv', () => {
  it('aggregates within and between the graphs', async () => {
    await matchesFloat64(
      ([z, p, q]) => bilateralGraphConv(z, p, q),
      ([z, p, q]) => reference(3, 14, 7, 9, z, p, q),
      [random([3, 14, 9], 1), random([4, 9], 2), random([4, 9], 3)],
      { samples: 40 },
    );
  });
  it('takes graphs of different sizes', async () => {
    await matchesFloat64(
      ([z, p, q]) => bilateralGraphConv(z, p, q, { first: 1 }),
      ([z, p, q]) => reference(1, 5, 1, 3, z, p, q),
      [random([1, 5, 3], 4), random([4, 3], 5), random([4, 3], 6)],
      { samples: 40 },
    );
  });
  it('has rows that sum to 1', async () => {
    const a: Float32Array = await (bilateralAdjacency(
      ...([
        [2, 64, 128],
        [4, 128],
        [4, 128],
      ].map((shape, i) => tensor(random(shape, i).values, { shape })) as [never, never, never]),
    ).data() as Promise<Float32Array>);
    for (let row = 0; row < 128; row++)
      expect(a.slice(row * 64, row * 64 + 64).reduce((x: number, y: number) => x + y, 0)).toBeCloseTo(1, 5);
  });
  it('names the shapes that do not fit', () => {
    const z = tensor(new Float32Array(12), { shape: [1, 3, 4] });
    const p = tensor(new Float32Array(16), { shape: [4, 4] });
    expect(() => bilateralGraphConv(z, p, p)).toThrow(ShapeError);
  });
});
