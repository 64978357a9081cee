// SPDX-License-Identifier: MIT
// Runs one kernel entry point on the default adapter with plain WebGPU: no engine in between. Outputs lie between guard
// words and start as NaN, so a missed element or a write past the end shows.
import { afterAll } from 'vitest';
import { fromF16, toF16 } from '../../src/engine/dtype.ts';
import { packParams } from '../../src/gpu/params.ts';
import type { KernelDef } from '../../src/gpu/kernel.ts';
import { provideGPU } from '../../src/gpu/provider.ts';
import { specialise } from '../../src/gpu/specialise.ts';

const GUARD = 256; // bytes before and after each output: the largest offset alignment that a device may ask
const STORAGE = 0x80,
  COPY_SRC = 0x4,
  COPY_DST = 0x8,
  UNIFORM = 0x40,
  MAP_READ = 0x1;

export type Values = Float32Array | Uint32Array | Int32Array | Uint16Array;
export interface Call<B extends string, P extends string, O extends string, S extends string> {
  /** Read-only inputs; `read_write` bindings hold their start values, or a typed array's length to fill with NaN. */
  buffers: Record<B, Values | { f32: number } | { f16: number } | { u32: number }>;
  params: Record<P, number>;
  grid: readonly [number, number?, number?];
  spec?: Partial<Record<S, string>>;
  overrides?: Partial<Record<O, number>>;
  /** Which workgroup does which work: results may not depend on it. Kernels name it `wid.x + wid.y * nwg.x`. */
  order?: 'reversed' | 'interleaved';
}
export const INDEX = 'wid.x + wid.y * nwg.x';
export const ORDERS = {
  reversed: `nwg.x * nwg.y - 1u - (${INDEX})`,
  interleaved: `select((${INDEX}) / 2u, nwg.x * nwg.y - 1u - (${INDEX}) / 2u, (${INDEX}) % 2u == 1u)`,
};

interface Opened {
  device: GPUDevice;
  software: boolean;
  subgroupSize: number;
}
let opened: Promise<Opened> | undefined;
let live: Opened | undefined;

async function open(): Promise<Opened> {
  const gpu = await provideGPU(); // with what openDevice asks of Dawn: subgroup matrices, f16 on NVIDIA
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('no WebGPU adapter: run `npm run setup`');
  const wanted = ['shader-f16', 'subgroups', 'subgroup-size-control', 'chromium-experimental-subgroup-matrix'].filter((f) =>
    adapter.features.has(f),
  ) as GPUFeatureName[];
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX, maxComputeWorkgroupStorageSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: wanted,
    requiredLimits: { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX, maxComputeWorkgroupStorageSize },
  });
  return (live = {
    device,
    software: /llvmpipe|swiftshader/i.test(`${adapter.info.description} ${adapter.info.device}`),
    subgroupSize: adapter.info.subgroupMinSize,
  });
}
afterAll(() => live?.device.destroy());

/** The device that the kernels run on. */
export const device = () => (opened ??= open());

