// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromF16, numel } from '../../src/engine/dtype.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { expand } from '../../src/ops/expand.ts';
import { argmax, argmin, countNonzero, max, mean, min, prod, sum, sumAbs, sumSquares, sumTo } from '../../src/ops/reduce.ts';
import { half, nmse, noise, rounded } from '../kernels/harness.ts';
import { checkLinear } from './check.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** float64 fold over axes; result with the axes dropped. */
function fold(x: ArrayLike<number>, shape: number[], axes: number[], f: (values: number[]) => number): number[] {
  const kept = shape.map((d, i) => (axes.includes(i) ? 1 : d));
  const buckets: number[][] = Array.from({ length: numel(kept) }, () => []);
  for (let i = 0; i < numel(shape); i++) {
    let rest = i,
      to = 0,
      step = 1;
    for (let a = shape.length - 1; a >= 0; a--) {
      const at = rest % shape[a];
      rest = (rest - at) / shape[a];
      if (!axes.includes(a)) {
        to += at * step;
        step *= shape[a];
      }
    }
    buckets[to].push(x[i]);
  }
  return buckets.map(f);
}
const add = (v: number[]) => v.reduce((a, b) => a + b, 0);

describe('reductions', () => {
  it.each([
    [[5, 63], [1]],
    [[5, 63], [0]],
    [[5, 64], [0]],
    [
      [3, 4, 5, 6],
      [0, 2],
    ],
    [
      [3, 4, 5, 8],
      [1, 3],
    ],
    [
      [2, 1, 7, 3],
      [0, 1, 3],
    ],
    [
      [4, 3],
      [0, 1],
    ],
    [[7], [0]],
    [[1, 50000], [1]],
    [[40000, 3], [0]],
    [[30000, 8], [0]],
    [[2, 1, 3], [1]],
    [[3, 700, 5], [1]],
  ])('of %j over %j', async (shape, axes) => {
    const x = noise(numel(shape), 7, 2, 0.3);
    const t = tensor(x, { shape });
    const n = numel(axes.map((a) => shape[a]));
    expect(nmse(await sum(t, { axes }).data(), fold(x, shape, axes, add))).toBeLessThan(1e-11);
    expect(
      nmse(
        await mean(t, { axes }).data(),
        fold(x, shape, axes, (v) => add(v) / n),
      ),
    ).toBeLessThan(1e-11);
    expect([...(await max(t, { axes }).data())]).toEqual(fold(x, shape, axes, (v) => v.reduce((a, b) => Math.max(a, b))));
    expect([...(await min(t, { axes }).data())]).toEqual(fold(x, shape, axes, (v) => v.reduce((a, b) => Math.min(a, b))));
    expect(
      nmse(
        await sumSquares(t, { axes }).data(),
        fold(x, shape, axes, (v) => add(v.map((e) => e * e))),
      ),
    ).toBeLessThan(1e-11);
    expect(
      nmse(
        await sumAbs(t, { axes }).data(),
        fold(x, shape, axes, (v) => add(v.map(Math.abs))),
      ),
    ).toBeLessThan(1e-11);
    expect(sum(t, { axes, keepDims: true }).shape).toEqual(shape.map((d, i) => (axes.includes(i) ? 1 : d)));
  });

  it.each([
    [[5, 63], 1],
    [[5, 63], 0],
    [[3, 4, 5], 1],
    [[1, 50000], 1],
    [[20000, 2], 0],
  ])('argmax and argmin of %j along %i', async (shape, axis) => {
    const x = noise(numel(shape), 9).map((v) => Math.round(v * 50));
    const t = tensor(x, { shape });
    expect([...(await argmax(t, { axis }).data())]).toEqual(fold(x, shape, [axis], (v) => v.indexOf(v.reduce((a, b) => Math.max(a, b)))));
    expect([...(await argmin(t, { axis }).data())]).toEqual(fold(x, shape, [axis], (v) => v.indexOf(v.reduce((a, b) => Math.min(a, b)))));
  });

  it('takes f16, integers and products', async () => {
    const x = noise(7 * 12, 4);
    const h = await sum(tensor(half(x), { shape: [7, 12], dtype: 'f16' }), { axes: 1 }).data();
    expect(nmse(Array.from(h, fromF16), fold(rounded(x), [7, 12], [1], add))).toBeLessThan(1e-6);
    const u = Uint32Array.from(x, (v) => (v > 0 ? 2 ** 31 + 7 : 0));
    expect((await countNonzero(tensor(u, { dtype: 'u32' })).data())[0]).toBe(x.filter((v) => v > 0).length);
    expect((await max(tensor(u, { dtype: 'u32' })).data())[0]).toBe(2 ** 31 + 7);
    const near = noise(50, 3, 0.1, 1);
    expect(nmse(await prod(tensor(near)).data(), [near.reduce((a, b) => a * b)])).toBeLessThan(1e-11);
  });

  it('sums two million elements within f32 rounding', async () => {
    const x = noise(2_000_000, 1, 1, 10);
    const [got] = await sum(tensor(x)).data();
    expect(Math.abs(got / x.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(2e-7);
  });

  it('expand and sumTo are adjoint, sum and mean have adjoints', async () => {
    const x = noise(3 * 4, 2),
      y = noise(2 * 3 * 5 * 4, 3);
    const tx = tensor(x, { shape: [3, 1, 4] }),
      ty = tensor(y, { shape: [2, 3, 5, 4] });
    const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a, (v, i) => v * b[i]).reduce((p, q) => p + q, 0);
    const left = dot(await expand(tx, [2, 3, 5, 4]).data(), y);
    const right = dot(x, await sumTo(ty, [3, 1, 4]).data());
    expect(Math.abs(left - right)).toBeLessThan(1e-4 * Math.abs(left));
    for (const op of [sum, mean]) await checkLinear((t) => op(t, { axes: [0, 2] }), [3, 7, 5, 9]);
  });

  it('of nothing: a sum is 0, a product 1, a mean NaN, an extremum an error', async () => {
    const x = tensor([], { shape: [2, 0, 4] });
    for (const [f, want] of [
      [sum, 0],
      [sumSquares, 0],
      [prod, 1],
      [mean, NaN],
    ] as const)
      expect([...(await f(x, { axes: 1 }).data())]).toEqual(new Array(8).fill(want));
    expect(() => max(x, { axes: 1 })).toThrow('max: got no elements along axes [1] of [2,0,4], expected at least one.');
    expect(min(x, { axes: 0 }).shape).toEqual([0, 4]);
  });

  it('refuses axes that the tensor does not have', () => {
    expect(() => sum(tensor([1, 2]), { axes: 1 })).toThrow('sum: got axes [1] for [2], expected distinct axes from -1 to 0.');
    expect(() => mean(tensor([1], { dtype: 'u32' }))).toThrow('mean: got dtype u32');
  });
});
