// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DTypeError, ShapeError } from '../../src/errors.ts';
import { spec, type DType } from '../../src/engine/dtype.ts';
import { compile } from '../../src/engine/program.ts';
import { tensor, zeros } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { mulScalar } from '../../src/ops/pointwise.ts';
import { putRows } from '../../src/ops/put_rows.ts';
import { count } from './check.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('putRows', () => {
  it.each<DType>(['f32', 'i32', 'u32'])('of %s writes its rows and no other', async (dtype) => {
    const table = tensor(new Array<number>(7 * 3).fill(9), { shape: [7, 3], dtype });
    putRows(table, tensor([1, 2, 3, 4, 5, 6], { shape: [2, 3], dtype }), tensor([5, 0], { dtype: 'u32' }));
    expect([...(await table.data())]).toEqual([4, 5, 6, ...new Array(12).fill(9), 1, 2, 3, 9, 9, 9]);
  });

  it('gathers what the runs of a program compute, for another program', async () => {
    const table = zeros([6, 65]);
    using write = await compile(
      ({ rows, index }) => {
        putRows(table, mulScalar(rows, 2), index);
        return {};
      },
      { rows: spec([2, 65]), index: spec([2], 'u32') },
    );
    using read = await compile(() => ({ y: mulScalar(table, 1) }), {});
    const all = (await count([6, 65]).data()) as Float32Array;
    for (const [a, b] of [
      [0, 3],
      [1, 4],
      [2, 5],
    ] as const) {
      write.run({
        rows: Float32Array.of(...all.subarray(65 * a, 65 * a + 65), ...all.subarray(65 * b, 65 * b + 65)),
        index: Uint32Array.of(a, b),
      });
    }
    expect(await read.run().y.data()).toEqual(all.map((v) => 2 * v));
  });

  it('refuses what does not fit', () => {
    const index = tensor([0], { dtype: 'u32' });
    expect(() => putRows(zeros([3, 2]), zeros([1, 3]), index)).toThrow(ShapeError);
    expect(() => putRows(zeros([3, 2]), zeros([2, 2]), index)).toThrow(ShapeError);
    expect(() => putRows(zeros([3, 2]), zeros([1, 2]), tensor([0]))).toThrow(DTypeError);
  });
});
