// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/errors.ts';
import { numel, toHost } from '../../src/engine/dtype.ts';
import { evaluate } from '../../src/engine/program.ts';
import { backward } from '../../src/engine/autograd.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { concat, flip, pad, roll, slice, split, stack, type PadOptions, type SliceOptions } from '../../src/ops/layout.ts';
import { permute, transpose } from '../../src/ops/permute.ts';
import { sum } from '../../src/ops/reduce.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { checkLinear, count, flat, indices } from './check.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** The result whose element `at` is element `from(at)` of count(shape); null is `value`. */
const pick = (shape: readonly number[], out: readonly number[], from: (at: number[]) => number[] | null, value = 0): number[] =>
  [...indices(out)].map((at) => {
    const f = from(at);
    return f ? flat(shape, f) : value;
  });
const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];

describe('permute', () => {
  it.each([
    [
      [3, 5],
      [1, 0],
    ],
    [
      [2, 3, 4, 8],
      [0, 2, 1, 3],
    ],
    [
      [7, 1, 5, 3],
      [2, 1, 3, 0],
    ],
    [
      [2, 3, 4, 5, 6],
      [4, 1, 3, 0, 2],
    ],
    [
      [2, 3, 2, 4, 2, 3],
      [5, 3, 1, 4, 2, 0],
    ],
    [
      [2, 3, 2, 3, 2, 2, 2],
      [6, 4, 2, 0, 5, 3, 1],
    ],
    [
      [63, 65],
      [-1, 0],
    ],
  ])('%j by %j', async (shape, order) => {
    const full = order.map((a) => (a < 0 ? a + shape.length : a));
    const y = permute(count(shape), order);
    expect(y.shape).toEqual(full.map((a) => shape[a]));
    expect(await values(y)).toEqual(pick(shape, y.shape, (at) => shape.map((_, i) => at[full.indexOf(i)])));
    await checkLinear((x) => permute(x, order), shape);
  });
  it('only reshapes where nothing but axes of size 1 moves', async () => {
    expect(permute(count([1, 4, 1, 3]), [2, 1, 3, 0]).shape).toEqual([1, 4, 3, 1]);
    await checkLinear((x) => transpose(reshape(transpose(x), [7, 5, 9]), 0, 2), [63, 5]);
  });
  it('serves every dtype, and bits that are no numbers', async () => {
    const bits = Uint32Array.from({ length: 35 }, (_, i) => 0x7fc00000 + i * 77773);
    expect([...(await transpose(tensor(bits, { shape: [5, 7], dtype: 'u32' })).data())]).toEqual(
      pick([5, 7], [7, 5], ([i, j]) => [j, i]).map((i) => bits[i]),
    );
    const half = toHost(
      'f16',
      Array.from({ length: 96 }, (_, i) => i),
    );
    for (const shape of [
      [4, 8, 3],
      [8, 3, 4],
    ]) {
      expect([...(await permute(tensor(half, { shape, dtype: 'f16' }), [1, 0, 2]).data())]).toEqual(
        pick(shape, [shape[1], shape[0], shape[2]], ([i, j, k]) => [j, i, k]).map((i) => half[i]),
      );
    }
  });
  it('refuses what is no permutation', () => {
    expect(() => permute(count([2, 3]), [0, 0])).toThrow(ShapeError);
    expect(() => transpose(count([2, 3]), 0, 5)).toThrow(ShapeError);
  });
});

