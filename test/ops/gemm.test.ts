// SPDX-License-Identifier: MIT
// Which family of kernels computes a product on which adapter. Nothing runs here: caps are data.
import { describe, expect, it } from 'vitest';
import type { DType } from '../../src/engine/dtype.ts';
import type { Caps } from '../../src/gpu/caps.ts';
import { chooseTile, contenders, everyTile, shapeClass, tileName } from '../../src/ops/gemm.ts';

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
    expect(chosen(gpu, 'f16', 2048, 1024)).toBe('matrices 128 x 64');
    expect(chosen(gpu, 'f16', 512, 512)).toBe('matrices 64 x 64');
    expect(chosen({ ...gpu, subgroupMatrix: { M: 8, N: 8, K: 8 } }, 'f16', 1024, 512)).toBe('matrices 64 x 32');
    expect(chosen({ ...gpu, subgroupMatrix: null }, 'f16')).toMatch('blocks');
    expect(chosen({ ...gpu, subgroupSize: 8 }, 'f16')).toMatch('blocks');
    // more lanes than rows to read
    expect(chosen({ ...gpu, subgroupSize: 128, subgroupSizeMax: 128 }, 'f16')).toMatch('blocks');
  });
  it('eight subgroups where their tiles fill 132 processors, and have room', () => {
    expect(chosen(gpu, 'f16')).toBe('matrices 128 x 128');
    expect(chosen(gpu, 'f16', 132 * 128, 128)).toBe('matrices 128 x 128');
    expect(chosen(gpu, 'f16', 131 * 128, 128)).toBe('matrices 128 x 64');
    // they take 29 KiB and 256 lanes, the smallest of four subgroups 14
    const within = (least: Partial<Caps['limits']>): string => chosen({ ...gpu, limits: { ...limits, ...least } }, 'f16');
    expect(within({ maxComputeWorkgroupStorageSize: 29 << 10 })).toBe('matrices 128 x 128');
    expect(within({ maxComputeWorkgroupStorageSize: 28 << 10 })).toBe('matrices 128 x 64');
    expect(within({ maxComputeInvocationsPerWorkgroup: 128 })).toBe('matrices 128 x 64');
    expect(within({ maxComputeWorkgroupStorageSize: 16384 })).toBe('matrices 64 x 64');
    expect(within({ maxComputeWorkgroupStorageSize: 8192 })).toMatch('blocks');
    const tiles = (bytes: number): string[] =>
      everyTile({ ...gpu, limits: { ...limits, maxComputeWorkgroupStorageSize: bytes } }, 'f16')
        .map(tileName)
        .filter((name) => name.startsWith('matrices'));
    expect(tiles(49152)).toEqual(['matrices 4x2 s8', 'matrices 4x4 s8', 'matrices 4x2', 'matrices 2x2']);
    expect(tiles(32768)).toEqual(['matrices 4x2 s8', 'matrices 4x2', 'matrices 2x2']);
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
    expect([tileName(tile), tile.splits]).toEqual(['blocks 32x32 k4', 4]);
    expect(chooseTile(tuned('f32', 'blocks 32x32', 1000, 64), 'f32', 1000, 64).splits).toBeUndefined();
  });
  it('is of its own for a long reduction on a GPU, whose ranges it may count', () => {
    expect(shapeClass('f32', 60, 40, 1, 511)).toBe('f32 64x64 1');
    expect(shapeClass('f32', 60, 40, 1, 512)).toBe('f32 64x64 1 k512');
    expect(shapeClass('f32', 60, 40, 1, 4608)).toBe('f32 64x64 1 k8192');
    expect(shapeClass('f32', 60, 40, 1, 1e6)).toBe('f32 64x64 1 k65536'); // more operands than tuning makes
    expect(shapeClass('f32', 4096, 1024, 1, 4096)).toBe('f32 4096x1024 1'); // enough tiles as it is
    expect(shapeClass('f32', 8000, 16, 1, 600)).toBe('f32 8192x16 1 k1024');
    expect(shapeClass('f32', 100_000, 16, 1, 600)).toBe('f32 4096x16 1'); // as well
    const tiles = { 'f32 64x64 1': 'blocks 64x64', 'f32 64x64 1 k4096': 'blocks 32x32 k8' };
    const name = (caps: Caps, k: number): string => tileName(chooseTile({ ...caps, tiles }, 'f32', 64, 64, 1, k));
    expect([64, 2049, 4096].map((k) => name(gpu, k))).toEqual(['blocks 64x64', 'blocks 32x32 k8', 'blocks 32x32 k8']);
    expect(name(gpu, 2048)).toBe('blocks 32x32'); // of a class that was not tuned
    expect(name(lavapipe, 4096)).toBe('blocks 64x64'); // as files of earlier versions have it
  });
  it('is tried with half and twice the ranges that the rule cuts', () => {
    const names = contenders(gpu, 'f32', 64, 64, 1, 4096).map(tileName);
    expect(names.slice(0, 3)).toEqual(['blocks 32x32', 'blocks 32x32 k8', 'blocks 32x32 k32']);
    expect(names.slice(3).filter((each) => / k/.test(each))).toEqual([]);
    expect(contenders(gpu, 'f32', 64, 64, 1).map(tileName)).toContain('blocks 32x32');
    expect(contenders(gpu, 'f32', 64, 64, 1).filter(({ splits }) => splits)).toEqual([]);
    expect(contenders(gpu, 'f16', 1024, 1024, 1, 2048).map(tileName)).toEqual(expect.arrayContaining(['matrices 4x2 k2']));
  });
  it('of another adapter or version is not taken', () => {
    for (const tile of ['blocks 8x8', 'blocks 32x32 k', 'matrices 4x4', 'registers 3x5', ''])
      expect(chosen(tuned('f32', tile, 64, 64), 'f32', 64, 64)).toBe('registers 16 x 64');
  });
  it('has a name of its own among at most six contenders, the built-in ones included', () => {
    for (const caps of [lavapipe, gpu]) {
      for (const dtype of ['f32', 'f16'] as const) {
        for (const [size, k] of [
          [4096, 0],
          [64, 8192],
        ]) {
          const names = contenders(caps, dtype, size, size, 1, k).map(tileName);
          expect(new Set(names).size).toBe(names.length);
          expect(names.length).toBeLessThanOrEqual(6);
          expect(names).toContain(tileName(chooseTile(caps, dtype, size, size)));
        }
      }
    }
  });
});
