// SPDX-License-Identifier: MIT
// Ops lifted into a pass and buffers of a stranger's: what they compute is what they compute here, to the bit.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as kernels from '../../src/kernels.ts';
import {
  add,
  attention,
  conv2d,
  graphConv,
  layerNorm,
  lift,
  matmul,
  openDevice,
  permute,
  plan,
  relu,
  reshape,
  resize,
  softmax,
  spec,
  sum,
  tensor,
  type Device,
  type Tensor,
} from '../../src/index.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const wave = (n: number, step: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * step + 1));
const numel = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const STORAGE = 0x80 | 0x8 | 0x4; // and COPY_DST, COPY_SRC

type Step = (...inputs: Tensor[]) => Tensor;
const LIFTED: readonly [string, Step, readonly (readonly number[])[]][] = [
  [
    'convolution',
    (x, w) => conv2d(x, w, { padding: 1 }),
    [
      [1, 7, 6, 8],
      [16, 3, 3, 8],
    ],
  ],
  [
    'attention',
    (q, k, v) => attention(q, k, v, { heads: 2 }),
    [
      [2, 21, 16],
      [2, 13, 16],
      [2, 13, 16],
    ],
  ],
  ['layer norm', (x, w, b) => layerNorm(x, w, b), [[5, 33], [33], [33]]],
  [
    'product',
    (a, b) => matmul(a, b, { transB: true }),
    [
      [2, 9, 20],
      [2, 11, 20],
    ],
  ],
  [
    'graph convolution',
    (a, x, w) => graphConv(a, x, w),
    [
      [9, 11],
      [3, 11, 70],
      [5, 70],
    ],
  ],
  ['resize', (x) => resize(x, [9, 7], { mode: 'linear' }), [[1, 4, 5, 3]]],
  [
    'several ops and views',
    (x, w) => softmax(reshape(relu(matmul(permute(x, [1, 0]), w)), [4, 3, 5])),
    [
      [7, 12],
      [7, 5],
    ],
  ],
];

async function read(buffer: GPUBuffer, n: number): Promise<number[]> {
  const staging = device.gpu.createBuffer({ size: buffer.size, usage: 0x1 | 0x8 });
  const encoder = device.gpu.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  device.gpu.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  return Array.from(new Float32Array(staging.getMappedRange().slice(0)).subarray(0, n));
}

const bufferOf = (values: Float32Array): GPUBuffer => {
  const buffer = device.gpu.createBuffer({ size: values.byteLength, usage: STORAGE });
  device.gpu.queue.writeBuffer(buffer, 0, values);
  return buffer;
};

function inPass(encode: (pass: GPUComputePassEncoder) => void): void {
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  encode(pass);
  pass.end();
  device.gpu.queue.submit([encoder.finish()]);
}

describe.each(LIFTED)('%s', (_, step, shapes) => {
  const values = shapes.map((shape, i) => wave(numel(shape), 0.3 + i / 10));
  const eager = async (): Promise<number[]> => {
    using y = step(...values.map((v, i) => tensor(v, { shape: shapes[i] })));
    return Array.from(await y.data());
  };

  it('in a pass and buffers of the caller', async () => {
    using block = await lift(
      step,
      shapes.map((shape) => spec(shape)),
    );
    const { shape } = block.plan.outputs[0];
    const y = bufferOf(new Float32Array(numel(shape)).fill(NaN));
    inPass((pass) => block.encode(pass, values.map(bufferOf), [y]));
    expect(await read(y, numel(shape))).toEqual(await eager());
  });

  it('as plain data, which an app without the engine runs', async () => {
    const { calls, outputs, scratch } = JSON.parse(
      JSON.stringify(
        plan(
          step,
          shapes.map((shape) => spec(shape)),
        ),
      ),
    ) as ReturnType<typeof plan>;
    const n = numel(outputs[0].shape);
    const buffers = {
      input: values.map(bufferOf),
      output: [bufferOf(new Float32Array(n).fill(NaN))],
      scratch: scratch.map((size) => device.gpu.createBuffer({ size, usage: STORAGE })),
      constant: [],
    };
    for (const { kernel, spec: chosen, overrides, params, grid, bindings } of calls) {
      const compiled = await (kernels as unknown as Record<string, kernels.Kernel<string, string, string, string>>)[kernel].compile(
        device.gpu,
        { spec: chosen, overrides },
      );
      const bound = Object.fromEntries(Object.entries(bindings).map(([name, { role, index }]) => [name, buffers[role][index]]));
      inPass((pass) => compiled.encode(pass, bound, params, grid));
    }
    expect(await read(buffers.output[0], n)).toEqual(await eager());
  });
});

it('refuses what cannot be lifted, by name', async () => {
  const x = [spec([2, 3])];
  expect(() => plan((a) => a, x)).toThrow(/plan: output 0 is no result of the step/);
  expect(() => plan((a) => add(a, tensor([1, 2, 3])), x)).toThrow(/plan: the ops hold 1 tensors/);
  expect(() => plan((a) => matmul(a, a), x)).toThrow(/matmul: /);
  expect(() => plan((a) => a, [null as never])).toThrow(/plan: got specs/);
  using block = await lift((a) => sum(add(a, tensor([1, 2, 3]))), x);
  const y = bufferOf(new Float32Array(1));
  expect(() => inPass((pass) => block.encode(pass, [], [y]))).toThrow(/lift: got 0 input buffers, expected 1/);
  inPass((pass) => block.encode(pass, [bufferOf(wave(6, 0))], [y]));
  expect((await read(y, 1))[0]).toBeCloseTo(12 + 6 * Math.sin(1), 4);
});
