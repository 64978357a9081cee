// SPDX-License-Identifier: MIT
// One kernel on a device of your own, without the engine: y = A X W^T of a graph, in an app that has buffers and passes already.
import { graph_conv } from 'voxelgrad/kernels';
import { create, globals } from 'webgpu'; // a page has navigator.gpu and the rest

Object.assign(globalThis, globals); // GPUBufferUsage, GPUMapMode: a page has them
const gpu = create([]); // keep it: were it collected, no promise of the device would ever answer
const device = await (await gpu.requestAdapter())!.requestDevice();
const [nodes, features, outputs] = [100, 64, 32];

function buffer(values: Float32Array): GPUBuffer {
  const made = device.createBuffer({ size: values.byteLength, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
  device.queue.writeBuffer(made, 0, values as Float32Array<ArrayBuffer>);
  return made;
}
const wave = (n: number, step: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * step));
const [a, x, w] = [wave(nodes * nodes, 0.3), wave(nodes * features, 0.7), wave(outputs * features, 0.1)]; // [N, N], [N, C], [O, C], row-major
const y = buffer(new Float32Array(nodes * outputs));

const kernel = await graph_conv.compile(device, { spec: { T: 'f32' } }); // once
const params = { batch: 1, receivers: nodes, sources: nodes, features, outputs, a_batch: 0 }; // a_batch: from one graph's A to the next, 0 for one A
const groups = params.batch * Math.ceil(nodes / 8) * Math.ceil(outputs / 64); // a workgroup takes 8 receivers and 64 outputs: the head of the WGSL file says so
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
kernel.encode(pass, { a: buffer(a), x: buffer(x), w: buffer(w), y }, params, [groups]);
pass.end();

const staging = device.createBuffer({ size: y.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
encoder.copyBufferToBuffer(y, 0, staging, 0, y.size);
device.queue.submit([encoder.finish()]);
await staging.mapAsync(GPUMapMode.READ);
const got = new Float32Array(staging.getMappedRange().slice(0));

let worst = 0;
for (let i = 0; i < nodes; i++) {
  const gathered = Array.from({ length: features }, (_, c) => { let s = 0; for (let j = 0; j < nodes; j++) s += a[i * nodes + j] * x[j * features + c]; return s; });
  for (let o = 0; o < outputs; o++) worst = Math.max(worst, Math.abs(got[i * outputs + o] - gathered.reduce((s, v, c) => s + v * w[o * features + c], 0)));
}
console.log(`${groups} workgroups, ${got.length} results within ${worst.toExponential(1)} of plain JavaScript`);
device.destroy();
