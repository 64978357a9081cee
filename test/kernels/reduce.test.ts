// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { match_cols, match_rows, reduce_cols, reduce_rows } from '../../src/gen/reduce.ts';
import { fold, half, nmse, noise, rounded, run, type Values } from './harness.ts';

const OPS = { sum: 0, max: 1, min: 2, product: 3 } as const;
type Op = keyof typeof OPS;

/** float64: x [outer, n, inner] -> [outer, parts, inner], runs of `chunk`. */
function reference(x: ArrayLike<number>, outer: number, n: number, inner: number, chunk: number, op: Op): number[] {
  const parts = Math.ceil(n / chunk);
  const out: number[] = [];
  for (let o = 0; o < outer; o++)
    for (let p = 0; p < parts; p++)
      for (let i = 0; i < inner; i++) {
        const run = [];
        for (let r = p * chunk; r < Math.min(n, (p + 1) * chunk); r++) run.push(x[(o * n + r) * inner + i]);
        out.push(
          op === 'sum'
            ? run.reduce((a, b) => a + b, 0)
            : op === 'max'
              ? Math.max(...run)
              : op === 'min'
                ? Math.min(...run)
                : run.reduce((a, b) => a * b, 1),
        );
      }
  return out;
}

describe('reduce', () => {
  for (const op of Object.keys(OPS) as Op[]) {
    for (const [outer, n, chunk, WG, LANES] of [
      [5, 63, 63, 8, 8],
      [3, 1001, 250, 16, 4],
      [9, 7, 7, 8, 1],
      [2, 64, 40, 32, 2],
    ]) {
      it(`${op} of rows [${outer}, ${n}] in runs of ${chunk}, WG ${WG}, LANES ${LANES}`, async () => {
        const x = op === 'product' ? noise(outer * n, n, 0.1, 1) : noise(outer * n, n, 3, 1);
        const parts = Math.ceil(n / chunk);
        const { y_rows } = await run(reduce_rows, {
          buffers: { x, z: x, y_rows: { f32: outer * parts } },
          params: { outer, n, inner: 1, chunk, parts, scale: 1 },
          grid: fold(Math.ceil((outer * parts * LANES) / WG)),
          overrides: { WG, LANES, OP: OPS[op] },
        });
        expect(nmse(y_rows, reference(x, outer, n, 1, chunk, op))).toBeLessThan(1e-11);
      });
    }
    for (const [outer, n, inner, chunk] of [
      [1, 65, 7, 65],
      [3, 100, 12, 33],
    ]) {
      it(`${op} of columns [${outer}, ${n}, ${inner}] in runs of ${chunk}`, async () => {
        const x = op === 'product' ? noise(outer * n * inner, n, 0.1, 1) : noise(outer * n * inner, n, 3, 1);
        const parts = Math.ceil(n / chunk);
        const { y } = await run(reduce_cols, {
          buffers: { x, z: x, y: { f32: outer * parts * inner } },
          params: { outer, n, inner, chunk, parts, scale: 1 },
          grid: fold(Math.ceil((outer * parts * inner) / 8)),
          overrides: { OP: OPS[op] },
        });
        expect(nmse(y, reference(x, outer, n, inner, chunk, op))).toBeLessThan(1e-11);
      });
    }
  }

  it('reads vectors, f16 and integers', async () => {
    const x = noise(4 * 64, 3);
    const params = { outer: 4, n: 16, inner: 1, chunk: 16, parts: 1, scale: 1 / 64 };
    const want = reference(x, 4, 64, 1, 64, 'sum').map((v) => v / 64);
    const wide = await run(reduce_rows, { buffers: { x, z: x, y_rows: { f32: 4 } }, params, grid: [4], spec: { V: 'vec4<f32>' } });
    expect(nmse(wide.y_rows, want)).toBeLessThan(1e-11);
    const halves = await run(reduce_rows, {
      buffers: { x: half(x), z: half(x), y_rows: { f32: 4 } },
      params,
      grid: [4],
      spec: { V: 'vec4<f16>' },
    });
    expect(
      nmse(
        halves.y_rows,
        reference(rounded(x), 4, 64, 1, 64, 'sum').map((v) => v / 64),
      ),
    ).toBeLessThan(1e-11);
    const cols = await run(reduce_cols, {
      buffers: { x: half(x), z: half(x), y: { f32: 64 } },
      params: { outer: 1, n: 4, inner: 16, chunk: 4, parts: 1, scale: 0.5 },
      grid: [2],
      spec: { V: 'vec4<f16>' },
    });
    expect(
      nmse(
        cols.y,
        reference(rounded(x), 1, 4, 64, 4, 'sum').map((v) => v / 2),
      ),
    ).toBeLessThan(1e-11);
    const whole = Int32Array.from(x, (v) => Math.round(v * 1e8));
    const ints = await run(reduce_rows, {
      buffers: { x: whole, z: whole, y_rows: new Int32Array(4) },
      params: { ...params, n: 64, chunk: 64 },
      grid: [4],
      spec: { V: 'i32' },
    });
    expect([...ints.y_rows]).toEqual(reference(whole, 4, 64, 1, 64, 'sum').map((v) => v | 0));
  });

  it.each([
    [0, (v: number) => v],
    [1, (v: number) => v * v],
    [2, Math.abs],
    [3, (v: number) => (v === 0 ? 0 : 1)],
    [4, (v: number) => v * (v + 1)],
  ])('maps elements first (PRE %i)', async (PRE, f) => {
    const x = noise(100, 5).map((v, i) => (i % 3 ? v : 0));
    const { y_rows } = await run(reduce_rows, {
      buffers: { x, z: x.map((v) => v + 1), y_rows: { f32: 1 } },
      params: { outer: 1, n: 100, inner: 1, chunk: 100, parts: 1, scale: 1 },
      grid: [1],
      overrides: { PRE },
    });
    expect(nmse(y_rows, [x.reduce((a, v) => a + f(v), 0)])).toBeLessThan(1e-10);
  });

  it('keeps infinities as extrema', async () => {
    const x = new Float32Array(20).fill(-Infinity);
    const params = { outer: 1, n: 20, inner: 1, chunk: 20, parts: 1, scale: 1 };
    expect((await run(reduce_rows, { buffers: { x, z: x, y_rows: { f32: 1 } }, params, grid: [1], overrides: { OP: 1 } })).y_rows[0]).toBe(
      -Infinity,
    );
  });

  it('finds the first of equal extrema', async () => {
    const x = Float32Array.from({ length: 3 * 50 }, (_, i) => [7, 3, 7, 1, 5][(i * 3) % 5]);
    const rows = [0, 1, 2].map((o) => Math.max(...x.slice(o * 50, o * 50 + 50)));
    const first = [0, 1, 2].map((o) => x.slice(o * 50, o * 50 + 50).indexOf(rows[o]));
    const index: Values | { u32: number } = { u32: 3 };
    const a = await run(match_rows, {
      buffers: { x, best: Float32Array.from(rows), index },
      params: { outer: 3, n: 50, inner: 1, chunk: 50, parts: 1, scale: 1 },
      grid: [3],
    });
    expect([...a.index]).toEqual(first);
    const cols = [0, 1, 2].map((i) => Math.max(...x.filter((_, k) => k % 3 === i)));
    const firstRow = [0, 1, 2].map((i) => x.filter((_, k) => k % 3 === i).indexOf(cols[i]));
    const b = await run(match_cols, {
      buffers: { x, best: Float32Array.from(cols), index },
      params: { outer: 1, n: 50, inner: 3, chunk: 50, parts: 1, scale: 1 },
      grid: [1],
    });
    expect([...b.index]).toEqual(firstRow);
  });
});
