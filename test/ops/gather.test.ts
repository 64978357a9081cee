// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DTypeError, ShapeError } from '../../src/errors.ts';
import { numel } from '../../src/engine/dtype.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { embedding, gather, gatherRows, indexSelect, scatterAdd } from '../../src/ops/gather.ts';
import { oneHot } from '../../src/ops/one_hot.ts';
import { maxWithIndex, minWithIndex, topk } from '../../src/ops/topk.ts';
import { noise } from '../kernels/harness.ts';
import { checkGradient, checkLinear, count, flat, gradients, indices } from './check.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];
const picks = (n: number, below: number, seed = 3): number[] => [...noise(n, seed)].map((v) => Math.floor(((v + 1) / 2) * below) % below);
const indexTensor = (list: number[], shape: number[], dtype: 'u32' | 'i32' = 'u32'): Tensor => tensor(list, { shape, dtype });
const pick = (shape: readonly number[], out: readonly number[], from: (at: number[]) => number[]): number[] =>
  [...indices(out)].map((at) => flat(shape, from(at)));

describe('gather', () => {
  it.each([
    [[5, 7], [5, 3], 1],
    [[6, 4], [9, 4], 0],
    [[2, 7, 8], [2, 5, 8], 1],
    [[3, 2, 65], [3, 2, 1], 2],
    [[63], [7], 0],
  ])('elements of %j by %j along %i', async (shape, out, axis) => {
    const list = picks(numel(out), shape[axis]);
    const index = indexTensor(list, out);
    const want = pick(shape, out, (at) => at.map((v, i) => (i === axis ? list[flat(out, at)] : v)));
    expect(await values(gather(count(shape), index, { axis }))).toEqual(want);
    await checkLinear((x) => gather(x, index, { axis }), shape);
    await checkLinear((g) => scatterAdd(g, index, { axis, size: shape[axis] }), out);
  });
  it.each([
    [[5, 7], [3], 1],
    [[6, 4], [2, 3], 0],
    [[2, 7, 8], [65], 1],
    [[1, 3], [1, 1], -1],
  ])('slices of %j by %j along %i', async (shape, listShape, axis) => {
    const at = axis < 0 ? axis + shape.length : axis;
    const list = picks(numel(listShape), shape[at]);
    const index = indexTensor(list, listShape, 'i32');
    const y = indexSelect(count(shape), index, { axis });
    expect(y.shape).toEqual([...shape.slice(0, at), ...listShape, ...shape.slice(at + 1)]);
    const r = listShape.length;
    expect(await values(y)).toEqual(
      pick(shape, y.shape, (o) => [...o.slice(0, at), list[flat(listShape, o.slice(at, at + r))], ...o.slice(at + r)]),
    );
    await checkLinear((x) => indexSelect(x, index, { axis }), shape);
  });
  it.each([
    [2, 32, 8, [2, 40, 5]],
    [3, 7, 3, [3, 9]],
    [1, 1, 1, [1, 1]],
  ])('rows of %i tables [%i, %i] by %j', async (b, k, c, listShape) => {
    const list = picks(numel(listShape), k);
    const index = indexTensor(list, listShape);
    const y = gatherRows(count([b, k, c]), index);
    expect(y.shape).toEqual([...listShape, c]);
    expect(await values(y)).toEqual(pick([b, k, c], y.shape, (at) => [at[0], list[flat(listShape, at.slice(0, -1))], at.at(-1)!]));
    await checkLinear((x) => gatherRows(x, index), [b, k, c]);
  });
  it('looks words up, and counts classes', async () => {
    const index = indexTensor([3, 0, 3, 1], [2, 2]);
    expect(await values(embedding(index, count([4, 2])))).toEqual([6, 7, 0, 1, 6, 7, 2, 3]);
    await checkLinear((weight) => embedding(index, weight), [4, 65]);
    expect(await values(oneHot(index, { classes: 4 }))).toEqual([0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0]);
    expect(await values(oneHot(indexTensor([1, 0], [2], 'i32'), { classes: 2, dtype: 'u32' }))).toEqual([0, 1, 1, 0]);
    const u = tensor(Uint32Array.of(0xffffffff, 7), { dtype: 'u32' });
    expect(await values(indexSelect(u, indexTensor([1, 0, 0], [3])))).toEqual([7, 0xffffffff, 0xffffffff]);
  });
  it('refuses what does not fit', () => {
    expect(() => gather(count([2, 3]), count([3, 3], 'u32'), { axis: 1 })).toThrow(ShapeError);
    expect(() => gather(count([2, 3]), count([2, 3]), { axis: 1 })).toThrow(DTypeError);
    expect(() => gatherRows(count([2, 3]), count([2], 'u32'))).toThrow(ShapeError);
  });
});

describe('topk', () => {
  it.each([
    [[40, 32], -1, 5, false],
    [[40, 32], 1, 32, true],
    [[2, 49, 16], 1, 1, true],
    [[7, 1], 1, 1, true],
    [[5, 63], 0, 2, false],
    [[1, 65, 3], 1, 3, true],
  ])('of %j along %i, %i (largest: %s)', async (shape, axis, k, largest) => {
    const at = axis < 0 ? axis + shape.length : axis;
    const x = noise(numel(shape), 5).map((v) => Math.round(v * 6)); // many equal ones
    const y = topk(tensor(x, { shape }), k, { axis, largest });
    const out = shape.map((d, i) => (i === at ? k : d));
    const order = (o: number[]): number[] =>
      Array.from({ length: shape[at] }, (_, j) => j).sort((a, b) => {
        const [u, v] = [a, b].map(
          (j) =>
            x[
              flat(
                shape,
                o.map((p, i) => (i === at ? j : p)),
              )
            ],
        );
        return (largest ? v - u : u - v) || a - b;
      });
    const want = [...indices(out)].map((o) => order(o)[o[at]]);
    expect(await values(y.indices)).toEqual(want);
    expect(await values(y.values)).toEqual(
      [...indices(out)].map(
        (o, n) =>
          x[
            flat(
              shape,
              o.map((p, i) => (i === at ? want[n] : p)),
            )
          ],
      ),
    );
  });
  it('sends the gradient where the values came from', async () => {
    const shape = [3, 9, 2];
    const x = noise(numel(shape), 8);
    const sorted = (v: ArrayLike<number>, k: number): number[] =>
      [...indices([3, k, 2])].map(([a, j, c]) => Array.from({ length: 9 }, (_, m) => v[flat(shape, [a, m, c])]).sort((p, q) => q - p)[j]);
    await checkGradient(
      (t) => topk(t, 4, { axis: 1 }).values,
      (v) => sorted(v, 4),
      shape,
      x,
    );
    await checkGradient(
      (t) => maxWithIndex(t, { axis: 1 }).values,
      (v) => sorted(v, 1),
      shape,
      x,
    );
    const {
      grads: [g],
      w,
    } = await gradients((t) => minWithIndex(t, { axis: 0, keepDims: true }).values, [tensor([1, 2, 1, 5, 2, 1], { shape: [3, 2] })]);
    expect([...g]).toEqual([w[0], 0, 0, 0, 0, w[1]]);
    expect(() => topk(count([3]), 4)).toThrow(ShapeError);
  });
});
