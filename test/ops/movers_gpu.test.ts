// SPDX-License-Identifier: MIT
// What moves memory as a GPU is given it, on a device that claims to be one: permutations through squares in workgroup memory, gradients of
// resizing along both axes of a map at once, norms of gradients by large workgroups.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { numel, toHost } from '../../src/engine/dtype.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { clipFactor } from '../../src/ops/optim.ts';
import { permute, transpose } from '../../src/ops/permute.ts';
import { resize, type ResizeOptions } from '../../src/ops/resize.ts';
import { nmse, noise } from '../kernels/harness.ts';
import { checkLinear, count, flat, gradients, indices } from './check.ts';

let device: Device;
/** Kernels whose pipelines were asked for since the test began. */
const seen: string[] = [];
beforeEach(() => void seen.splice(0));
beforeAll(async () => {
  device = await openDevice();
  const { pipelines } = device;
  const [get, compile] = [pipelines.get.bind(pipelines), pipelines.compile.bind(pipelines)];
  const note = (d: Parameters<typeof get>[0]): void =>
    void seen.push(`${d.def.entry}${(d.overrides as Record<string, number>).PLANE ? ' plane' : ''}`);
  Object.assign(pipelines, {
    get: (d: Parameters<typeof get>[0]) => (note(d), get(d)),
    compile: (d: Parameters<typeof get>[0]) => (note(d), compile(d)),
  });
  as(false);
});
afterAll(() => device.close());
const as = (software: boolean): void => void Object.assign(device, { caps: { ...device.caps, software } });

it.each([
  ['two axes', [63, 65], [1, 0]],
  ['a batch in front', [3, 40, 33], [0, 2, 1]],
  ['an axis between', [40, 3, 33], [2, 1, 0]],
  ['axes between and in front', [2, 17, 3, 70], [3, 0, 2, 1]],
  ['whole squares', [32, 2, 64], [1, 2, 0]],
  ['seven axes', [2, 2, 2, 2, 2, 16, 17], [6, 4, 2, 0, 3, 1, 5]],
])('a permutation that exchanges the fast axes goes through squares: %s', async (_, shape, order) => {
  const y = permute(count(shape), order);
  expect(seen).toEqual(['transpose']);
  const want = [...indices(y.shape)].map((at) =>
    flat(
      shape,
      shape.map((__, i) => at[order.indexOf(i)]),
    ),
  );
  expect([...(await y.data())]).toEqual(want);
  await checkLinear((x) => permute(x, order), shape);
});

it('moves bits of every width through squares, and does without where they would be half empty', async () => {
  const shape = [21, 35];
  const bits = Uint32Array.from({ length: 735 }, (_, i) => 0x7fc00000 + i * 77773);
  const there = [...indices([35, 21])].map(([i, j]) => flat(shape, [j, i]));
  expect([...(await transpose(tensor(bits, { shape, dtype: 'u32' })).data())]).toEqual(there.map((i) => bits[i]));
  const half = toHost(
    'f16',
    Array.from({ length: 735 }, (_, i) => i),
  );
  expect([...(await transpose(tensor(half, { shape, dtype: 'f16' })).data())]).toEqual(there.map((i) => half[i]));
  expect(seen).toEqual(['transpose', 'transpose']);
  for (const [at, order] of [
    [
      [15, 40],
      [1, 0],
    ],
    [
      [40, 15],
      [1, 0],
    ],
    [
      [20, 24, 8],
      [1, 0, 2],
    ],
  ] as const)
    permute(count(at), order);
  expect(seen.slice(2)).toEqual(['copy', 'copy', 'copy']);
});

const bothAxes: [shape: number[], size: number[], options: ResizeOptions][] = [
  [[2, 5, 6, 4], [10, 12], {}],
  [[1, 9, 7, 3], [5, 28], { alignCorners: true }],
  [[2, 6, 8, 4], [9, 13], { mode: 'nearest' }],
  [[1, 3, 5, 6, 4], [7, 10, 11], {}],
  [[1, 4, 4, 1], [4, 16], { coordinates: 'asymmetric', scale: [1.5, 4] }],
];
it.each(bothAxes)('gradients of resizing take both axes of a map at once: %j to %j, %j', async (shape, size, options) => {
  const f = (x: Parameters<typeof resize>[0]): ReturnType<typeof resize> => resize(x, size, options);
  await checkLinear(f, shape);
  const own = seen.filter((name) => name.startsWith('resize_dx'));
  expect(new Set(own)).toEqual(new Set(shape.length === 5 ? ['resize_dx plane', 'resize_dx'] : ['resize_dx plane']));
  const x = tensor(noise(numel(shape), 7), { shape });
  const got = await gradients(f, [x]);
  seen.splice(0);
  as(true);
  const want = await gradients(f, [x]).finally(() => as(false));
  expect(seen).not.toContain('resize_dx plane');
  expect(nmse(got.grads[0] as Float32Array, want.grads[0] as Float32Array)).toBeLessThan(1e-12);
});

it('and an axis at a time where many outputs look at an input', async () => {
  await checkLinear((x) => resize(x, [20, 6]), [1, 4, 3, 4]);
  expect(seen).not.toContain('resize_dx plane');
});

it('norms of gradients: ranges longer and shorter than the workgroups that add them up', async () => {
  const values = [noise(1_100_003, 1), noise(4096, 2), noise(65, 3)];
  const norm = Math.sqrt(values.flatMap((v) => [...v]).reduce((s, v) => s + v * v, 0));
  const [factor, found] = await clipFactor(
    values.map((v) => tensor(v)),
    2,
  ).data();
  expect(found / norm).toBeCloseTo(1, 6);
  expect(factor * (norm / 2)).toBeCloseTo(1, 6);
});