describe('slice', () => {
  it.each<[number[], SliceOptions, number[], (at: number[]) => number[]]>([
    [[7, 5], { axis: 0, start: 2, end: 6 }, [4, 5], ([i, j]) => [i + 2, j]],
    [[7, 5], { axis: -1, start: -3, end: -1 }, [7, 2], ([i, j]) => [i, j + 2]],
    [[7, 5], { axis: 1, step: -1 }, [7, 5], ([i, j]) => [i, 4 - j]],
    [[9, 4], { axis: 0, start: 7, end: 0, step: -3 }, [3, 4], ([i, j]) => [7 - 3 * i, j]],
    [[65, 3], { axis: 0, start: 1, step: 4 }, [16, 3], ([i, j]) => [1 + 4 * i, j]],
    [[3, 8, 12, 4], { axis: [1, 2], start: [2, 1], end: [7, 11], step: [1, 3] }, [3, 5, 4, 4], ([n, i, j, c]) => [n, i + 2, 1 + 3 * j, c]],
    [[4, 8], { axis: 1, start: 4, end: 100 }, [4, 4], ([i, j]) => [i, j + 4]],
    [
      [2, 3, 2, 3, 4],
      { axis: [0, 1, 2, 3, 4], start: [1, 1, 1, 1, 1], end: [2, 3, 2, 3, 3] },
      [1, 2, 1, 2, 2],
      (at) => at.map((a) => a + 1),
    ],
  ])('of %j by %j', async (shape, options, out, from) => {
    const y = slice(count(shape), options);
    expect(y.shape).toEqual(out);
    expect(await values(y)).toEqual(pick(shape, out, from));
    await checkLinear((x) => slice(x, options), shape);
  });
  it('is the tensor itself where nothing is cut, and may be empty', async () => {
    const x = count([3, 4]);
    expect(slice(x, { axis: 0, start: 0, end: 9 })).toBe(x);
    expect(slice(x, { axis: 0, start: 5 }).shape).toEqual([0, 4]);
    expect(() => slice(x, { axis: 2 })).toThrow(ShapeError);
    expect(await values(flip(x, { axis: [0, 1] }))).toEqual(pick([3, 4], [3, 4], ([i, j]) => [2 - i, 3 - j]));
    await checkLinear((t) => flip(t, { axis: [0, 2] }), [3, 5, 7]);
  });
});

describe('pad', () => {
  const reflect = (i: number, n: number): number => {
    let k = i;
    while (k < 0 || k >= n) k = k < 0 ? -k : 2 * (n - 1) - k;
    return k;
  };
  const rules = {
    constant: (i: number, n: number) => (i < 0 || i >= n ? null : i),
    replicate: (i: number, n: number) => Math.min(n - 1, Math.max(0, i)),
    reflect,
    circular: (i: number, n: number) => ((i % n) + n) % n,
  };
  const cases: [number[], PadOptions][] = [
    [[5], { before: 2, after: 3 }],
    [[2, 5, 7, 4], { axes: [1, 2], before: [1, 2], after: [3, 4] }],
    [[2, 5, 7, 3], { axes: [1, 2], before: 1 }],
    [[3, 4, 5, 6], { before: [0, 1, 0, 2], after: [1, 0, 2, 0] }],
    [[1, 8, 8, 8], { axes: [1], before: [7], after: [7] }],
    [[7, 6], { axes: [0, 1], before: [-2, 3], after: [1, -1] }],
    [[2, 2, 3, 3, 3, 2], { axes: [2, 3, 4], before: [2, 1, 0], after: [0, 1, 2] }],
  ];
  it.each(cases.flatMap((c) => (['constant', 'replicate', 'reflect', 'circular'] as const).map((mode) => [...c, mode] as const)))(
    '%j by %j, %s',
    async (shape, options, mode) => {
      const axes = options.axes ?? shape.map((_, i) => i);
      const at = (list: number | readonly number[] | undefined, axis: number): number => {
        const k = axes.indexOf(axis);
        return k < 0 || list === undefined ? 0 : typeof list === 'number' ? list : list[k];
      };
      const y = pad(count(shape), { ...options, mode, value: -1 });
      expect(y.shape).toEqual(shape.map((d, i) => d + at(options.before, i) + at(options.after, i)));
      expect(await values(y)).toEqual(
        pick(
          shape,
          y.shape,
          (o) => {
            const from = o.map((v, i) => rules[mode](v - at(options.before, i), shape[i]));
            return from.includes(null) ? null : (from as number[]);
          },
          -1,
        ),
      );
      await checkLinear((x) => pad(x, { ...options, mode }), shape);
    },
  );
  it('serves integers and halves, and refuses too much', async () => {
    expect([...(await pad(count([3], 'i32'), { before: 1, after: 1, value: -7 }).data())]).toEqual([-7, 0, 1, 2, -7]);
    const half = tensor(toHost('f16', [1, 2, 3]), { dtype: 'f16' });
    expect([...(await pad(half, { before: 1, after: 2, mode: 'replicate' }).data())]).toEqual([...toHost('f16', [1, 1, 2, 3, 3, 3])]);
    expect(() => pad(count([3]), { before: 3, mode: 'reflect' })).toThrow(ShapeError);
    expect(() => pad(count([3]), { before: -2, after: -2 })).toThrow(ShapeError);
  });
  it('rolls', async () => {
    const shape = [5, 3, 4];
    expect(await values(roll(count(shape), { shift: [2, -8], axis: [0, 2] }))).toEqual(
      pick(shape, shape, ([i, j, k]) => [(i + 3) % 5, j, (k + 8) % 4]),
    );
    await checkLinear((x) => roll(x, { shift: [2, -1], axis: [0, 2] }), shape);
  });
});

