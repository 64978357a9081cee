// SPDX-License-Identifier: MIT
// What the case tables cannot say of pointwise rows: signs and integers of remainders, values that are no numbers, refusals.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DTypeError } from '../../src/errors.ts';
import { numel } from '../../src/engine/dtype.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { mish } from '../../src/ops/nonlinear.ts';
import { cast, exp, fmod, isInf, isNaN, mod, neg, pow, powScalar, sub, where } from '../../src/ops/pointwise.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('pointwise rows', () => {
  it('mod has the sign of the divisor, fmod of the dividend', async () => {
    const [a, b] = [
      [7, -7, 7, -7, 6, 5.5],
      [3, 3, -3, -3, 3, 2],
    ];
    expect([...(await mod(tensor(a), tensor(b)).data())]).toEqual([1, 2, -2, -1, 0, 1.5]);
    expect([...(await fmod(tensor(a), tensor(b)).data())]).toEqual([1, -1, 1, -1, 0, 1.5]);
    const ints = [a, b].map((v) => tensor(v.slice(0, 5), { dtype: 'i32' })) as [Tensor, Tensor];
    expect([...(await mod(...ints).data())]).toEqual([1, 2, -2, -1, 0]);
    expect([...(await fmod(...ints).data())]).toEqual([1, -1, 1, -1, 0]);
  });

  it.each(['f32', 'f16'] as const)('find NaN and infinities by their bits in %s', async (dtype) => {
    const x = tensor([1, NaN, -Infinity, Infinity, 0, -0, 65504, -1e-7], { dtype });
    expect([...(await isNaN(x).data())]).toEqual([0, 1, 0, 0, 0, 0, 0, 0]);
    expect([...(await isInf(x).data())]).toEqual([0, 0, 1, 1, 0, 0, 0, 0]);
  });

  it('powers of a negative base are NaN but for integer exponents', async () => {
    const x = [-2, -2, -2, -2, -8, 4, -3, -1e30, -2];
    const y = [0.5, -1.5, 3, -2, 1 / 3, 0.5, 0, 0.25, 1e10];
    const got = [...(await pow(tensor(x), tensor(y)).data())];
    [NaN, NaN, -8, 0.25, NaN, 2, 1, NaN, Infinity].forEach((want, i) => {
      if (Number.isFinite(want)) expect(got[i], `${x[i]} ** ${y[i]}`).toBeCloseTo(want, 5);
      else expect(got[i], `${x[i]} ** ${y[i]}`).toBe(want);
    });
    expect([...(await isNaN(powScalar(tensor([-1, 1]), 2.5)).data())]).toEqual([1, 0]);
  });

  // Four neighbours of the result meet one vector of an input or one value of it; runs of 6 equal values fit neither.
  it.each([
    ['a scalar', [3, 8], [1]],
    ['a value a row', [3, 8], [3, 1]],
    ['a trailing axis', [3, 8], [8]],
    ['a middle axis', [2, 3, 8], [3, 1]],
    ['a leading and a middle axis', [2, 3, 2, 4], [2, 3, 1, 1]],
    ['runs of six', [4, 6], [4, 1]],
    ['a trailing axis of six', [4, 6], [6]],
    ['apart axes', [2, 3, 4], [2, 1, 4]],
  ] as const)('broadcast %s, %j and %j', async (_, full, part) => {
    const [n, m] = [numel(full), numel(part)];
    const steps = full.map((__, i) => {
      const at = i - (full.length - part.length);
      return at < 0 || part[at] === 1 ? 0 : numel(part.slice(at + 1));
    });
    const place = (i: number): number =>
      full.reduce((sum, size, axis) => sum + (Math.floor(i / numel(full.slice(axis + 1))) % size) * steps[axis], 0);
    const [a, b] = [Float32Array.from({ length: n }, (_, i) => i + 1), Float32Array.from({ length: m }, (_, i) => 100 * (i + 1))];
    const [ta, tb] = [tensor(a, { shape: [...full] }), tensor(b, { shape: [...part] })];
    expect([...(await sub(ta, tb).data())]).toEqual([...a].map((v, i) => v - b[place(i)]));
    expect([...(await sub(tb, ta).data())]).toEqual([...a].map((v, i) => b[place(i)] - v));
    const mask = tensor(
      [...b].map((_, i) => i % 2),
      { shape: [...part], dtype: 'u32' },
    );
    expect([...(await where(mask, ta, tb).data())]).toEqual([...a].map((v, i) => (place(i) % 2 ? v : b[place(i)])));
    if (device.caps.f16)
      expect([...(await cast(sub(cast(ta, 'f16'), cast(tb, 'f16')), 'f32').data())]).toEqual([...a].map((v, i) => v - b[place(i)]));
  });

  it('refuse integers where WGSL has no such function', () => {
    const [i, u] = [tensor([1], { dtype: 'i32' }), tensor([1], { dtype: 'u32' })];
    for (const f of [exp, isNaN, mish]) expect(() => f(i)).toThrow(DTypeError);
    expect(() => neg(u)).toThrow('neg: got dtype u32, expected f32, f16 or i32.');
    expect(() => neg(i)).not.toThrow();
  });
});