/** Runs `def` once; returns every read_write binding as f32 numbers (u32 and i32 as they are). */
export async function run<B extends string, P extends string, O extends string, S extends string>(
  def: KernelDef<B, P, O, S>,
  call: Call<B, P, O, S>,
): Promise<Record<string, Float32Array | Uint32Array | Int32Array>> {
  const { device: gpu } = await device();
  const plain = def as unknown as KernelDef;
  gpu.pushErrorScope('validation');
  const code = specialise(plain, (call.spec as Record<string, string>) ?? {});
  const module = gpu.createShaderModule({ code: call.order ? code.replaceAll(INDEX, ORDERS[call.order]) : code });
  const pipeline = gpu.createComputePipeline({
    layout: 'auto',
    compute: { module, entryPoint: def.entry, constants: { ...call.overrides } },
  });
  const made: GPUBuffer[] = [];
  const outputs: { name: string; start: Values; buffer: GPUBuffer; staging: GPUBuffer; half: boolean }[] = [];
  const entries = plain.bindings.map(({ name, binding, kind }): GPUBindGroupEntry => {
    if (kind === 'uniform') {
      const bytes = packParams(plain, call.params);
      const buffer = made[made.push(gpu.createBuffer({ size: bytes.byteLength, usage: UNIFORM | COPY_DST })) - 1];
      gpu.queue.writeBuffer(buffer, 0, bytes);
      return { binding, resource: { buffer } };
    }
    const given = call.buffers[name as B];
    if (!given) throw new Error(`${def.entry}: no buffer for ${name}`);
    const start = isValues(given) ? given : fresh(given);
    const size = Math.max(4, Math.ceil(start.byteLength / 4) * 4);
    const bytes = new Uint8Array(size + 2 * GUARD).fill(0xa5);
    bytes.set(new Uint8Array(start.buffer, start.byteOffset, start.byteLength), GUARD);
    const buffer = made[made.push(gpu.createBuffer({ size: bytes.length, usage: STORAGE | COPY_SRC | COPY_DST })) - 1];
    gpu.queue.writeBuffer(buffer, 0, bytes);
    if (kind === 'read_write') {
      const staging = made[made.push(gpu.createBuffer({ size: bytes.length, usage: MAP_READ | COPY_DST })) - 1];
      outputs.push({ name, start, buffer, staging, half: start instanceof Uint16Array });
    }
    return { binding, resource: { buffer, offset: GUARD, size } };
  });
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(call.grid[0], call.grid[1] ?? 1, call.grid[2] ?? 1);
  pass.end();
  for (const { buffer, staging } of outputs) encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  gpu.queue.submit([encoder.finish()]);
  const error = await gpu.popErrorScope();
  if (error) throw new Error(`${def.entry}: ${error.message}`);
  const result: Record<string, Float32Array | Uint32Array | Int32Array> = {};
  for (const { name, start, staging, half } of outputs) {
    await staging.mapAsync(1);
    const bytes = new Uint8Array(staging.getMappedRange().slice(0));
    for (const i of bytes.keys())
      if ((i < GUARD || i >= GUARD + start.byteLength) && bytes[i] !== 0xa5)
        throw new Error(`${def.entry}: wrote outside of ${name}, at byte ${i - GUARD} of ${start.byteLength}`);
    const body = bytes.slice(GUARD, GUARD + start.byteLength).buffer;
    result[name] = half
      ? Float32Array.from(new Uint16Array(body), fromF16)
      : new (start.constructor as new (b: ArrayBuffer) => Float32Array)(body);
  }
  for (const buffer of made) buffer.destroy();
  return result;
}

const isValues = (given: object): given is Values => ArrayBuffer.isView(given);

function fresh(want: { f32: number } | { f16: number } | { u32: number }): Values {
  if ('f32' in want) return new Float32Array(want.f32).fill(NaN);
  return 'f16' in want ? new Uint16Array(want.f16).fill(0x7e00) : new Uint32Array(want.u32).fill(0x7fc00000);
}

/** Values in [-1, 1), the same on every run. */
export function noise(n: number, seed = 1, scale = 1, offset = 0): Float32Array {
  let s = (seed * 2654435761) >>> 0;
  return Float32Array.from({ length: n }, () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return ((s >>> 8) / 2 ** 23 - 1) * scale + offset;
  });
}

export const half = (x: ArrayLike<number>): Uint16Array => Uint16Array.from(x, toF16);
/** x after a round trip through f16, so that references see what the kernel sees. */
export const rounded = (x: ArrayLike<number>): Float32Array => Float32Array.from(x, (v) => fromF16(toF16(v)));

/** Normalised mean square error; NaN anywhere gives NaN. */
export function nmse(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) throw new Error(`got ${got.length} values, expected ${want.length}`);
  let error = 0,
    power = 0;
  for (let i = 0; i < want.length; i++) {
    error += (got[i] - want[i]) ** 2;
    power += want[i] ** 2;
  }
  return error === 0 ? 0 : error / power;
}

/** `workgroups` folded over two dimensions, as the engine's grid1d does. */
export function fold(workgroups: number): [number, number, number] {
  const y = Math.max(1, Math.ceil(workgroups / 65535));
  return [Math.max(1, Math.ceil(workgroups / y)), y, 1];
}
