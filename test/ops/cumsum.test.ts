// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { cumsum, type CumsumOptions } from '../../src/ops/cumsum.ts';
import { noise } from '../kernels/harness.ts';
import { checkLinear, flat, indices } from './check.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

function reference(x: ArrayLike<number>, shape: readonly number[], { axis, exclusive, reverse }: CumsumOptions): number[] {
  return [...indices(shape)].map((at) => {
    let s = 0;
    for (let k = 0; k < shape[axis]; k++) {
      const before = reverse ? k > at[axis] : k < at[axis];
      if (before || (!exclusive && k === at[axis]))
        s +=
          x[
            flat(
              shape,
              at.map((v, a) => (a === axis ? k : v)),
            )
          ];
    }
    return s;
  });
}

describe('cumsum', () => {
  it.each<[number[], CumsumOptions]>([
    [[65], { axis: 0 }],
    [[7, 1, 3], { axis: 1 }],
    [[3, 63, 2], { axis: 1, exclusive: true }],
    [[3, 5], { axis: 1, reverse: true }],
    [[2, 7], { axis: 1, exclusive: true, reverse: true }],
  ])('of %j along %j', async (shape, options) => {
    const x = noise(
      shape.reduce((a, b) => a * b, 1),
      4,
    );
    const y = await cumsum(tensor(x, { shape }), options).data();
    reference(x, shape, options).forEach((want, i) => expect(Math.abs(y[i] - want)).toBeLessThan(5e-6));
    await checkLinear((t) => cumsum(t, options), shape);
  });
  it('is exact for integers, and empty for nothing', async () => {
    const x = tensor([2 ** 30, -5, 7, 1], { dtype: 'i32' });
    expect([...(await cumsum(x, { axis: -1 }).data())]).toEqual([2 ** 30, 2 ** 30 - 5, 2 ** 30 + 2, 2 ** 30 + 3]);
    expect(cumsum(tensor([], { shape: [0, 2] }), { axis: 0 }).shape).toEqual([0, 2]);
  });
});
