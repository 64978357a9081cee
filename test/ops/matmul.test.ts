// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromF16, numel } from '../../src/engine/dtype.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { linear, matmul } from '../../src/ops/matmul.ts';
import { half, nmse, noise, rounded } from '../kernels/harness.ts';
import { gradcheck } from './gradcheck.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** float64 product over broadcast batches. */
function reference(a: ArrayLike<number>, as: number[], b: ArrayLike<number>, bs: number[], transA = false, transB = false): number[] {
  const [ar, ac] = as.slice(-2),
    [br, bc] = bs.slice(-2);
  const [m, k] = transA ? [ac, ar] : [ar, ac];
  const n = transB ? br : bc;
  const rank = Math.max(as.length, bs.length) - 2;
  const pad = (s: number[]) => [...Array<number>(rank - s.length + 2).fill(1), ...s.slice(0, -2)];
  const [pa, pb] = [pad(as), pad(bs)];
  const batch = pa.map((d, i) => Math.max(d, pb[i]));
  const out: number[] = [];
  for (let i = 0; i < numel(batch); i++) {
    let rest = i,
      ia = 0,
      ib = 0,
      sa = 1,
      sb = 1;
    for (let d = rank - 1; d >= 0; d--) {
      const at = rest % batch[d];
      rest = (rest - at) / batch[d];
      if (pa[d] > 1) ia += at * sa;
      if (pb[d] > 1) ib += at * sb;
      sa *= pa[d];
      sb *= pb[d];
    }
    for (let r = 0; r < m; r++)
      for (let c = 0; c < n; c++) {
        let s = 0;
        for (let j = 0; j < k; j++)
          s += a[ia * m * k + (transA ? j * m + r : r * k + j)] * b[ib * k * n + (transB ? c * k + j : j * n + c)];
        out.push(s);
      }
  }
  return out;
}

describe('matmul', () => {
  it.each([
    [
      [1, 1],
      [1, 1],
    ],
    [
      [7, 63],
      [63, 65],
    ],
    [
      [65, 7],
      [7, 1],
    ],
    [
      [63, 65],
      [65, 3],
    ],
    [
      [5, 64],
      [64, 40],
    ],
    [
      [100, 32],
      [32, 16],
    ],
    [
      [3, 5, 9],
      [9, 17],
    ],
    [
      [3, 5, 9],
      [3, 9, 17],
    ],
    [
      [2, 3, 5, 8],
      [3, 8, 9],
    ],
    [
      [2, 1, 5, 8],
      [3, 8, 9],
    ],
    [
      [4, 33, 2],
      [4, 2, 1],
    ],
    [
      [8, 700],
      [700, 8],
    ],
  ])('of %j and %j, every transpose', async (as, bs) => {
    const swap = (s: number[]) => [...s.slice(0, -2), s.at(-1)!, s.at(-2)!];
    for (const transA of [false, true])
      for (const transB of [false, true]) {
        const [sa, sb] = [transA ? swap(as) : as, transB ? swap(bs) : bs];
        const [a, b] = [noise(numel(sa), 1), noise(numel(sb), 2)];
        const y = matmul(tensor(a, { shape: sa }), tensor(b, { shape: sb }), { transA, transB });
        expect(nmse(await y.data(), reference(a, sa, b, sb, transA, transB))).toBeLessThan(1e-11);
      }
  });

  it('adds a bias and applies an activation', async () => {
    const [a, b, bias] = [noise(20 * 9, 1), noise(9 * 33, 2), noise(33, 3)];
    const pre = reference(a, [20, 9], b, [9, 33]).map((v, i) => v + bias[i % 33]);
    const run = (activation: 'none' | 'relu' | 'sigmoid' | 'silu') =>
      matmul(tensor(a, { shape: [20, 9] }), tensor(b, { shape: [9, 33] }), { bias: tensor(bias), activation }).data();
    const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
    expect(nmse(await run('none'), pre)).toBeLessThan(1e-11);
    expect(
      nmse(
        await run('relu'),
        pre.map((v) => Math.max(v, 0)),
      ),
    ).toBeLessThan(1e-11);
    expect(nmse(await run('sigmoid'), pre.map(sigmoid))).toBeLessThan(1e-11);
    expect(
      nmse(
        await run('silu'),
        pre.map((v) => v * sigmoid(v)),
      ),
    ).toBeLessThan(1e-11);
  });

  it('splits long reductions', async () => {
    const [a, b] = [noise(20000 * 9, 1), noise(20000 * 12, 2)];
    const long = matmul(tensor(a, { shape: [20000, 9] }), tensor(b, { shape: [20000, 12] }), { transA: true });
    expect(nmse(await long.data(), reference(a, [20000, 9], b, [20000, 12], true))).toBeLessThan(1e-10);
  });

  it('takes f16', async (context) => {
    if (!device.caps.f16) context.skip('the adapter has no shader-f16');
    const [ha, hb] = [noise(17 * 40, 1), noise(40 * 9, 2)];
    const y = await matmul(tensor(half(ha), { shape: [17, 40], dtype: 'f16' }), tensor(half(hb), { shape: [40, 9], dtype: 'f16' })).data();
    expect(nmse(Array.from(y, fromF16), reference(rounded(ha), [17, 40], rounded(hb), [40, 9]))).toBeLessThan(1e-6);
  });

  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('has gradients (transA %s, transB %s)', async (transA, transB) => {
    for (const [as, bs] of [
      [
        [2, 4, 5],
        [2, 5, 3],
      ],
      [
        [2, 4, 5],
        [5, 3],
      ],
    ]) {
      const sa = transA ? [2, 5, 4] : as,
        sb = transB ? [...bs.slice(0, -2), 3, 5] : bs;
      expect(
        await gradcheck(([x, y]) => matmul(x, y, { transA, transB }), [noise(numel(sa), 1), noise(numel(sb), 2)], [sa, sb]),
      ).toBeLessThan(1e-3);
    }
  });

  it.each(['none', 'gelu', 'sigmoid', 'silu'] as const)('linear with bias has gradients (%s)', async (activation) => {
    expect(
      await gradcheck(
        ([x, w, b]) => linear(x, w, { bias: b, activation }),
        [noise(2 * 3 * 6, 1), noise(5 * 6, 2), noise(5, 3)],
        [[2, 3, 6], [5, 6], [5]],
      ),
    ).toBeLessThan(1e-3);
  });

  it('says what does not fit', () => {
    const t = (shape: number[]) => tensor(new Float32Array(numel(shape)), { shape });
    expect(() => matmul(t([3, 4]), t([5, 6]))).toThrow(/got inner sizes 4 and 5/);
    expect(() => linear(t([3, 4]), t([6, 5]))).toThrow('weight [6,5] expects 5 input features, got 4');
  });
});
