// SPDX-License-Identifier: MIT
// Indices out of range: an error where the host knows them, NaN or nothing where the device computes them, a name with `debug`.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IndexError, ShapeError } from '../../src/errors.ts';
import { backward } from '../../src/engine/autograd.ts';
import { spec, type DType } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor, zeros, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { crossEntropy, nll } from '../../src/losses/classes.ts';
import { oneHotOf, segLoss } from '../../src/losses/segmentation.ts';
import { edgeConvGather } from '../../src/ops/edge_conv.ts';
import { embedding, gather, gatherRows, indexSelect, scatterAdd } from '../../src/ops/gather.ts';
import { oneHot } from '../../src/ops/one_hot.ts';
import { cast, mulScalar } from '../../src/ops/pointwise.ts';
import { putRows } from '../../src/ops/put_rows.ts';
import { argmax, argmin, sum } from '../../src/ops/reduce.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { count } from './check.ts';

const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];
const host = (list: number[], dtype: DType = 'u32', shape = [list.length]): Tensor => tensor(list, { shape, dtype });
/** The same indices, made by the device: the host does not know them. */
const made = (list: number[], dtype: DType = 'u32', shape = [list.length]): Tensor => mulScalar(tensor(list, { shape, dtype }), 1);

/** Every op that takes indices, 0 to 3 of which are in range; [4, 2] tables. */
const OPS: Readonly<Record<string, (index: Tensor) => Tensor>> = {
  gather: (i) => gather(count([4, 2]), reshape(i, [i.size / 2, 2]), { axis: 0 }),
  index_select: (i) => indexSelect(count([4, 2]), i),
  gather_rows: (i) => gatherRows(count([1, 4, 2]), reshape(i, [1, i.size])),
  embedding: (i) => embedding(i, count([4, 2])),
  scatter_add: (i) => scatterAdd(count([i.size]), i, { axis: 0, size: 4 }),
  one_hot: (i) => oneHot(i, { classes: 4 }),
  edge_conv_gather: (i) => edgeConvGather(count([1, 4, 2]), zeros([1, i.size, 2]), reshape(i, [1, i.size, 1])),
  put_rows: (i) => {
    const table = zeros([4, 2]);
    putRows(table, count([i.size, 2]), i);
    return table;
  },
};
const signed = (name: string): DType[] => (name === 'put_rows' ? ['u32'] : ['u32', 'i32']);

