// SPDX-License-Identifier: MIT
// One kernel on a device of your own, without the engine: y = A X W^T of a graph, in an app that has buffers and passes already. The
// same in a page and in Node, which has no WebGPU of its own.
import { graph_conv } from 'voxelgrad/kernels';

let gpu = globalThis.navigator?.gpu;
if (!gpu) {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals); // GPUBufferUsage, GPUMapMode: a page has them
  gpu = create([]); // keep it: were it collected, no promise of the device would ever answer
}
const device = await (await gpu.requestAdapter())!.requestDevice();
const [nodes, features, outputs] = [100, 64, 32];

function buffer(values: Float32Array<ArrayBuffer>): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const made = device.createBuffer({ size: values.byteLength, usage });
  device.queue.writeBuffer(made, 0, values);
  return made;
}
const wave = (n: number, step: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * step));
// [N, N], [N, C], [O, C], row-major
const [a, x, w] = [wave(nodes * nodes, 0.3), wave(nodes * features, 0.7), wave(outputs * features, 0.1)];
const y = buffer(new Float32Array(nodes * outputs));

const kernel = await graph_conv.compile(device, { spec: { T: 'f32' } }); // once
// a_batch: from one graph's A to the next, 0 for one A. A workgroup takes 8 receivers and 64 outputs: its docstring says so.
const params = { batch: 1, receivers: nodes, sources: nodes, features, outputs, a_batch: 0 };
const groups = params.batch * Math.ceil(nodes / 8) * Math.ceil(outputs / 64);
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
kernel.encode(pass, { a: buffer(a), x: buffer(x), w: buffer(w), y }, params, [groups]);
pass.end();

const staging = device.createBuffer({ size: y.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
encoder.copyBufferToBuffer(y, 0, staging, 0, y.size);
device.queue.submit([encoder.finish()]);
await staging.mapAsync(GPUMapMode.READ);
const got = new Float32Array(staging.getMappedRange().slice(0));

/** Row times column, from where each begins; elements of b lie `stride` apart. */
const dot = (n: number, a: ArrayLike<number>, b: ArrayLike<number>, from: number, to: number, stride = 1): number =>
  Array.from({ length: n }, (_, j) => a[from + j] * b[to + j * stride]).reduce((s, v) => s + v, 0);
const errors = Array.from({ length: nodes }, (_, i) => {
  const gathered = Array.from({ length: features }, (_, c) => dot(nodes, a, x, i * nodes, c, features));
  return Array.from({ length: outputs }, (_, o) => Math.abs(got[i * outputs + o] - dot(features, gathered, w, 0, o * features)));
});
const worst = Math.max(...errors.flat());
console.log(`${groups} workgroups, ${got.length} results within ${worst.toExponential(1)} of plain JavaScript`);
device.destroy();
