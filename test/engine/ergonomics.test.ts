// SPDX-License-Identifier: MIT
// How tensors read and print, what types catch, and one step for several batch sizes.
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  add,
  backward,
  compile,
  compileFor,
  evaluate,
  full,
  mul,
  openDevice,
  print,
  relu,
  softmax,
  spec,
  square,
  sum,
  tensor,
  type Device,
  type Tensor,
} from '../../src/index.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());
const values = async (t: Tensor): Promise<number[]> => Array.from(await t.data());

describe('methods', () => {
  it('are the functions of their names, numbers among the operands', async () => {
    const x = tensor([
      [1, -2],
      [3, 4],
    ]);
    expect(await values(x.add(1).relu())).toEqual([2, 0, 4, 5]);
    expect(await values(x.mul(x).sub(0.5).div(2))).toEqual([0.25, 1.75, 4.25, 7.75]);
    expect(await values(x.greater(0))).toEqual([1, 0, 1, 1]);
    expect(await values(x.matmul(x).sum({ axes: 0 }))).toEqual([10, 0]);
    expect(await values(x.transpose().reshape([4]))).toEqual([1, 3, -2, 4]);
    expect(await values(x.softmax(0))).toEqual(await values(softmax(x, 0)));
    expect(x.argmax({ axis: 1 }).dtype).toBe('u32');
    const whole = tensor([16777217, 7], { dtype: 'i32' });
    expect(await values(whole.add(2))).toEqual([16777219, 9]);
    expect(await values(whole.div(2))).toEqual([8388608, 3]);
    expect(() => whole.add(0.5)).toThrow('got 0.5 at 0, expected integers');
    expect(() => x.add('1' as never)).toThrow('add: got an input "1", expected a tensor.');
  });
  it('are traced, differentiated, and leave nothing behind', async () => {
    const program = await compile(({ x }) => ({ dx: backward(x.mul(3).square().sum(), [x]).get(x)! }), { x: spec([2]) });
    expect(await values(program.run({ x: Float32Array.of(1, 2) }).dx)).toEqual([18, 36]);
    program.dispose();
    const x = tensor([1, 2]);
    const before = device.memory().live;
    x.mul(3).dispose();
    expect(device.memory().live).toBe(before);
  });
});

describe('tensor', () => {
  it('takes nested lists and one number', async () => {
    expect(
      tensor([
        [[1], [2]],
        [[3], [4]],
      ]).shape,
    ).toEqual([2, 2, 1]);
    expect(tensor(3).shape).toEqual([]);
    expect(await tensor(3).item()).toBe(3);
    expect(tensor([[1, 2, 3, 4]], { shape: [2, 2], dtype: 'u32' }).shape).toEqual([2, 2]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(() => tensor([[1, 2], [3]])).toThrow('tensor: got [3] at [1], expected a list of 2, as in the lists before it.');
    expect(() => tensor([[1], 2])).toThrow('tensor: got 2 at [1], expected a list of 1');
    expect(() => tensor([1, [2]])).toThrow('tensor: got [2] at [1], expected a number');
  });
});

describe('a tensor on the console', () => {
  it('shows shape, dtype and what the host knows', async () => {
    const x = tensor(
      [
        [1, 2.5],
        [3, NaN],
      ],
      { name: 'x' },
    );
    expect(inspect(x)).toBe('Tensor x [2, 2] f32 [[1, 2.5], [3, NaN]]');
    const y = add(x, x);
    expect(String(y)).toBe('Tensor [2, 2] f32, on the device: await data() or print() for its values');
    await y.data();
    expect(inspect({ y })).toBe('{ y: Tensor [2, 2] f32 [[2, 5], [6, NaN]] }');
    expect(String(full([1100], 0.1))).toMatch(/on the device/);
    expect(String(tensor(5))).toBe('Tensor [] f32 5');
    y.dispose();
    expect(String(y)).toBe('Tensor [2, 2] f32, disposed');
    await compile(
      ({ a }) => {
        expect(String(relu(a))).toMatch(/^Tensor \[3\] f32, relu#0: a place in a step/);
        return { a };
      },
      { a: spec([3]) },
    );
  });
  it('never shows values that may have changed', async () => {
    using program = await compile(({ a }) => ({ b: add(a, a) }), { a: spec([1]) });
    const { b } = program.run({ a: Float32Array.of(1) });
    await b.data();
    expect(String(b)).toMatch(/ \[2\]$/);
    program.run({ a: Float32Array.of(2) });
    expect(String(b)).toMatch(/on the device/);
    const lent = tensor([1]);
    void lent.buffer;
    expect(String(lent)).toMatch(/on the device/);
    const read = b.data();
    program.run({ a: Float32Array.of(3) });
    expect([...(await read)]).toEqual([4]);
    expect(String(b)).toMatch(/on the device/);
  });
});

it('print writes values of a step at every run, in the midst of it', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    using program = await compile(({ x }) => ({ y: sum(print(square(x), 'squares')) }), { x: spec([2]) });
    for (const v of [1, 2]) await program.run({ x: Float32Array.of(v, 3) }).y.item();
    print(tensor([[5]]), 'eager');
    evaluate(() => ({ y: mul(print(tensor([2])), tensor([3])) }));
    await device.sync();
    await vi.waitFor(() => expect(log).toHaveBeenCalledTimes(4));
    expect(new Set(log.mock.calls.flat())).toEqual(
      new Set(['squares [2] f32 [1, 9]', 'squares [2] f32 [4, 9]', 'eager [1, 1] f32 [[5]]', '[1] f32 [2]']),
    );
  } finally {
    log.mockRestore();
  }
});

