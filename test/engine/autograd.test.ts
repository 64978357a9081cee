// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { backward } from '../../src/engine/autograd.ts';
import { spec } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { named, noGrad } from '../../src/engine/trace.ts';
import { MissingGradientError, ShapeError, VoxelgradError } from '../../src/errors.ts';
import { add, ceil, detach, floor, greater, mul, square, where } from '../../src/ops/pointwise.ts';
import { putRows } from '../../src/ops/put_rows.ts';
import { sum } from '../../src/ops/reduce.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const grad = (f: (x: Tensor) => Tensor, values: number[]): Promise<ArrayLike<number>> => {
  const x = tensor(values);
  return evaluate(() => ({ g: backward(sum(f(x)), [x]).get(x)! })).g.data();
};

it('names every op on the way that has no gradient, and none beside it', async () => {
  const step = ({ x }: { x: Tensor }): Tensor => {
    const y = add(
      named('encoder.first', () => floor(x)),
      named('encoder.second', () => ceil(square(x))),
    );
    void floor(square(x)); // not on the way
    void backward(sum(y), [x]);
    return y;
  };
  const error = await compile(step, { x: spec([3]) }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(MissingGradientError);
  const { message, hint } = error as MissingGradientError;
  expect(message).toMatch(/floor#0 encoder\.first/);
  expect(message).toMatch(/ceil#2 encoder\.second/);
  expect(message.match(/floor/g)).toHaveLength(1);
  expect(hint).toMatch(/noGrad/);
});

it('names an op that hands values on by overwriting memory', () => {
  const [w, index] = [tensor([2, 3], { shape: [1, 2] }), tensor(Uint32Array.of(1), { dtype: 'u32' })];
  const loss = (write: (table: Tensor) => void) =>
    evaluate(() => {
      const table = tensor([1, 1, 1, 1], { shape: [2, 2] });
      write(table);
      return backward(sum(mul(table, sum(w))), [w]).get(w)!;
    });
  expect(() => loss((table) => putRows(table, square(w), index))).toThrow(/no gradient for put_rows#/);
  expect(loss((table) => noGrad(() => putRows(table, square(w), index))).shape).toEqual([1, 2]);
});

it('takes a detached way as constant', async () => {
  expect([
    ...((await grad(
      (x) =>
        mul(
          x,
          noGrad(() => floor(x)),
        ),
      [1.5, 2.5],
    )) as Float32Array),
  ]).toEqual([1, 2]);
});

it('takes masks as constant', async () => {
  expect([...((await grad((x) => where(greater(x, tensor([0, 0])), square(x), x), [-3, 3])) as Float32Array)]).toEqual([1, 6]);
});

it('adds up the gradients of a tensor used often', async () => {
  expect([...((await grad((x) => add(add(square(x), x), mul(x, x)), [2])) as Float32Array)]).toEqual([9]);
});

it('has no gradient for what the loss does not depend on', () => {
  const [x, y] = [tensor([1]), tensor([2])];
  evaluate(() => {
    const grads = backward(sum(square(x)), [x, y]);
    expect([...grads.keys()]).toEqual([x]);
    return grads.get(x)!;
  });
});

it('refuses a loss of several elements, and a call outside of a step', () => {
  const x = tensor([1, 2]);
  expect(() => evaluate(() => backward(square(x), [x]).get(x)!)).toThrow(ShapeError);
  expect(() => backward(x, [x])).toThrow(VoxelgradError);
});

it('refuses a loss made from gradients, unless they are taken as constants', async () => {
  const x = tensor([3]);
  const twice = (use: (g: Tensor) => Tensor): Tensor => {
    const g = backward(sum(mul(square(x), x)), [x]).get(x)!;
    return backward(sum(mul(use(g), x)), [x]).get(x)!;
  };
  expect(() => evaluate(() => twice((g) => g))).toThrow(MissingGradientError);
  expect(() => evaluate(() => twice((g) => g))).toThrow(/grad\(.*gradients of gradients are not built/);
  expect(await evaluate(() => twice((g) => noGrad(() => square(g)))).item()).toBe(27 * 27);
  expect(await evaluate(() => twice(detach)).item()).toBe(27);
});
