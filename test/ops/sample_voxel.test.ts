// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/errors.ts';
import { numel, spec } from '../../src/engine/dtype.ts';
import { compile } from '../../src/engine/program.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { Philox } from '../../src/random/philox.ts';
import { sampleVoxel } from '../../src/ops/sample_voxel.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** Row by row: the k-th voxel of the mask that is not 0, k = floor(u * count). */
function reference(mask: Float32Array, u: ArrayLike<number>, [b, d, h, w]: readonly [number, number, number, number]) {
  return Array.from({ length: b }, (_, row) => {
    const own = mask.subarray(row * d * h * w, (row + 1) * d * h * w);
    const hits = [...own.keys()].filter((i) => own[i] !== 0);
    if (hits.length === 0) return { coords: [0.5, 0.5, 0.5], value: 0 };
    const at = hits[Math.min(hits.length - 1, Math.floor(Math.fround(u[row] * hits.length)))];
    return { coords: [(Math.floor(at / (h * w)) + 0.5) / d, ((Math.floor(at / w) % h) + 0.5) / h, ((at % w) + 0.5) / w], value: own[at] };
  });
}

/** A signed mask in which a share of the voxels is not 0. */
function signed(n: number, share: number, seed: number): Float32Array {
  const u = new Philox(seed, 'click').uniform(0, 0, 2 * n);
  return Float32Array.from({ length: n }, (_, i) => (u[2 * i] < share ? (u[2 * i + 1] < 0.5 ? -1 : 1) : 0));
}

describe('sampleVoxel', () => {
  it.each<[[number, number, number, number], number]>([
    [[1, 1, 1, 1], 1],
    [[3, 2, 3, 5], 0.4],
    [[2, 16, 64, 64], 0.01],
    [[5, 7, 9, 11], 0.003],
    [[70, 3, 3, 3], 0.5],
    [[1, 48, 160, 160], 0.2],
  ])('of masks %j, %d of the voxels set', async (shape, share) => {
    const mask = signed(numel(shape), share, 3);
    const u = new Philox(4, 'click').uniform(0, 0, shape[0]);
    const { coords, value } = sampleVoxel(tensor(mask, { shape }), tensor(u));
    const [c, v] = [await coords.data(), await value.data()];
    reference(mask, u, shape).forEach((want, row) => {
      expect(v[row], `row ${row}`).toBe(want.value);
      want.coords.forEach((x, axis) => {
        expect(Math.abs(c[3 * row + axis] - x)).toBeLessThan(1e-6);
      });
    });
  });

  it('reaches the first and the last voxel, and no further', async () => {
    const shape = [4, 2, 5, 7];
    const mask = tensor(new Float32Array(280).fill(1), { shape });
    const { coords } = sampleVoxel(mask, tensor([0, 1 - 2 ** -24, 1, -1]));
    const c = [...(await coords.data())];
    const [first, last] = [
      [0.25, 0.1, 1 / 14],
      [0.75, 0.9, 13 / 14],
    ];
    [...first, ...last, ...last, ...first].forEach((want, i) => {
      expect(c[i]).toBeCloseTo(want, 6);
    });
  });

  it('is uniform: every voxel of a mask as often as another', async () => {
    const rows = 4000;
    const one = Float32Array.of(0, 1, 0, 0, 1, 1, 0, 1); // 4 of 8
    const mask = Float32Array.from({ length: rows * 8 }, (_, i) => one[i % 8]);
    const { coords } = sampleVoxel(tensor(mask, { shape: [rows, 1, 1, 8] }), tensor(new Philox(1, 'click').uniform(0, 0, rows)));
    const c = await coords.data();
    const seen = new Float64Array(8);
    for (let row = 0; row < rows; row++) seen[Math.floor(c[3 * row + 2] * 8)]++;
    one.forEach((set, i) => {
      if (set) expect(Math.abs(seen[i] - rows / 4)).toBeLessThan(120);
      else expect(seen[i]).toBe(0);
    }); // 4.4 standard deviations
  });

  it('gives the same voxel in a program, run after run', async () => {
    const shape = [2, 8, 9, 10];
    const mask = signed(1440, 0.1, 9);
    const u = Float32Array.of(0.3, 0.8);
    const eager = sampleVoxel(tensor(mask, { shape }), tensor(u));
    using program = await compile(({ mask: m, u: v }) => sampleVoxel(m, v), { mask: spec(shape), u: spec([2]) });
    for (let k = 0; k < 2; k++) {
      const found = program.run({ mask, u });
      expect([await found.coords.data(), await found.value.data()]).toEqual([await eager.coords.data(), await eager.value.data()]);
    }
  });

  it('refuses what is no mask', () => {
    expect(() => sampleVoxel(tensor([1], { shape: [1, 1, 1] }), tensor([0]))).toThrow(ShapeError);
    expect(() => sampleVoxel(tensor([1], { shape: [1, 1, 1, 1] }), tensor([0, 0]))).toThrow(ShapeError);
    expect(() => sampleVoxel(tensor([], { shape: [1, 0, 1, 1] }), tensor([0]))).toThrow(ShapeError);
  });
});
