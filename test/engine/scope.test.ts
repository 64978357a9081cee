// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compile } from '../../src/engine/program.ts';
import { scope } from '../../src/engine/scope.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { addScalar, mul, square } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => {
  device.close();
});

it('disposes what was made inside, keeps what came in and what goes out', async () => {
  const x = tensor([1, 2, 3]);
  const { live } = device.memory();
  const inner: Tensor[] = [];
  const {
    total,
    list: [shifted],
  } = scope(() => {
    const y = square(x);
    inner.push(y);
    return { total: sum(mul(y, x)), list: [addScalar(y, 1)] };
  });
  expect(device.memory().live - live).toBe(32); // two buffers of 16 bytes
  expect([await total.item(), ...(await shifted.data()), ...(await x.data())]).toEqual([36, 2, 5, 10, 1, 2, 3]);
  expect(() => square(inner[0])).toThrow('used after dispose()');
  for (const t of [total, shifted]) t.dispose();
  expect(device.memory().live).toBe(live);
});

it('nests: what an inner scope returns belongs to the outer one', () => {
  const x = tensor([1, 2]);
  const { live } = device.memory();
  scope(() => {
    scope(() => square(square(x)));
  });
  expect(device.memory().live).toBe(live);
});

it('disposes everything where the function throws, and refuses asynchronous ones', () => {
  const x = tensor([1, 2]);
  const { live } = device.memory();
  expect(() =>
    scope(() => {
      square(x);
      throw new Error('mine');
    }),
  ).toThrow('mine');
  expect(() =>
    scope(async () => {
      square(x);
    }),
  ).toThrow('scope: got an asynchronous function');
  expect(device.memory().live).toBe(live);
});

it('leaves a traced step alone', async () => {
  const program = await compile(({ x }) => ({ y: scope(() => square(square(x))) }), { x: tensor([3]) });
  expect(await program.run().y.item()).toBe(81);
});
