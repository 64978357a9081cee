// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { backward } from '../../src/engine/autograd.ts';
import { evaluate } from '../../src/engine/program.ts';
import { cast, square } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { relativeAttention } from '../../src/ops/relative_attention.ts';
import { ShapeError } from '../../src/errors.ts';
import { matchesFloat64, random } from './float64.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** The sum of the specification, written out. */
function reference(
  B: number,
  grid: readonly [number, number, number],
  heads: number,
  dh: number,
  qkv: Float64Array,
  tables: readonly Float64Array[],
): Float64Array {
  const T = grid[0] * grid[1] * grid[2];
  const C = heads * dh;
  const out = new Float64Array(B * T * C);
  const at = (b: number, t: number, j: number, h: number): number => (b * T + t) * 3 * C + j * C + h * dh;
  const coordinates = (t: number): number[] => [Math.floor(t / (grid[1] * grid[2])), Math.floor(t / grid[2]) % grid[1], t % grid[2]];
  for (let b = 0; b < B; b++)
    for (let h = 0; h < heads; h++)
      for (let t = 0; t < T; t++) {
        const s = Array.from({ length: T }, (_, u) => {
          let sum = 0;
          for (let c = 0; c < dh; c++) {
            const q = qkv[at(b, t, 0, h) + c];
            sum += (q * qkv[at(b, u, 1, h) + c]) / Math.sqrt(dh);
            for (let axis = 0; axis < 3; axis++)
              sum += q * tables[axis][(coordinates(t)[axis] - coordinates(u)[axis] + grid[axis] - 1) * dh + c];
          }
          return Math.exp(sum);
        });
        const total = s.reduce((x, y) => x + y, 0);
        for (let u = 0; u < T; u++)
          for (let c = 0; c < dh; c++) out[(b * T + t) * C + h * dh + c] += (s[u] / total) * qkv[at(b, u, 2, h) + c];
      }
  return out;
}

describe('relativeAttention', () => {
  for (const grid of [
    [2, 3, 4],
    [3, 1, 5],
    [1, 1, 1],
  ] as const) {
    it(`adds the three tables on a grid of ${grid.join(' x ')}`, async () => {
      const [B, heads, dh] = [2, 2, 6];
      await matchesFloat64(
        ([x, d, h, w]) => relativeAttention(x, d, h, w, { heads }),
        ([x, ...tables]) => reference(B, grid, heads, dh, x, tables),
        [random([B, ...grid, 3 * heads * dh], 1), ...grid.map((n, i) => random([2 * n - 1, dh], 2 + i))],
        { samples: 30 },
      );
    });
  }
  it('computes in f16 storage', async (context) => {
    if (!device.caps.f16) context.skip('the adapter has no shader-f16');
    const shapes = [
      [1, 2, 3, 4, 24],
      [3, 4],
      [5, 4],
      [7, 4],
    ];
    const run = async (dtype: 'f32' | 'f16'): Promise<number[]> => {
      const inputs = shapes.map((shape, i) => tensor(random(shape, i).values, { shape, dtype })) as [Tensor, Tensor, Tensor, Tensor];
      const out = evaluate(() => {
        const y = relativeAttention(...inputs, { heads: 2 });
        const g = backward(sum(square(cast(y, 'f32'))), inputs);
        return { y: cast(y, 'f32'), dx: cast(g.get(inputs[0])!, 'f32'), dtable: cast(g.get(inputs[3])!, 'f32') };
      });
      return (await Promise.all([out.y, out.dx, out.dtable].map((t) => t.data()))).flatMap((x) => [...x]);
    };
    const [full, half] = [await run('f32'), await run('f16')];
    expect(Math.max(...full.map((x, i) => Math.abs(x - half[i])))).toBeLessThan(5e-3);
  });
  it('names the shapes that do not fit', () => {
    const make = (...shape: number[]): Tensor => tensor(new Float32Array(shape.reduce((a, b) => a * b)), { shape });
    expect(() => relativeAttention(make(1, 2, 2, 2, 12), make(3, 4), make(3, 4), make(5, 4), { heads: 1 })).toThrow(ShapeError);
  });
});
