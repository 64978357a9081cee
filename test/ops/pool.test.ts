// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { ShapeError } from '../../src/errors.ts';
import { fromF16, numel } from '../../src/engine/dtype.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import {
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  globalAvgPool,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  maxPoolWithIndices,
  type AvgPoolOptions,
} from '../../src/ops/pool.ts';
import { mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { half, nmse, noise, rounded } from '../kernels/harness.ts';
import { checkGradient, checkLinear, flat, indices } from './check.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const MAX = [maxPool1d, maxPool2d, maxPool3d];
const AVG = [avgPool1d, avgPool2d, avgPool3d];
const per = (v: number | readonly number[] | undefined, i: number, otherwise: number): number =>
  v === undefined ? otherwise : typeof v === 'number' ? v : v[i];

/** Straight from PyTorch's documentation: every window, tap by tap. */
function reference(
  x: ArrayLike<number>,
  shape: number[],
  o: AvgPoolOptions,
  kind: 'max' | 'avg',
): { shape: number[]; values: number[]; places: number[] } {
  const sizes = shape.slice(1, -1);
  const pads = sizes.map((_, i) => {
    const p = typeof o.padding === 'object' ? o.padding[i] : (o.padding ?? 0);
    return typeof p === 'number' ? [p, p] : p;
  });
  const stride = sizes.map((_, i) => per(o.stride, i, per(o.kernel, i, 0)));
  const outs = sizes.map((n, i) => {
    const span = per(o.dilation, i, 1) * (per(o.kernel, i, 0) - 1) + 1;
    const steps = (n + pads[i][0] + pads[i][1] - span) / stride[i];
    const out = (o.ceilMode ? Math.ceil(steps) : Math.floor(steps)) + 1;
    return o.ceilMode && (out - 1) * stride[i] >= n + pads[i][0] ? out - 1 : out;
  });
  const full = [shape[0], ...outs, shape.at(-1)!];
  const kernel = sizes.map((_, i) => per(o.kernel, i, 0));
  const values: number[] = [],
    places: number[] = [];
  for (const at of indices(full)) {
    let best = -Infinity,
      place = -1,
      total = 0,
      inside = 0,
      padded = 0;
    for (const k of indices(kernel)) {
      const p = k.map((v, i) => at[i + 1] * stride[i] - pads[i][0] + v * per(o.dilation, i, 1));
      if (p.some((v, i) => v >= sizes[i] + pads[i][1])) continue;
      padded++;
      if (p.some((v, i) => v < 0 || v >= sizes[i])) continue;
      inside++;
      const v = x[flat(shape, [at[0], ...p, at.at(-1)!])];
      total += v;
      if (v > best) {
        best = v;
        place = flat(sizes, p);
      }
    }
    values.push(kind === 'max' ? best : total / (o.countIncludePad === false ? inside : padded));
    places.push(place);
  }
  return { shape: full, values, places };
}

const cases: [number[], AvgPoolOptions][] = [
  [[2, 8, 8, 4], { kernel: 2 }],
  [[1, 7, 9, 8], { kernel: 3, stride: 2, padding: 1 }],
  [[1, 63, 65, 1], { kernel: 3, stride: 2, padding: 1 }],
  [[2, 7, 6, 3], { kernel: [3, 2], stride: [1, 2], padding: [1, 0] }],
  [[1, 7, 7, 5], { kernel: 2, ceilMode: true }],
  [
    [1, 9, 8, 4],
    {
      kernel: 3,
      stride: 2,
      padding: [
        [0, 1],
        [1, 0],
      ],
    },
  ],
  [[1, 9, 11, 4], { kernel: 3, stride: 1, padding: 2, dilation: 2 }],
  [[1, 10, 10, 3], { kernel: 3, stride: 3, padding: 1, ceilMode: true }],
  [[2, 13, 3], { kernel: 4, stride: 3, padding: 2 }],
  [[1, 5, 6, 7, 4], { kernel: 3, stride: 2, padding: 1 }],
  [[1, 7, 6, 5, 3], { kernel: [2, 3, 1], stride: [2, 1, 1], dilation: [3, 1, 1] }],
  [[2, 1, 1, 4], { kernel: 1 }],
];

describe('max pool', () => {
  it.each(cases)('%j by %j', async (shape, o) => {
    const x = noise(numel(shape), 5).map((v) => Math.round(v * 8)); // many ties
    const t = tensor(x, { shape });
    const want = reference(x, shape, o, 'max');
    const { values, indices: places } = maxPoolWithIndices(t, o);
    expect(values.shape).toEqual(want.shape);
    expect([...(await values.data())]).toEqual(want.values);
    expect([...(await places.data())]).toEqual(want.places);
  });
  it.each(cases.slice(0, 12).filter(([shape]) => numel(shape) < 900))('gradient of %j by %j', async (shape, o) => {
    const x = noise(numel(shape), 6);
    await checkGradient(
      (t) => MAX[shape.length - 3](t, o),
      (v) => reference(v, shape, o, 'max').values,
      shape,
      x,
    );
  });
  it('a window of padding alone is -infinity and gives nobody a gradient', async () => {
    // PyTorch 2 on a processor gives the first window's gradient to the first value of the second sample.
    const x = tensor([-5, -6, 70, 80], { shape: [2, 2, 1] });
    const { y, g } = evaluate(() => {
      const out = maxPool1d(x, { kernel: 2, stride: 1, padding: 1, dilation: 3 });
      return { y: out, g: backward(sum(mul(out, tensor([3, 5], { shape: [2, 1, 1] }))), [x]).get(x)! };
    });
    expect([...(await y.data())]).toEqual([-Infinity, -Infinity]);
    expect([...(await g.data())]).toEqual([0, 0, 0, 0]);
  });
});

describe('average pool', () => {
  it.each(cases.flatMap((c) => [true, false].map((include) => [...c, include] as const)))(
    '%j by %j, padding counts: %s',
    async (shape, o, countIncludePad) => {
      const x = noise(numel(shape), 3);
      const pool = (t: Tensor): Tensor => AVG[shape.length - 3](t, { ...o, countIncludePad });
      const want = reference(x, shape, { ...o, countIncludePad }, 'avg');
      const y = pool(tensor(x, { shape }));
      expect(y.shape).toEqual(want.shape);
      expect(nmse(await y.data(), want.values)).toBeLessThan(1e-12);
      await checkLinear(pool, shape);
    },
  );
  it('refuses windows that do not fit', () => {
    expect(() => avgPool2d(tensor(new Float32Array(16), { shape: [1, 2, 2, 4] }), { kernel: 3 })).toThrow(ShapeError);
    expect(() => maxPool2d(tensor(new Float32Array(16), { shape: [1, 2, 2, 4] }), { kernel: 1, padding: 1 })).toThrow(ShapeError);
    expect(() => maxPool3d(tensor(new Float32Array(16), { shape: [1, 2, 2, 4] }), { kernel: 1 })).toThrow(ShapeError);
  });
});

describe('adaptive average pool', () => {
  it.each([
    [
      [2, 40, 20, 8],
      [7, 7],
    ],
    [
      [1, 5, 2, 3],
      [7, 7],
    ],
    [
      [1, 7, 63, 1],
      [3, 65],
    ],
    [
      [3, 10, 4, 4],
      [1, 1],
    ],
    [
      [1, 9, 9, 5],
      [9, 9],
    ],
    [
      [1, 5, 7, 6, 2],
      [2, 3, 7],
    ],
  ])('%j to %j', async (shape, size) => {
    const x = noise(numel(shape), 8);
    const pool = (t: Tensor): Tensor => (size.length === 2 ? adaptiveAvgPool2d : adaptiveAvgPool3d)(t, { size });
    const sizes = shape.slice(1, -1);
    const full = [shape[0], ...size, shape.at(-1)!];
    const want = [...indices(full)].map((at) => {
      const bins = size.map((n, i) => [Math.floor((at[i + 1] * sizes[i]) / n), Math.ceil(((at[i + 1] + 1) * sizes[i]) / n)]);
      let total = 0;
      for (const k of indices(bins.map(([a, b]) => b - a)))
        total += x[flat(shape, [at[0], ...k.map((v, i) => v + bins[i][0]), at.at(-1)!])];
      return total / numel(bins.map(([a, b]) => b - a));
    });
    expect(nmse(await pool(tensor(x, { shape })).data(), want)).toBeLessThan(1e-12);
    await checkLinear(pool, shape);
  });
});

it('pools halves and whole maps', async () => {
  const x = noise(2 * 6 * 6 * 4, 2);
  const h = tensor(half(x), { shape: [2, 6, 6, 4], dtype: 'f16' });
  const o = { kernel: 3, stride: 2 };
  expect(nmse(Array.from(await avgPool2d(h, o).data(), fromF16), reference(rounded(x), [2, 6, 6, 4], o, 'avg').values)).toBeLessThan(1e-6);
  expect(Array.from(await maxPool2d(h, o).data(), fromF16)).toEqual(reference(rounded(x), [2, 6, 6, 4], o, 'max').values);
  const y = evaluate(() => globalAvgPool(tensor(x, { shape: [2, 6, 6, 4] })));
  expect(y.shape).toEqual([2, 1, 1, 4]);
  expect(nmse(await y.data(), reference(x, [2, 6, 6, 4], { kernel: 6 }, 'avg').values)).toBeLessThan(1e-12);
  await checkLinear(globalAvgPool, [2, 3, 5, 7, 4]);
});
