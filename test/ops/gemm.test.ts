// SPDX-License-Identifier: MIT
// Which family of kernels computes a product on which adapter. Nothing runs here: caps are data.
import { describe, expect, it } from 'vitest';
import type { DType } from '../../src/engine/dtype.ts';
import type { Caps } from '../../src/gpu/caps.ts';
import { chooseTile, contenders, shapeClass, tileName } from '../../src/ops/gemm.ts';

const limits = {
  maxStorageBufferBindingSize: 2 ** 31,
  maxBufferSize: 2 ** 31,
  maxComputeWorkgroupStorageSize: 49152,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupsPerDimension: 65535,
  maxStorageBuffersPerShaderStage: 8,
};
const gpu: Caps = {
  f16: true,
  subgroups: true,
  timestamps: true,
  subgroupMatrix: { M: 16, N: 16, K: 16 },
  software: false,
  subgroupSize: 32,
  subgroupSizeMax: 32,
  driver: '580.1',
  tiles: {},
  limits,
};
const lavapipe: Caps = {
  ...gpu,
  software: true,
  subgroupMatrix: { M: 8, N: 8, K: 8 },
  subgroupSize: 8,
  subgroupSizeMax: 8,
  driver: 'llvmpipe: Mesa 26.1.6',
};
const chosen = (caps: Caps, dtype: DType, m = 4096, n = 4096): string => {
  const { family, rows, cols } = chooseTile(caps, dtype, m, n);
  return `${family} ${rows} x ${cols}`;
};

describe('a product is computed by', () => {
  it('register tiles on a processor, whatever it has', () => {
    expect(chosen(lavapipe, 'f16')).toBe('registers 16 x 64');
    expect(chosen(lavapipe, 'f32', 4096, 32)).toBe('registers 16 x 32');
    expect(chosen(lavapipe, 'f32', 8, 4096)).toBe('registers 8 x 32');
    expect(chosen({ ...lavapipe, driver: 'llvmpipe: Mesa 25.0.7' }, 'f32')).toBe('registers 8 x 16');
  });
  it('workgroup tiles on a GPU, smaller ones where large ones would leave processors idle', () => {
    expect(chosen(gpu, 'f32')).toBe('blocks 128 x 64');
    expect(chosen(gpu, 'f32', 100_000, 32)).toBe('blocks 128 x 32');
    expect(chosen(gpu, 'f32', 512, 512)).toBe('blocks 64 x 32');
    expect(chosen(gpu, 'f32', 256, 256)).toBe('blocks 32 x 32');
  });
  it('thin workgroup tiles on a GPU where there are few rows or columns', () => {
    expect(chosen(gpu, 'f32', 100_000, 16)).toBe('blocks 128 x 16');
    expect(chosen(gpu, 'f32', 7, 384)).toBe('blocks 16 x 32');
    expect(chosen(gpu, 'f16', 384, 7)).toBe('blocks 32 x 16');
  });
  it('tiles whose steps a short reduction fills', () => {
    expect(tileName(chooseTile(gpu, 'f32', 256, 256, 1, 144))).toBe('blocks 32x32');
    expect(tileName(chooseTile(gpu, 'f32', 256, 256, 1, 16))).toBe('blocks 64x32'); // steps of 16 and not of 32
  });
  it('subgroup matrices in f16 where the adapter has them and all its subgroups have one size', () => {
    expect(chosen(gpu, 'f16')).toBe('matrices 128 x 64');
    expect(chosen(gpu, 'f16', 512, 512)).toBe('matrices 64 x 64');
    expect(chosen({ ...gpu, subgroupMatrix: { M: 8, N: 8, K: 8 } }, 'f16')).toBe('matrices 64 x 32');
    // they stage 25 KiB
    expect(chosen({ ...gpu, limits: { ...limits, maxComputeWorkgroupStorageSize: 16384 } }, 'f16')).toMatch('blocks');
    expect(chosen({ ...gpu, subgroupMatrix: null }, 'f16')).toMatch('blocks');
    expect(chosen({ ...gpu, subgroupSize: 8 }, 'f16')).toMatch('blocks');
    // more lanes than rows to read
    expect(chosen({ ...gpu, subgroupSize: 64, subgroupSizeMax: 64, subgroupMatrix: { M: 8, N: 8, K: 8 } }, 'f16')).toMatch('blocks');
  });
});

describe('a tuned tile', () => {
  const tuned = (dtype: DType, tile: string, m: number, n: number): Caps => ({
    ...lavapipe,
    tiles: { [shapeClass(dtype, m, n, 1)]: tile },
  });

  it('goes before the built-in one, for every product of its class and no other', () => {
    const caps = tuned('f32', 'registers 4x4', 1000, 64);
    expect(chosen(caps, 'f32', 1000, 64)).toBe('registers 4 x 32');
    expect(chosen(caps, 'f32', 600, 40)).toBe('registers 4 x 32');
    expect(chosen(caps, 'f32', 400, 64)).toBe('registers 16 x 64');
    expect(chosen(caps, 'f16', 1000, 64)).toBe('registers 16 x 64');
  });
  it('may say into how many ranges the reduction is cut', () => {
    const tile = chooseTile(tuned('f32', 'blocks 32x32 k4', 1000, 64), 'f32', 1000, 64);
    expect([tileName(tile), tile.splits]).toEqual(['blocks 32x32', 4]);
    expect(chooseTile(tuned('f32', 'blocks 32x32', 1000, 64), 'f32', 1000, 64).splits).toBeUndefined();
  });
  it('of another adapter or version is not taken', () => {
    for (const tile of ['blocks 8x8', 'blocks 32x32 k', 'matrices 4x4', 'registers 3x5', ''])
      expect(chosen(tuned('f32', tile, 64, 64), 'f32', 64, 64)).toBe('registers 16 x 64');
  });
  it('has a name of its own among at most six contenders, the built-in ones included', () => {
    for (const caps of [lavapipe, gpu]) {
      for (const dtype of ['f32', 'f16'] as const) {
        const names = contenders(caps, dtype, 4096, 4096, 1).map(tileName);
        expect(new Set(names).size).toBe(names.length);
        expect(names.length).toBeLessThanOrEqual(6);
        expect(names).toContain(tileName(chooseTile(caps, dtype, 4096, 4096)));
      }
    }
  });
});