it('one step serves several batch sizes, a program each', async () => {
  let traced = 0;
  using sums = compileFor(
    ({ x }) => {
      traced++;
      return { y: sum(x) };
    },
    (n: number) => ({ x: spec([n, 2]) }),
  );
  expect(await sums(1)).toBe(await sums(1));
  const three = await sums(3);
  expect(await three.run({ x: Float32Array.of(1, 2, 3, 4, 5, 6) }).y.item()).toBe(21);
  expect(await (await sums(1)).run({ x: Float32Array.of(1, 2) }).y.item()).toBe(3);
  expect(traced).toBe(2);
  expect(() => sums(-1)).toThrow('compileFor: got a size -1, expected an integer of at least 0');
});

it('a wrong feed is an error of types, and of the run', async () => {
  const bound = tensor([1]);
  using program = await compile(({ x, label, more }) => ({ y: add(sum(x), add(sum(more[0]), bound)), label }), {
    x: spec([2]),
    label: spec([1], 'u32'),
    more: [spec([1])],
    bound,
  });
  const right = { x: Float32Array.of(1, 2), label: Uint32Array.of(1), more: [Float32Array.of(1)] as const };
  expect(await program.run(right).y.item()).toBe(5);
  program.run({ ...right, x: tensor([1, 2]), bound });
  // @ts-expect-error: no input
  expect(() => program.run()).toThrow('program: input x, label, more[0] is missing.');
  // @ts-expect-error: one is missing
  expect(() => program.run({ x: right.x, more: right.more })).toThrow('input label is missing');
  // @ts-expect-error: indices as floats
  expect(() => program.run({ ...right, label: Float32Array.of(1) })).toThrow('got Float32Array, expected Uint32Array for u32');
  // @ts-expect-error: numbers are not values
  expect(() => program.run({ ...right, x: 3 })).toThrow('program: input x: got 3');
  // @ts-expect-error: no such result
  void program.run(right).z;
});

describe('what surprised', () => {
  it('a size that is not one', () => {
    expect(() => spec([-1, 8])).toThrow('spec: got shape [-1, 8], expected a size for every axis: a program has one shape.');
    expect(() => spec([null as never, 8])).toThrow('spec: got shape [null, 8]');
    expect(() => spec(8 as never)).toThrow('spec: got shape 8, expected a list of integers of at least 0.');
  });
  it('an axis of a scalar', () => {
    expect(() => softmax(tensor(1))).toThrow('softmax: got axis -1 for [], expected none, for a scalar has no axes.');
  });
  it('an asynchronous step', async () => {
    await expect(compile((async () => ({ y: tensor([1]) })) as never, {})).rejects.toThrow(
      'got an asynchronous function, expected one that returns at once',
    );
  });
  it('closing the second of two devices leaves the first current', async () => {
    const second = await openDevice();
    tensor([1]).dispose();
    second.close();
    expect(await tensor(2).item()).toBe(2);
  });
});
