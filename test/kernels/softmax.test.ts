// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { softmax_cols, softmax_cols_dx, softmax_rows, softmax_rows_dx } from '../../src/gen/softmax.ts';
import { fold, half, nmse, noise, rounded, run } from './harness.ts';

/** float64 softmax or log_softmax of [outer, n, inner], and the gradient for dy. */
function reference(x: ArrayLike<number>, dy: ArrayLike<number>, [outer, n, inner]: number[], log: boolean) {
  const y = new Array<number>(x.length),
    dx = new Array<number>(x.length);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      const at = (r: number) => (o * n + r) * inner + i;
      const all = [...Array(n).keys()];
      const m = Math.max(...all.map((r) => x[at(r)]));
      const total = all.reduce((s, r) => s + Math.exp(x[at(r)] - m), 0);
      const p = all.map((r) => Math.exp(x[at(r)] - m) / total);
      const dot = all.reduce((s, r) => s + dy[at(r)] * (log ? 1 : p[r]), 0);
      for (const r of all) {
        y[at(r)] = log ? x[at(r)] - m - Math.log(total) : p[r];
        dx[at(r)] = log ? dy[at(r)] - p[r] * dot : p[r] * (dy[at(r)] - dot);
      }
    }
  return { y, dx };
}

const SIZES: [string, number[], { WG: number; LANES: number }][] = [
  ['f32', [5, 63, 1], { WG: 8, LANES: 8 }],
  ['f32', [33, 7, 1], { WG: 32, LANES: 2 }],
  ['f32', [3, 1, 1], { WG: 8, LANES: 1 }],
  ['vec4<f32>', [9, 64, 1], { WG: 16, LANES: 4 }],
  ['vec4<f16>', [9, 36, 1], { WG: 8, LANES: 8 }],
  ['f16', [3, 65, 1], { WG: 8, LANES: 4 }],
  ['f32', [2, 17, 3], { WG: 8, LANES: 1 }],
  ['vec4<f32>', [3, 10, 8], { WG: 8, LANES: 1 }],
  ['f16', [1, 32, 5], { WG: 8, LANES: 1 }],
];

describe.each([false, true])('softmax, log %s', (log) => {
  it.each(SIZES)('%s %j %j', async (V, shape, lanes) => {
    const [outer, n, inner] = shape;
    const count = outer * n * inner;
    const f16 = V.includes('f16');
    const W = V.startsWith('vec4') ? 4 : 1;
    const see = f16 ? rounded : (a: Float32Array) => a;
    const store = f16 ? half : (a: Float32Array) => a;
    const fresh = f16 ? { f16: count } : { f32: count };
    const x = see(noise(count, 1, 6)),
      dy = see(noise(count, 2));
    const want = reference(x, dy, shape, log);
    const rows = inner === 1;
    const call = {
      params: rows ? { outer, n: n / W, inner } : { outer, n, inner: inner / W },
      spec: { V },
      overrides: { ...lanes, LOG: Number(log) },
      grid: fold(Math.ceil((rows ? outer * lanes.LANES : (outer * inner) / W) / lanes.WG)),
    };
    const { y } = await run(rows ? softmax_rows : softmax_cols, { ...call, buffers: { x: store(x), y: fresh } });
    expect(nmse(y, want.y)).toBeLessThan(f16 ? 2e-7 : 1e-12);
    const { dx } = await run(rows ? softmax_rows_dx : softmax_cols_dx, {
      ...call,
      buffers: { y_in: store(Float32Array.from(want.y)), dy: store(dy), dx: fresh },
    });
    expect(nmse(dx, want.dx)).toBeLessThan(f16 ? 4e-6 : 1e-12);
  });
});

it('survives large and infinite scores', async () => {
  const x = Float32Array.from([1e30, 1e30, -1e30, -Infinity]);
  const { y } = await run(softmax_rows, { buffers: { x, y: { f32: 4 } }, params: { outer: 1, n: 4, inner: 1 }, grid: [1] });
  expect([...y]).toEqual([0.5, 0.5, 0, 0]);
});
