// SPDX-License-Identifier: MIT
// Raw WebGPU for experiments: a device, pipelines from text, timings. No engine code.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
process.env.MESA_SHADER_CACHE_DISABLE ??= 'true';
const gpu = create(['enable-dawn-features=allow_unsafe_apis']);

export async function open() {
  const adapter = await gpu.requestAdapter();
  const device = await adapter.requestDevice({
    requiredFeatures: ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'].filter((f) => adapter.features.has(f)),
    requiredLimits: {
      maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
      maxBufferSize: adapter.limits.maxBufferSize,
      maxComputeWorkgroupStorageSize: adapter.limits.maxComputeWorkgroupStorageSize,
    },
  });
  device.addEventListener('uncapturederror', (e) => {
    console.error(e.error.message);
    process.exit(1);
  });
  const name = /Mesa \d+/.exec(adapter.info.description)?.[0] ?? adapter.info.description;
  return { gpu, device, name, driver: adapter.info.description, adapter };
}

export const random = (n, seed = 1) => {
  const out = new Float32Array(n);
  let s = seed >>> 0;
  for (let i = 0; i < n; i++) {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    out[i] = (s >>> 8) / 2 ** 23 - 1;
  }
  return out;
};

/** TypeScript of src, bundled: `{ window: 'ops/window.ts' }` -> `{ window: module }`. */
export async function importSource(modules) {
  const root = join(import.meta.dirname, '../..');
  const outfile = join(root, `node_modules/.cache/voxelgrad/lab-${process.pid}.mjs`);
  const contents = Object.entries(modules)
    .map(([name, path]) => `export * as ${name} from './src/${path}';`)
    .join('\n');
  await build({ stdin: { contents, resolveDir: root }, bundle: true, format: 'esm', platform: 'node', packages: 'external', outfile });
  try {
    return await import(outfile);
  } finally {
    rmSync(outfile);
  }
}

/** Nanoseconds of processor time that this process's threads but the main one (which polls) have had: the driver's. */
function driverTime() {
  let ns = 0;
  for (const tid of readdirSync('/proc/self/task')) {
    if (tid === String(process.pid)) continue;
    try {
      ns += Number(readFileSync(`/proc/self/task/${tid}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      /* a thread that has ended */
    }
  }
  return ns;
}

export class Lab {
  constructor({ gpu, device, name, driver, adapter }) {
    Object.assign(this, { gpu, device, name, driver, adapter });
  }

  buffer(data) {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const b = this.device.createBuffer({ size: Math.max(16, (typeof data === 'number' ? data : data.byteLength + 3) & ~3), usage });
    if (typeof data !== 'number') this.device.queue.writeBuffer(b, 0, data);
    return b;
  }

  uniform(data) {
    const b = this.device.createBuffer({ size: (data.byteLength + 15) & ~15, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    this.device.queue.writeBuffer(b, 0, data);
    return b;
  }

  async read(b) {
    const s = this.device.createBuffer({ size: b.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const e = this.device.createCommandEncoder();
    e.copyBufferToBuffer(b, 0, s, 0, b.size);
    this.device.queue.submit([e.finish()]);
    await s.mapAsync(GPUMapMode.READ);
    const out = new Float32Array(s.getMappedRange().slice(0));
    s.destroy();
    return out;
  }

  /** A dispatch ready to run: bindings are { number: buffer }. */
  call(code, entry, bindings, grid, constants = {}) {
    const module = this.device.createShaderModule({ code });
    const pipeline = this.device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: entry, constants } });
    const group = this.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: Object.entries(bindings).map(([binding, buffer]) => ({ binding: +binding, resource: { buffer } })),
    });
    return { pipeline, group, grid };
  }

  /** Milliseconds of processor time, half the sum over the driver's two workers: other processes on the machine do not lengthen it. */
  async run(calls, repeat = 1) {
    const e = this.device.createCommandEncoder();
    const pass = e.beginComputePass();
    for (let r = 0; r < repeat; r++) {
      for (const c of calls) {
        pass.setPipeline(c.pipeline);
        pass.setBindGroup(0, c.group);
        pass.dispatchWorkgroups(...c.grid);
      }
    }
    pass.end();
    const before = driverTime();
    this.device.queue.submit([e.finish()]);
    await this.device.queue.onSubmittedWorkDone();
    return (driverTime() - before) / repeat / 2e6;
  }

  /** Medians of interleaved rounds; each candidate is { calls }. */
  async race(candidates, { rounds = 7, floor = 4 } = {}) {
    const times = candidates.map(() => []);
    const repeats = [];
    for (const c of candidates) repeats.push(Math.min(500, Math.ceil(floor / Math.max(1e-3, await this.run(c.calls)))));
    for (let r = 0; r < rounds; r++) {
      for (const [i, c] of candidates.entries()) times[i].push(await this.run(c.calls, repeats[i]));
    }
    return times.map((t) => t.sort((a, b) => a - b)[t.length >> 1]);
  }
}

/** Largest difference relative to the largest reference value. */
export function error(got, want) {
  let worst = 0,
    scale = 1e-30;
  for (let i = 0; i < want.length; i++) {
    const d = Math.abs(got[i] - want[i]);
    worst = Number.isNaN(d) ? Infinity : Math.max(worst, d);
    scale = Math.max(scale, Math.abs(want[i]));
  }
  return worst / scale;
}
