// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/errors.ts';
import { fromF16, toHost } from '../../src/engine/dtype.ts';
import { full, tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import {
  channelShuffle,
  depthToSpace,
  repeatInterleave,
  slicesToVolume,
  spaceToDepth,
  tile,
  volumeToSlices,
} from '../../src/ops/rearrange.ts';
import { fold, foldAxis, unfold, unfoldAxis, windowPartition, windowReverse } from '../../src/ops/windows.ts';
import { checkLinear, count, flat, indices } from './check.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];
const pick = (shape: readonly number[], out: readonly number[], from: (at: number[]) => number[]): number[] =>
  [...indices(out)].map((at) => {
    const f = from(at);
    return f.some((v, i) => v < 0 || v >= shape[i]) ? 0 : flat(shape, f);
  });

describe('overlapping windows', () => {
  it.each([
    [[2, 16, 8, 4], { window: 9, stride: 8, padding: 1 }],
    [[1, 8, 12, 3], { window: 5, stride: 4, padding: 1 }],
    [[2, 4, 6, 8], { window: 3, stride: 2, padding: 1 }],
    [[2, 5, 3, 4], { window: 1, stride: 1 }],
    [[1, 7, 9, 1], { window: [3, 2] as const, stride: [1, 2] as const, padding: [0, 1] as const }],
    [[1, 9, 9, 2], { window: 2, stride: 3 }],
  ])('%j by %j', async (shape, o) => {
    const two = (v: number | readonly [number, number] = 0): readonly [number, number] => (typeof v === 'number' ? [v, v] : v);
    const [k, s, p] = [two(o.window), two(o.stride), two('padding' in o ? o.padding : 0)];
    const y = unfold(count(shape), o);
    expect(y.shape.slice(3)).toEqual([...k, shape[3]]);
    expect(await values(y)).toEqual(pick(shape, y.shape, ([n, a, b, i, j, c]) => [n, a * s[0] - p[0] + i, b * s[1] - p[1] + j, c]));
    await checkLinear((x) => unfold(x, o), shape);
    await checkLinear((w) => fold(w, { size: [shape[1], shape[2]], stride: s, padding: p }), y.shape);
  });
  it('folds ones into the number of windows that overlap', async () => {
    const map = fold(unfold(full([1, 4, 4, 1], 1), { window: 3, stride: 2, padding: 1 }), { size: 4, stride: 2, padding: 1 });
    expect(await values(map)).toEqual([1, 2, 1, 1, 2, 4, 2, 2, 1, 2, 1, 1, 1, 2, 1, 1]);
    const line = foldAxis(unfoldAxis(full([1, 6, 1], 1), { axis: 1, window: 3, stride: 2, padding: 1 }), {
      axis: 1,
      size: 6,
      stride: 2,
      padding: 1,
    });
    expect(await values(line)).toEqual([1, 2, 1, 2, 1, 1]);
  });
  it.each([
    [65, 64],
    [17, 16],
    [5, 4],
    [1, 1],
  ])('along channels: window %i, stride %i (specification 4.2 d)', async (window, stride) => {
    const groups = 3,
      padding = window > 1 ? 1 : 0;
    const shape = [2, groups * stride, 5];
    const y = unfoldAxis(count(shape), { axis: 1, window, stride, padding });
    expect(y.shape).toEqual([2, groups, window, 5]);
    expect(await values(y)).toEqual(pick(shape, y.shape, ([n, g, i, c]) => [n, g * stride - padding + i, c]));
    await checkLinear((x) => unfoldAxis(x, { axis: -2, window, stride, padding }), shape);
    await checkLinear((w) => foldAxis(w, { axis: 1, size: groups * stride, stride, padding }), y.shape);
  });
  it('moves and adds halves', async () => {
    const x = tensor(
      toHost(
        'f16',
        Array.from({ length: 64 }, (_, i) => i),
      ),
      { shape: [1, 4, 4, 4], dtype: 'f16' },
    );
    const o = { stride: 2, padding: 1 };
    const y = unfold(x, { window: 3, ...o });
    expect(Array.from(await y.data(), fromF16)).toEqual(await values(unfold(count([1, 4, 4, 4]), { window: 3, ...o })));
    expect(Array.from(await fold(y, { size: 4, ...o }).data(), fromF16)).toEqual(
      await values(fold(unfold(count([1, 4, 4, 4]), { window: 3, ...o }), { size: 4, ...o })),
    );
  });
  it('refuses a window that does not fit', () => {
    expect(() => unfold(count([1, 3, 3, 1]), { window: 5, stride: 1 })).toThrow(ShapeError);
    expect(() => unfold(count([3, 3, 1]), { window: 1, stride: 1 })).toThrow(ShapeError);
  });
});

it.each([
  [[1, 5, 7, 6, 4], 3],
  [[2, 8, 8, 3], 4],
  [
    [2, 4, 5, 1],
    [2, 3],
  ],
])('tiles %j with windows %j and puts them back', async (shape, window) => {
  const x = count(shape);
  const y = windowPartition(x, { window });
  const k = shape.slice(1, -1).map((_, i) => (typeof window === 'number' ? window : window[i]));
  const cells = k.map((w, i) => Math.ceil(shape[i + 1] / w));
  expect(y.shape).toEqual([shape[0] * cells.reduce((a, b) => a * b), ...k, shape.at(-1)]);
  expect(await values(y)).toEqual(
    pick(shape, [shape[0], ...cells, ...k, shape.at(-1)!], (at) => [
      at[0],
      ...k.map((w, i) => at[1 + i] * w + at[1 + k.length + i]),
      at.at(-1)!,
    ]),
  );
  expect(await values(windowReverse(y, { window, shape }))).toEqual(await values(x));
  await checkLinear((t) => windowPartition(t, { window }), shape);
  await checkLinear((t) => windowReverse(t, { window, shape }), y.shape);
});

describe('space and depth', () => {
  it.each([
    [[2, 40, 16, 4], 8],
    [[1, 6, 10, 3], 2],
    [[1, 4, 6, 2, 3], 2],
    [[1, 9, 6, 5], 3],
    [[2, 5, 5, 8], 1],
  ])('%j, factor %i', async (shape, r) => {
    const n = shape.length - 2;
    for (const mode of ['CRD', 'DCR'] as const) {
      const y = spaceToDepth(count(shape), { factor: r, mode });
      const channels = shape.at(-1)!;
      expect(await values(y)).toEqual(
        pick(shape, y.shape, (at) => {
          const q = at.at(-1)!;
          const [c, phase] = mode === 'CRD' ? [Math.floor(q / r ** n), q % r ** n] : [q % channels, Math.floor(q / channels)];
          return [at[0], ...at.slice(1, -1).map((a, i) => a * r + (Math.floor(phase / r ** (n - 1 - i)) % r)), c];
        }),
      );
      expect(await values(depthToSpace(y, { factor: r, mode }))).toEqual(await values(count(shape)));
      if (r > 1) {
        await checkLinear((x) => spaceToDepth(x, { factor: r, mode }), shape);
        await checkLinear((x) => depthToSpace(x, { factor: r, mode }), y.shape);
      }
    }
  });
  it('refuses what does not divide', () => {
    expect(() => spaceToDepth(count([1, 5, 4, 1]), { factor: 2 })).toThrow(ShapeError);
    expect(() => depthToSpace(count([1, 2, 2, 6]), { factor: 2 })).toThrow(ShapeError);
  });
});

describe('other rearrangements', () => {
  it('shuffles channels', async () => {
    const y = channelShuffle(count([2, 3, 6]), { groups: 2 });
    expect(await values(y)).toEqual(pick([2, 3, 6], [2, 3, 6], ([a, b, c]) => [a, b, (c % 2) * 3 + Math.floor(c / 2)]));
    await checkLinear((x) => channelShuffle(x, { groups: 2 }), [2, 3, 8]);
  });
  it.each(['transverse', 'coronal', 'sagittal'] as const)('%s slices of a volume', async (plane) => {
    const shape = [2, 3, 4, 5, 2];
    const y = volumeToSlices(count(shape), { plane });
    const fixed = { transverse: 0, coronal: 1, sagittal: 2 }[plane];
    const sizes = shape.slice(1, 4);
    const rest = [0, 1, 2].filter((a) => a !== fixed);
    expect(y.shape).toEqual([2 * sizes[fixed], ...rest.map((a) => sizes[a]), 2]);
    expect(await values(y)).toEqual(
      pick(shape, y.shape, ([s, i, j, c]) => {
        const at = [0, 0, 0];
        at[fixed] = s % sizes[fixed];
        at[rest[0]] = i;
        at[rest[1]] = j;
        return [Math.floor(s / sizes[fixed]), ...at, c];
      }),
    );
    expect(await values(slicesToVolume(y, { plane, batch: 2 }))).toEqual(await values(count(shape)));
    if (plane !== 'transverse') {
      await checkLinear((x) => volumeToSlices(x, { plane }), shape);
      await checkLinear((x) => slicesToVolume(x, { plane, batch: 2 }), y.shape);
    }
  });
  it('tiles and repeats', async () => {
    expect(await values(tile(count([2, 3]), [2, 1, 2]))).toEqual([0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]);
    expect(await values(repeatInterleave(count([2, 2]), { repeats: 2, axis: 0 }))).toEqual([0, 1, 0, 1, 2, 3, 2, 3]);
    await checkLinear((x) => tile(x, [3, 1, 2]), [2, 5, 7]);
    const y = await values(tile(count([2, 1, 2, 3]), [2, 3, 2, 2])); // more repeated axes than one broadcast has
    expect(y).toEqual([...indices([4, 3, 4, 6])].map(([a, , c, d]) => flat([2, 1, 2, 3], [a % 2, 0, c % 2, d % 3])));
    await checkLinear((x) => repeatInterleave(x, { repeats: 3, axis: 1 }), [2, 5, 7]);
  });
});
