// SPDX-License-Identifier: MIT
// Norms of many rows on a device that claims to be a GPU: a workgroup joins the runs of a channel or group, where a software adapter's
// lane does. The same results and gradients, but for the order of sums.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { numel } from '../../src/engine/dtype.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { batchNorm } from '../../src/ops/batch_norm.ts';
import { groupNorm } from '../../src/ops/group_norm.ts';
import { mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { nmse, noise } from '../kernels/harness.ts';

let device: Device;
const widths: number[] = [];
beforeAll(async () => {
  device = await openDevice();
  const make = device.gpu.createComputePipeline.bind(device.gpu);
  Object.assign(device.gpu, {
    createComputePipeline: (d: GPUComputePipelineDescriptor) => {
      const { WIDE, WG } = d.compute.constants ?? {};
      if (WIDE) widths.push(WG);
      return make(d);
    },
  });
});
afterAll(() => device.close());

/** Values, gradients and running values of one call. */
async function run(
  call: (x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor) => Tensor,
  shape: number[],
): Promise<Float32Array[]> {
  const c = shape.at(-1)!;
  const x = tensor(
    noise(numel(shape), 1).map((v, i) => v + (i % c)),
    { shape },
  );
  const [gamma, beta, mean, variance] = [2, 3, 4, 5].map((seed) => tensor(noise(c, seed).map(Math.abs), { shape: [c] }));
  const out = evaluate(() => {
    const y = call(x, gamma, beta, mean, variance);
    const found = backward(sum(mul(y, tensor(noise(y.size, 9), { shape }))), [x, gamma, beta]);
    return [y, ...[x, gamma, beta].map((t) => found.get(t)!)];
  });
  const all = [...out, mean, variance];
  const read = (await Promise.all(all.map((t) => t.data()))) as Float32Array[];
  for (const t of new Set([x, gamma, beta, ...all])) t.dispose();
  return read;
}

const CALLS: [name: string, shape: number[], call: Parameters<typeof run>[0]][] = [
  ['batchNorm, vectors', [2, 50, 60, 8], (x, g, b, mean, variance) => batchNorm(x, g, b, mean, variance, { training: true, relu: true })],
  ['batchNorm, two parts', [2, 50, 60, 5], (x, g, b, mean, variance) => batchNorm(x, g, b, mean, variance, { training: true, parts: 2 })],
  ['groupNorm', [2, 50, 60, 12], (x, g, b) => groupNorm(x, g, b, { groups: 3 })],
];
it.each(CALLS)('%s', async (_, shape, call) => {
  const { caps } = device;
  const as = (software: boolean): Promise<Float32Array[]> => {
    Object.assign(device, { caps: { ...caps, software } });
    return run(call, shape).finally(() => Object.assign(device, { caps }));
  };
  const want = await as(true); // whatever the adapter is
  expect(widths).toEqual([]);
  const got = await as(false);
  expect(widths.splice(0)).toEqual(shape.at(-1) === 8 ? [64, 64] : [32, 32]);
  for (const [i, values] of got.entries()) expect(nmse(values, want[i]), String(i)).toBeLessThan(1e-11);
});
