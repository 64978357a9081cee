// SPDX-License-Identifier: MIT
// What the adapter can do at best, as WGSL reaches it: multiply-adds in registers, and copying 60 MiB. Rows give their share of it.
import { median } from './contest.mjs';

const LANES = 64;
/** Ways to copy: lanes of a workgroup, vectors a lane. The fastest tells the limit. */
const COPIERS = [
  [64, 1],
  [256, 1],
  [256, 4],
];
const CHAINS = 8; // independent vec4 sums: enough to hide a multiply-add's latency, few enough for registers
const STEPS = 512;
const GROUPS = 1024;
const COPY_BYTES = 60 * 2 ** 20; // 61,440 workgroups at most, within every limit
const SAMPLES = 5;
const FLOOR_MS = 20;

const multiplyAdds = `
@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = vec4f(1.0 + f32(id.x & 7u) * 1e-7);
  ${Array.from({ length: CHAINS }, (_, i) => `var s${i} = a * ${i}.5;`).join('\n  ')}
  for (var k = 0u; k < ${STEPS}u; k++) {
    ${Array.from({ length: CHAINS }, (_, i) => `s${i} = fma(s${i}, a, a);`).join('\n    ')}
  }
  y[id.x] = ${Array.from({ length: CHAINS }, (_, i) => `s${i}`).join(' + ')};
}`;
const FLOPS = GROUPS * LANES * STEPS * CHAINS * 4 * 2;

const copy = ([lanes, vectors]) => `
@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  // Lavapipe takes nearly twice as long with local_invocation_index.
  let first = wid.x * ${lanes * vectors}u + lane.x;
  ${Array.from({ length: vectors }, (_, k) => `y[first + ${k * lanes}u] = x[first + ${k * lanes}u];`).join('\n  ')}
}`;

/** Milliseconds of a dispatch: the median of samples long enough that waiting for the queue weighs little. */
async function timed(device, wait, code, buffers, groups) {
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module: device.createShaderModule({ code }) } });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const sample = async (runs) => {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < runs; i++) pass.dispatchWorkgroups(groups);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await wait();
    return (performance.now() - start) / runs;
  };
  await sample(1); // compilation
  const runs = Math.max(1, Math.ceil(FLOOR_MS / (await sample(1))));
  const times = [];
  while (times.length < SAMPLES) times.push(await sample(runs));
  return median(times);
}

/** { gflops, gbs, copiers } of an open device, the last in words; `wait` resolves when its queue is empty. */
export async function limitsOf(device, wait) {
  const buffer = (size) => device.createBuffer({ size, usage: 0x80 }); // STORAGE
  const [x, y] = [buffer(COPY_BYTES), buffer(COPY_BYTES)];
  const gflops = FLOPS / (await timed(device, wait, multiplyAdds, [y], GROUPS)) / 1e6;
  const rates = [];
  for (const way of COPIERS) {
    const groups = COPY_BYTES / 16 / way[0] / way[1];
    rates.push((2 * COPY_BYTES) / (await timed(device, wait, copy(way), [y, x], groups)) / 1e6);
  }
  x.destroy();
  y.destroy();
  return { gflops, gbs: Math.max(...rates), copiers: COPIERS.map((way, i) => `${way.join(' x ')}: ${rates[i].toFixed(0)}`).join(', ') };
}
