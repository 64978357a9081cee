// SPDX-License-Identifier: MIT
// Tensors of a pattern against PyTorch's values, written out.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromF16 } from '../../src/engine/dtype.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { ShapeError } from '../../src/errors.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { arange, eye, linspace, ones, tril, triu } from '../../src/ops/create.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());
const values = async (t: Tensor): Promise<unknown[]> => [t.dtype, t.shape, [...(await t.data())]];

describe('made on the host', () => {
  it('arange counts up to but without its end', async () => {
    expect(await values(arange(5))).toEqual(['f32', [5], [0, 1, 2, 3, 4]]);
    expect(await values(arange(2, 8, { step: 2, dtype: 'u32' }))).toEqual(['u32', [3], [2, 4, 6]]);
    expect(await values(arange(3, -3, { step: -2, dtype: 'i32' }))).toEqual(['i32', [3], [3, 1, -1]]);
    expect(await values(arange(0, 1, { step: 0.3 }))).toEqual(['f32', [4], [0, 0.3, 0.6, 0.9].map(Math.fround)]);
    expect(await values(arange(4, 4))).toEqual(['f32', [0], []]);
    expect(() => arange(0, 5, { step: -1 })).toThrow(ShapeError);
    expect(() => arange(0, 5, { step: 0 })).toThrow('arange: got step 0');
    expect(() => arange(NaN)).toThrow(ShapeError);
    expect(() => arange(Infinity)).toThrow(ShapeError);
    expect(() => arange(1, 2, { stride: 2 } as never)).toThrow('got an option stride');
    expect(() => arange(0.5, 3, { dtype: 'i32' })).toThrow('expected integers');
  });

  it('linspace meets both ends, the middle included', async () => {
    expect(await values(linspace(-1, 1, 5))).toEqual(['f32', [5], [-1, -0.5, 0, 0.5, 1]]);
    expect(await values(linspace(3, 10, 1))).toEqual(['f32', [1], [3]]);
    expect(await values(linspace(3, 10, 0))).toEqual(['f32', [0], []]);
    const many = [...(await linspace(0.1, 0.7, 1000).data())];
    expect([many[0], many[999]]).toEqual([0.1, 0.7].map(Math.fround));
    expect(many.every((v, i) => i === 0 || v >= many[i - 1])).toBe(true);
    expect(() => linspace(0, 1, -1)).toThrow(ShapeError);
  });

  it('ones and eye', async () => {
    expect(await values(ones([2, 2], { dtype: 'i32' }))).toEqual(['i32', [2, 2], [1, 1, 1, 1]]);
    expect(await values(ones([]))).toEqual(['f32', [], [1]]);
    expect(await values(eye(2, 3))).toEqual(['f32', [2, 3], [1, 0, 0, 0, 1, 0]]);
    expect([...(await eye(3, 2, { dtype: 'f16' }).data())].map(fromF16)).toEqual([1, 0, 0, 1, 0, 0]);
    expect(await values(eye(0))).toEqual(['f32', [0, 0], []]);
    expect(() => eye(-1)).toThrow(ShapeError);
  });

  it('are constants of a step', async () => {
    expect([...(await evaluate(() => arange(3)).data())]).toEqual([0, 1, 2]);
  });
});

describe('triangles', () => {
  it('hold no NaN that lay outside of them, in any dtype', async () => {
    const x = tensor([1, NaN, Infinity, 4], { shape: [2, 2] });
    expect(await values(tril(x))).toEqual(['f32', [2, 2], [1, 0, Infinity, 4]]);
    expect(await values(triu(x, { diagonal: 1 }))).toEqual(['f32', [2, 2], [0, NaN, 0, 0]]);
    expect(await values(triu(tensor([1, 2, 3, 4], { shape: [2, 2], dtype: 'u32' }), { diagonal: -5 }))).toEqual([
      'u32',
      [2, 2],
      [1, 2, 3, 4],
    ]);
    expect(() => tril(tensor([1]))).toThrow('tril: got [1], expected at least two axes.');
  });
});
