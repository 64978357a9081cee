// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { interpolationPlan, tableInterpolate } from '../../src/ops/table_interpolate.ts';
import { ShapeError } from '../../src/errors.ts';
import { noise } from '../kernels/harness.ts';
import { checkLinear } from './check.ts';
import { matchesFloat64, random } from './float64.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('tableInterpolate', () => {
  for (const taps of [1, 2, 4]) {
    it(`sums ${taps} taps, with a gradient for entries that are read often, once or never`, async () => {
      const [entries, T, heads] = [17, 9, 3];
      const index = Array.from({ length: T * T * taps }, (_, i) => (i * i * 7 + i) % (entries - 2));
      const weight = noise(T * T * taps, 3);
      const plan = interpolationPlan(entries, [T, T], index, weight);
      await matchesFloat64(
        ([table]) => tableInterpolate(table, plan),
        ([table]) => {
          const out = new Float64Array(heads * T * T);
          for (let h = 0; h < heads; h++)
            for (let p = 0; p < T * T; p++)
              for (let j = 0; j < taps; j++) out[h * T * T + p] += weight[p * taps + j] * table[index[p * taps + j] * heads + h];
          return out;
        },
        [random([entries, heads], 5)],
        { samples: 51 },
      );
      await checkLinear((table) => tableInterpolate(table, plan), [entries, heads]);
    });
  }
  it('refuses counts and indices that do not fit', () => {
    expect(() => interpolationPlan(4, [2, 2], [0, 1, 2], [1, 1, 1])).toThrow(ShapeError);
    expect(() => interpolationPlan(4, [2, 2], [0, 1, 2, 4], [1, 1, 1, 1])).toThrow(/index 4/);
    expect(() => tableInterpolate(tensor([1, 2, 3], { shape: [3, 1] }), interpolationPlan(4, [1], [0], [1]))).toThrow(/\[4, heads\]/);
  });
});
