// SPDX-License-Identifier: MIT
// Runs each problem twice on this app's own device: through `voxelgrad/kernels`, and from the raw WGSL and its JSON.
// Prints one JSON document for the test to judge.
import { readFile } from 'node:fs/promises';
import { create, globals } from 'webgpu';
import { problems } from './problems.mjs';

const { GPUBufferUsage, GPUMapMode } = globals;
const before = new Set(Object.getOwnPropertyNames(globalThis));
const gpu = create([]); // kept: a collected instance never answers
const adapter = await gpu.requestAdapter();
const device = await adapter.requestDevice({ requiredFeatures: ['subgroups'] });
const uncaptured = [];
device.addEventListener('uncapturederror', (e) => uncaptured.push(e.error.message));
let lost = false;
void device.lost.then(() => {
  lost = true;
});

const kernels = await import('voxelgrad/kernels');

const bufferOf = (values) => {
  const buffer = device.createBuffer({
    size: values.byteLength,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
  });
  device.queue.writeBuffer(buffer, 0, values);
  return buffer;
};

async function read(buffer) {
  const staging = device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return values;
}

async function inPass(encode) {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  await encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

async function typed({ name, spec, overrides, params, grid }, buffers) {
  const k = await kernels[name].compile(device, { spec, overrides });
  await inPass((pass) => k.encode(pass, buffers, params, grid));
}

// What an app in another language would do: the file as it is, layout facts from the JSON.
async function raw({ name, overrides = {}, params, grid }, buffers) {
  const load = (ending) => readFile(new URL(import.meta.resolve(`voxelgrad/wgsl/${name}.${ending}`)), 'utf8');
  const entry = JSON.parse(await load('json')).entries.find((e) => e.entry === name);
  const module = device.createShaderModule({ code: await load('wgsl') });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: name, constants: overrides } });
  const bytes = new DataView(new ArrayBuffer(entry.params.size));
  for (const [field, { offset, type }] of Object.entries(entry.params.fields)) {
    bytes[{ u32: 'setUint32', i32: 'setInt32', f32: 'setFloat32' }[type]](offset, params[field], true);
  }
  const uniform = device.createBuffer({
    size: Math.ceil(bytes.byteLength / 16) * 16,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(uniform, 0, bytes.buffer);
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: entry.bindings.map(({ name: n, binding, kind }) => ({
      binding,
      resource: { buffer: kind === 'uniform' ? uniform : buffers[n] },
    })),
  });
  await inPass((pass) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...grid);
  });
}

const errors = {};
for (const problem of problems(adapter.info.subgroupMinSize)) {
  for (const [way, run] of Object.entries({ typed, raw })) {
    if (way === 'raw' && problem.needsSpec) continue; // the raw file has its defaults only
    const buffers = Object.fromEntries(Object.entries(problem.buffers).map(([name, values]) => [name, bufferOf(values)]));
    await run(problem, buffers);
    const got = await read(buffers.y);
    errors[`${problem.name} ${way}`] = Math.max(...got.map((v, i) => Math.abs(v - problem.expected[i])));
  }
}

// This device did not ask for shader-f16: the compiler's answer is an exception, not one of this app's uncaptured errors.
const refused = await kernels.conv.compile(device, { spec: { T: 'f16' } }).then(
  () => null,
  (e) => `${e.constructor.name}: ${e.message}`,
);
// Calls that would be errors of the device later, or wrong numbers: exceptions with the kernel's name, before anything is encoded.
const said = async (f) => {
  try {
    await f();
    return null;
  } catch (e) {
    return `${e.constructor.name}: ${e.message}`;
  }
};
const graph = await kernels.graph_conv.compile(device);
const { params: graphParams, buffers: graphValues } = problems(8).find((p) => p.name === 'graph_conv');
const graphBuffers = Object.fromEntries(Object.entries(graphValues).map(([name, values]) => [name, bufferOf(values)]));
const encoding = (bindings, params, grid) => said(() => inPass((pass) => graph.encode(pass, bindings, params, grid)));
const misuse = {
  'no binding': await encoding({}, graphParams, [1]),
  'no buffer': await encoding({ ...graphBuffers, x: new Float32Array(4) }, graphParams, [1]),
  'one buffer read and written': await encoding({ ...graphBuffers, y: graphBuffers.a }, graphParams, [1]),
  'a range outside': await encoding({ ...graphBuffers, x: { buffer: graphBuffers.x, offset: 256, size: 1 << 20 } }, graphParams, [1]),
  'no params': await encoding(graphBuffers, {}, [1]),
  'too many workgroups': await encoding(graphBuffers, graphParams, [70000]),
  'a grid in halves': await encoding(graphBuffers, graphParams, [1.5]),
  'no grid': await encoding(graphBuffers, graphParams),
  'an unknown spec': await said(() => kernels.graph_conv.compile(device, { spec: { U: 'f32' } })),
  'lanes beyond a subgroup': await said(() => kernels.norm.compile(device, { overrides: { LANES: 256, WG: 256 } })),
  'lanes that do not fill a workgroup': await said(() => kernels.norm.compile(device, { overrides: { LANES: 4, WG: 6 } })),
};
// An adapter whose subgroups may have 4 lanes, such as Chromium's SwiftShader: what is left out follows it, what is asked beyond it is
// refused.
const narrow = new Proxy(device, {
  get: (d, key) =>
    key === 'adapterInfo' ? { subgroupMinSize: 4, subgroupMaxSize: 4 } : typeof d[key] === 'function' ? d[key].bind(d) : d[key],
});
misuse['SG 8 where subgroups have 4'] = await said(() => kernels.conv.compile(narrow, { spec: { SG: '8u' } }));
misuse['SG left out'] = await said(() => kernels.conv.compile(narrow));
await device.queue.onSubmittedWorkDone();
const added = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name));
console.log(JSON.stringify({ errors, refused, misuse, uncaptured, lost, added }));
device.destroy();