describe('concat, split and stack', () => {
  it.each([
    [
      [
        [2, 3, 4],
        [2, 5, 4],
        [2, 1, 4],
      ],
      1,
    ],
    [
      [
        [4, 3],
        [4, 5],
      ],
      -1,
    ],
    [[[7], [65], [1]], 0],
    [
      [
        [2, 8],
        [3, 8],
      ],
      0,
    ],
    [
      [
        [3, 4],
        [3, 8],
        [3, 12],
      ],
      1,
    ],
  ])('%j along %i', async (shapes, axis) => {
    const at = axis < 0 ? axis + shapes[0].length : axis;
    const parts = shapes.map((s) => count(s));
    const y = concat(parts, { axis });
    const list = await values(y);
    const owner = (k: number): [number, number] => {
      let i = 0,
        left = k;
      while (left >= shapes[i][at]) left -= shapes[i++][at];
      return [i, left];
    };
    expect(list).toEqual(
      [...indices(y.shape)].map((o) => {
        const [i, k] = owner(o[at]);
        return flat(
          shapes[i],
          o.map((v, a) => (a === at ? k : v)),
        );
      }),
    );
    const back = split(
      y,
      shapes.map((s) => s[at]),
      { axis },
    );
    for (const [i, b] of back.entries()) expect(await values(b)).toEqual(await values(parts[i]));
    await checkLinear((...xs) => concat(xs, { axis }), ...shapes);
    await checkLinear(
      (x) =>
        concat(
          [
            ...split(
              x,
              shapes.map((s) => s[at]),
              { axis },
            ),
          ].reverse(),
          { axis },
        ),
      y.shape,
    );
  });
  it('gives zeros to the parts of a split that nothing reads', async () => {
    const x = count([2, 6]);
    const { g } = evaluate(() => ({ g: backward(sum(split(x, 3, { axis: 1 })[1]), [x]).get(x)! }));
    expect(await values(g)).toEqual([0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0]);
  });
  it('stacks, and refuses what does not fit', async () => {
    const y = stack([count([2, 3]), count([2, 3])], { axis: -1 });
    expect([y.shape, await values(y)]).toEqual([
      [2, 3, 2],
      [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
    ]);
    await checkLinear((a, b) => stack([a, b], { axis: 1 }), [3, 5], [3, 5]);
    expect(() => concat([count([2, 3]), count([3, 3])], { axis: 1 })).toThrow(ShapeError);
    expect(() => split(count([5]), 2, { axis: 0 })).toThrow(ShapeError);
    expect((await split(count([5]), [0, 5], { axis: 0 })[1].data()).length).toBe(5);
  });
  it('is right past 2^24 elements', async () => {
    const n = 2 ** 24 + 5;
    const y = slice(
      tensor(
        new Uint32Array(n).map((_, i) => i),
        { shape: [n], dtype: 'u32' },
      ),
      { axis: 0, start: n - 3, step: -(2 ** 23) },
    );
    expect(await values(y)).toEqual([n - 3, n - 3 - 2 ** 23, n - 3 - 2 ** 24]);
    expect(numel(y.shape)).toBe(3);
  });
});
