// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/errors.ts';
import { fromF16, numel } from '../../src/engine/dtype.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { resize, type ResizeOptions } from '../../src/ops/resize.ts';
import { half, nmse, noise, rounded } from '../kernels/harness.ts';
import { checkLinear, flat, indices } from './check.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** Where output o looks, in float64; taps of one axis with their weights. */
function tapsOf(o: number, length: number, out: number, options: ResizeOptions): [number, number][] {
  const clamp = (v: number): number => Math.min(length - 1, Math.max(0, v));
  const half = (options.coordinates ?? (options.mode === 'nearest' ? 'asymmetric' : 'half_pixel')) === 'half_pixel';
  if (options.mode === 'nearest') {
    // exact, as a fraction over 2 out
    const [p, q] = half ? [(2 * o + 1) * length - out, 2 * out] : [o * length, out];
    const round = {
      floor: Math.floor(p / q),
      ceil: Math.ceil(p / q),
      half_up: Math.floor((2 * p + q) / (2 * q)),
      half_down: Math.ceil((2 * p - q) / (2 * q)),
    };
    return [[clamp(round[options.rounding ?? 'floor']), 1]];
  }
  const at = clamp(
    options.alignCorners ? (out === 1 ? 0 : (o * (length - 1)) / (out - 1)) : half ? ((o + 0.5) * length) / out - 0.5 : (o * length) / out,
  );
  const low = Math.floor(at);
  return [
    [low, 1 - (at - low)],
    [clamp(low + 1), at - low],
  ];
}

function reference(x: ArrayLike<number>, shape: number[], size: number[], options: ResizeOptions): number[] {
  return [...indices([shape[0], ...size, shape.at(-1)!])].map((at) => {
    const taps = size.map((n, i) => tapsOf(at[i + 1], shape[i + 1], n, options));
    let v = 0;
    for (const k of indices(taps.map((t) => t.length))) {
      v += k.reduce((p, j, i) => p * taps[i][j][1], 1) * x[flat(shape, [at[0], ...k.map((j, i) => taps[i][j][0]), at.at(-1)!])];
    }
    return v;
  });
}

const sizes: [number[], number[]][] = [
  [
    [2, 5, 5, 4],
    [20, 20],
  ],
  [
    [1, 10, 7, 3],
    [20, 14],
  ],
  [
    [1, 7, 63, 1],
    [65, 5],
  ],
  [
    [1, 1, 1, 8],
    [3, 4],
  ],
  [
    [2, 6, 8, 4],
    [6, 5],
  ],
  [
    [1, 9, 9, 2],
    [1, 1],
  ],
  [
    [1, 4, 5, 3, 4],
    [16, 7, 6],
  ],
  [
    [1, 8, 6, 7, 1],
    [4, 9, 7],
  ],
  [[2, 13, 3], [29]],
];

describe('linear', () => {
  it.each(sizes.flatMap((s) => [{}, { alignCorners: true }, { coordinates: 'asymmetric' as const }].map((o) => [...s, o] as const)))(
    '%j to %j, %j',
    async (shape, size, options) => {
      const x = noise(numel(shape), 4);
      const y = resize(tensor(x, { shape }), size, options);
      expect(y.shape).toEqual([shape[0], ...size, shape.at(-1)]);
      expect(nmse(await y.data(), reference(x, shape, size, options))).toBeLessThan(1e-11);
      await checkLinear((t) => resize(t, size, options), shape);
    },
  );
});

describe('nearest', () => {
  const rules = (['floor', 'ceil', 'half_up', 'half_down'] as const).flatMap((rounding) =>
    (['half_pixel', 'asymmetric'] as const).map((coordinates) => ({ mode: 'nearest' as const, rounding, coordinates })),
  );
  it.each(rules)('%j', async (options) => {
    for (const [shape, size] of sizes) {
      const x = noise(numel(shape), 4);
      expect([...(await resize(tensor(x, { shape }), size, options).data())]).toEqual(reference(x, shape, size, options));
    }
    await checkLinear((t) => resize(t, [20, 13], options), [1, 7, 9, 4]);
    await checkLinear((t) => resize(t, [3, 5, 4], options), [1, 7, 5, 9, 1]);
  });
});

it('takes scales, halves and nothing to do', async () => {
  const x = noise(36 * 4, 1);
  const t = tensor(x, { shape: [1, 6, 6, 4] });
  expect(resize(t, [6, 6])).toBe(t);
  // positions by the scale 0.6, not by 3 / 6
  const y = [...(await resize(t, [3, 3], { scale: [0.6, 0.6], coordinates: 'asymmetric' }).data())];
  const at = 1 / 0.6;
  const row = (i: number): number => x[flat([6, 6, 4], [0, i, 2])];
  expect(y[flat([3, 3, 4], [0, 1, 2])]).toBeCloseTo(row(1) * (2 - at) + row(2) * (at - 1), 5);
  // symmetric: the middle output looks at the middle of the input
  const m = [...(await resize(t, [3, 3], { scale: [0.6, 0.6], coordinates: 'half_pixel_symmetric' }).data())];
  expect(m[flat([3, 3, 4], [1, 1, 0])]).toBeCloseTo(
    [14, 15, 20, 21].reduce((s, p) => s + x[p * 4] / 4, 0),
    5,
  );
  const h = resize(tensor(half(x), { shape: [1, 6, 6, 4], dtype: 'f16' }), [12, 9]);
  expect(nmse(Array.from(await h.data(), fromF16), reference(rounded(x), [1, 6, 6, 4], [12, 9], {}))).toBeLessThan(1e-6);
  expect(() => resize(t, [3])).toThrow(ShapeError);
  expect(() => resize(t, [3, 0])).toThrow(ShapeError);
});
