// SPDX-License-Identifier: MIT
// Sums of partial results, up to six in one dispatch: the bits of the host's sums in f32, whatever the order of workgroups.
import { describe, expect, it } from 'vitest';
import { addUp } from '../../src/engine/sums.ts';
import { split_sum } from '../../src/gen/split_sum.ts';
import { fold, noise, run } from './harness.ts';

const WG = 8;
const SUMS = [
  { n: 13, splits: 3, first: 0, to: 4 },
  { n: 8, splits: 1, first: 5, to: 64 },
  { n: 1, splits: 9, first: 0, to: 80 },
  { n: 30, splits: 2, first: 30, to: 100 },
  { n: 7, splits: 4, first: 0, to: 20 },
  { n: 5, splits: 2, first: 1, to: 131 },
];

describe.each([undefined, 'reversed', 'interleaved'] as const)('sums of partial results, workgroups %s', (order) => {
  it.each([1, 2, 4, 6])('%s at once', async (count) => {
    const sums = SUMS.slice(0, count);
    const xs = SUMS.map(({ n, splits, first }, k) => noise(first + n * splits, k + 1));
    const want = new Float32Array(150).fill(0.5);
    sums.forEach(({ n, splits, first, to }, k) => {
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let s = 0; s < splits; s++) sum = Math.fround(sum + xs[k][first + s * n + i]);
        want[to + i] = sum;
      }
    });
    const ref = { shape: [], dtype: 'f32', role: 'scratch', index: 0 } as const;
    const { params, grid } = addUp(sums, ref, ref, WG);
    const [x0, x1, x2, x3, x4, x5] = xs.map((x, k) => (k < count ? x : xs[0]));
    const { y } = await run(split_sum, {
      buffers: { x0, x1, x2, x3, x4, x5, y: new Float32Array(150).fill(0.5) },
      params: params as never,
      grid: fold(grid[0] + 3),
      overrides: { WG },
      ...(order && { order }),
    });
    expect([...y]).toEqual([...want]);
  });
});