describe('indices', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice();
  });
  afterAll(() => device.close());

  it.each(Object.entries(OPS))('%s: those of the host are checked before anything runs', async (name, call) => {
    for (const dtype of signed(name)) {
      await values(call(host([3, 0, 1, 2], dtype)));
      expect(() => call(host([3, 0, 1, 4], dtype))).toThrow(new IndexError(`${name}: got index 4, expected 0 to 3.`));
      expect(() => call(host([3, 0xffffffff, 1, 2]))).toThrow(IndexError);
    }
    if (name !== 'put_rows') expect(() => call(host([3, 0, -1, 2], 'i32'))).toThrow(/got index -1, expected 0 to 3/);
  });

  it.each(Object.entries(OPS).filter(([name]) => name !== 'put_rows'))(
    '%s: a program checks its feeds and constants before every run',
    async (name, call) => {
      const constant = host([0, 1, 2, 3]);
      using fed = await compile(({ i }) => ({ y: call(i) }), { i: spec([4], 'u32') });
      using fixed = await compile(() => ({ y: call(constant) }), {});
      const right = await values(fed.run({ i: Uint32Array.of(0, 1, 2, 3) }).y);
      expect(() => fed.run({ i: Uint32Array.of(0, 1, 9, 3) })).toThrow(new RegExp(`^${name}#\\d+: got index 9`));
      expect(() => fed.run({ i: host([4, 0, 0, 0]) })).toThrow(IndexError); // a tensor that the host wrote
      expect(await values(fed.run({ i: Uint32Array.of(0, 1, 2, 3) }).y)).toEqual(right);
      expect(await values(fixed.run().y)).toEqual(right);
      constant.write(Uint32Array.of(0, 1, 2, 4));
      expect(() => fixed.run()).toThrow(IndexError);
      expect(() => evaluate(() => call(constant))).toThrow(IndexError);
      fed.run({ i: made([4, 0, 0, 0]) }); // what the device made is not known
    },
  );

  it('what the device or others may have written since is not held against them', async () => {
    const index = host([9, 9]);
    putRows(index, host([1, 0]), host([0, 1]));
    expect(await values(indexSelect(count([4]), index))).toEqual([1, 0]);
    const lent = host([9]);
    device.gpu.queue.writeBuffer(lent.buffer.buffer, lent.buffer.offset, Uint32Array.of(2));
    expect(await values(indexSelect(count([4]), lent))).toEqual([2]);
    using program = await compile(() => {
      putRows(index, host([3, 2]), host([0, 1]));
      return { y: indexSelect(count([4]), index) };
    }, {});
    index.write(Uint32Array.of(7, 7));
    expect(await values(program.run().y)).toEqual([3, 2]);
  });

  it.each<DType>(['u32', 'i32'])('of %s that the device makes give NaN, and touch no other row', async (dtype) => {
    const wrong = dtype === 'u32' ? 2 ** 31 : -1;
    const index = made([1, wrong, 4, 0], dtype);
    expect(await values(gather(count([4, 2]), reshape(index, [2, 2]), { axis: 0 }))).toEqual([2, NaN, NaN, 1]);
    expect(await values(indexSelect(count([4, 4]), index))).toEqual([4, 5, 6, 7, ...new Array(8).fill(NaN), 0, 1, 2, 3]);
    expect(await values(gatherRows(count([2, 2, 1]), reshape(index, [2, 2])))).toEqual([1, NaN, NaN, 2]);
    expect(await values(indexSelect(count([4], 'u32'), index))).toEqual([1, 0, 0, 0]);
    expect(await values(indexSelect(cast(count([4, 2]), 'f16'), index))).toEqual([
      0x4000, 0x4200, 0x7e00, 0x7e00, 0x7e00, 0x7e00, 0, 0x3c00,
    ]);
    expect(await values(scatterAdd(tensor([1, 2, 4, 8]), index, { axis: 0, size: 4 }))).toEqual([8, 1, 0, 0]);
    expect(await values(oneHot(index, { classes: 2 }))).toEqual([0, 1, NaN, NaN, NaN, NaN, 1, 0]);
    expect(await values(oneHot(index, { classes: 2, dtype: 'u32' }))).toEqual([0, 1, 0, 0, 0, 0, 1, 0]);
    expect(await values(edgeConvGather(count([2, 2, 1]), zeros([2, 1, 1]), reshape(index, [2, 1, 2])))).toEqual([1, NaN, NaN, 2]);
    const table = count([4, 2]);
    const grads = evaluate(() => backward(sum(indexSelect(table, index)), [table]).get(table)!);
    expect(await values(grads)).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
  });

  it('put_rows writes past no end', async () => {
    const table = zeros([3, 2]);
    putRows(table, tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] }), made([2 ** 31, 3, 1])); // 2^31 rows of 2 are 0 in 32 bits
    expect(await values(table)).toEqual([0, 0, 5, 6, 0, 0]);
  });

  it('a label that is no class makes the loss NaN', async () => {
    const logits = count([1, 1, 2, 2]);
    const loss = (labels: number[]): Promise<number> =>
      segLoss(logits, oneHotOf(tensor(labels, { shape: [1, 1, 2] }), 2), tensor([1, 1], { shape: [1, 1, 2] })).item();
    expect(await loss([0, 1])).toBeGreaterThan(0);
    for (const label of [5, 2, -1, 0.5, NaN, Infinity]) expect(await loss([0, label]), String(label)).toBeNaN();
  });

  it('a class that is none is named, also where another index is ignored', async () => {
    const logits = count([2, 3]);
    for (const [labels, named] of [
      [[0, 3], 'got class 3, expected 0 to 2, or -100 to be ignored'],
      [[-1, 2], 'got class -1'],
      [[-100, 7], 'got class 7'],
    ] as const) {
      const target = tensor([...labels], { shape: [2], dtype: 'i32' });
      expect(() => crossEntropy(logits, target)).toThrow(named);
      expect(() => nll(logits, target)).toThrow(IndexError);
      expect(await crossEntropy(logits, mulScalar(target, 1)).item()).toBeNaN();
    }
    expect(await crossEntropy(logits, tensor([-100, 1], { shape: [2], dtype: 'i32' })).item()).toBeGreaterThan(0);
    expect(await crossEntropy(logits, tensor([-1, 1], { shape: [2], dtype: 'i32' }), { ignoreIndex: -1 }).item()).toBeGreaterThan(0);
  });

  it('of nothing there is no argmax', () => {
    for (const arg of [argmax, argmin]) expect(() => arg(zeros([3, 0]), { axis: 1 })).toThrow(ShapeError);
  });
});

describe('a device opened with debug', () => {
  it('names the op that met an index out of range, at the next reading', async () => {
    const device = await openDevice({ debug: ['indices'] });
    try {
      for (const [name, call] of Object.entries(OPS)) {
        await values(call(made([0, 1, 2, 3])));
        await expect(values(call(made([0, 1, 7, 3])))).rejects.toThrow(new IndexError(`${name}: got index 7 at place 2, expected 0 to 3.`));
      }
      await expect(values(indexSelect(count([4]), made([-2], 'i32')))).rejects.toThrow(
        /index_select: got index 4294967294 \(or -2\) at place 0/,
      );
      using program = await compile(({ i }) => ({ y: embedding(cast(i, 'u32'), count([4, 2])) }), { i: spec([3]) });
      program.run({ i: Float32Array.of(1, 2, 3) });
      await device.sync();
      program.run({ i: Float32Array.of(1, 4, 5) });
      await expect(device.sync()).rejects.toThrow(/^embedding#\d+: got index 4 at place 1, expected 0 to 3\.$/);
      await device.sync(); // told once
    } finally {
      device.close();
    }
  });
});
