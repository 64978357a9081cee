// SPDX-License-Identifier: MIT
// Tuning on the adapter at hand: what it returns and what a program then uses. Which tile wins is not a matter of tests.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rememberTiles, tunedTiles } from '../../src/cli/tuned_tiles.ts';
import { backward } from '../../src/engine/autograd.ts';
import { compile } from '../../src/engine/program.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { conv2d } from '../../src/ops/conv.ts';
import { chooseTile, contenders, tileName } from '../../src/ops/gemm.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { raceTiles, tuneShape } from '../../src/ops/tune.ts';
import { nmse, noise } from '../kernels/harness.ts';
import { capsHere, expectSameProduct } from './same_product.ts';

it('compares the contenders on a shape class and leaves nothing behind', async () => {
  using device = await openDevice();
  await tuneShape('f32 16x32 2'); // pipelines
  const { live } = device.memory();
  const row = await tuneShape('f32 16x32 2');
  expect(device.memory().live).toBe(live);
  const builtIn = tileName(chooseTile(device.caps, 'f32', 16, 32, 2));
  expect(row.builtIn).toBe(builtIn);
  expect([builtIn, ...contenders(device.caps, 'f32', 16, 32, 2).map(tileName)]).toContain(row.tile);
  expect(row.ms).toBeGreaterThan(0);
  expect(row.tile === row.builtIn ? row.ms === row.builtInMs : row.ms < row.builtInMs).toBe(true);
});

it('every contender computes the same product', async () => expectSameProduct(contenders(await capsHere(), 'f32', 37, 50, 1), 'f32'));

it('compares f16 products where the adapter has them, and refuses what is no shape class', async (context) => {
  using device = await openDevice();
  await expect(tuneShape('f64 8x8 1')).rejects.toThrow('tuneShape: got "f64 8x8 1", expected a shape class like "f32 1024x64 1".');
  if (!device.caps.f16) context.skip('the adapter has no shader-f16');
  const row = await tuneShape('f16 16x32 1');
  expect([row.builtIn, ...contenders(device.caps, 'f16', 16, 32, 1).map(tileName)]).toContain(row.tile);
});

it('on a GPU also compares numbers of ranges of a long reduction', async () => {
  using device = await openDevice();
  Object.assign(device, { caps: { ...device.caps, software: false } });
  const few: typeof contenders = (...args) => contenders(...args).slice(0, 3);
  const times = await raceTiles('f32 32x32 1 k1024', few);
  expect(times.map(({ tile }) => tile)).toEqual(['blocks 32x32', 'blocks 32x32 k2', 'blocks 32x32 k8']);
});

it('a tuned number of ranges goes round by the file, is what a GPU cuts into, and changes no result', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-tune-'));
  const file = join(folder, 'tiles.json');
  const rows = { 'f32 64x32 1 k1024': 'blocks 32x32 k3', 'f32 1024x8 1 k1024': 'blocks 32x32 k5', 'f32 8x1024 1 k1024': 'blocks 32x32 k7' };
  const remembered = { tiles: (info: Parameters<typeof tunedTiles>[0]) => (rememberTiles(info, rows, file), tunedTiles(info, file)) };
  using device = await openDevice(remembered);
  rmSync(folder, { recursive: true });
  Object.assign(device, { caps: { ...device.caps, software: false } });

  const shapes = { a: [40, 700], b: [700, 30], x: [1, 26, 26, 64], w: [6, 3, 3, 64], g: [1, 24, 24, 6] };
  const values = Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => [
      name,
      noise(
        shape.reduce((p, d) => p * d),
        i,
      ),
    ]),
  ) as Record<keyof typeof shapes, Float32Array>;
  const inputs = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, tensor(values[name as 'a'], { shape })]));
  using program = await compile(({ a, b, x, w, g }) => {
    const y = conv2d(x, w);
    return { ab: matmul(a, b), y, dw: backward(sum(mul(y, g)), [w]).get(w)! };
  }, inputs);
  // Two tiles of the matrix product, 18 of the convolution, 18 of its weight gradient.
  const groups = Object.fromEntries(program.dispatches().map(({ kernel, grid }) => [kernel.entry, grid[0]]));
  expect(groups).toMatchObject({ matmul_blocks: 2 * 3, conv_blocks: 18 * 5, conv_dweight_blocks: 18 * 7 });

  const [ab, y, dw] = [new Float64Array(40 * 30), new Float64Array(24 * 24 * 6), new Float64Array(6 * 9 * 64)];
  const { a, b, x, w, g } = values;
  for (let at = 0; at < ab.length; at++) for (let i = 0; i < 700; i++) ab[at] += a[Math.floor(at / 30) * 700 + i] * b[i * 30 + (at % 30)];
  for (let at = 0; at < y.length; at++)
    for (let i = 0; i < 9 * 64; i++) {
      const [pixel, out, tap, c] = [Math.floor(at / 6), at % 6, Math.floor(i / 64), i % 64];
      const from = ((Math.floor(pixel / 24) + Math.floor(tap / 3)) * 26 + (pixel % 24) + (tap % 3)) * 64 + c;
      y[at] += x[from] * w[out * 9 * 64 + i];
      dw[out * 9 * 64 + i] += x[from] * g[at];
    }
  const got = program.run();
  expect(nmse(await got.ab.data(), ab)).toBeLessThan(1e-12);
  expect(nmse(await got.y.data(), y)).toBeLessThan(1e-12);
  expect(nmse(await got.dw.data(), dw)).toBeLessThan(1e-12);
});
