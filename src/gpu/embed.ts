// SPDX-License-Identifier: MIT
// One kernel on a device of the caller's, without the engine: what `voxelgrad/kernels` exports.
import type { KernelDef } from './kernel.ts';
import { packParams } from './params.ts';
import { PipelineCache } from './pipelines.ts';

export type Binding = GPUBuffer | GPUBufferBinding;
export type Grid = readonly [x: number, y?: number, z?: number];

/** A kernel compiled for one device. Hold it as long as it is used; buffers that `encode` binds stay the caller's. */
export interface CompiledKernel<B extends string, P extends string> {
  readonly pipeline: GPUComputePipeline;
  /**
   * Adds one dispatch to the caller's compute pass. Every binding and every field of `params` is needed; a binding that the
   * params switch off may be given any other readable buffer of the call. No buffer may be bound both for reading and for writing.
   */
  encode(pass: GPUComputePassEncoder, bindings: Readonly<Record<B, Binding>>, params: Readonly<Record<P, number>>, grid: Grid): void;
}

/** Values by name; no names at all where the kernel declares none. */
type Choice<K extends string, V> = [K] extends [never] ? Readonly<Record<string, never>> : Readonly<Partial<Record<K, V>>>;

export interface CompileKernelOptions<O extends string, S extends string> {
  /** Values of the declarations tagged `@spec`, such as the storage type: `{ T: 'f16' }`. */
  readonly spec?: Choice<S, string>;
  /** Values of WGSL overrides, such as workgroup sizes. */
  readonly overrides?: Choice<O, number>;
}

export interface Kernel<B extends string, P extends string, O extends string, S extends string> {
  /** Bindings, fields of `Params`, spec values, overrides, and the WGSL text itself. */
  readonly def: KernelDef<B, P, O, S>;
  /** @throws KernelCompileError with the compiler's message, e.g. where the device lacks a feature that the file enables. */
  compile(device: GPUDevice, options?: CompileKernelOptions<O, S>): Promise<CompiledKernel<B, P>>;
}

const caches = new WeakMap<GPUDevice, PipelineCache>();
/** Uniform buffers a compiled kernel keeps, one for every params it saw lately. The collector frees those it lets go. */
const KEPT = 64;

export function kernel<B extends string, P extends string, O extends string, S extends string>(def: KernelDef<B, P, O, S>): Kernel<B, P, O, S> {
  const plain = def as unknown as KernelDef;
  return {
    def,
    async compile(device, options = {}) {
      let cache = caches.get(device);
      if (!cache) caches.set(device, cache = new PipelineCache(device));
      // A kernel that does not compile is this call's error, not one of the caller's uncaptured ones.
      device.pushErrorScope('validation');
      const compiling = cache.compile({
        def: plain, spec: (options.spec ?? {}) as Record<string, string>, overrides: (options.overrides ?? {}) as Record<string, number>,
      });
      void device.popErrorScope().catch(() => null);
      const pipeline = await compiling;
      const layout = pipeline.getBindGroupLayout(0);
      const kept = new Map<string, GPUBuffer>();
      return {
        pipeline,
        encode(pass, bindings, params, [x, y = 1, z = 1]) {
          const entries = plain.bindings.map(({ name, binding, kind }) => {
            const given: Binding = kind === 'uniform' ? uniform(device, plain, params, kept) : (bindings as Record<string, Binding>)[name]!;
            return { binding, resource: 'buffer' in given ? given : { buffer: given } };
          });
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, device.createBindGroup({ label: def.entry, layout, entries }));
          pass.dispatchWorkgroups(x, y, z);
        },
      };
    },
  };
}

function uniform(device: GPUDevice, def: KernelDef, params: Readonly<Record<string, number>>, kept: Map<string, GPUBuffer>): GPUBuffer {
  const bytes = packParams(def, params);
  const key = String.fromCharCode(...new Uint8Array(bytes));
  let buffer = kept.get(key);
  if (!buffer) {
    buffer = device.createBuffer({ label: `${def.entry} params`, size: Math.ceil(bytes.byteLength / 16) * 16, usage: 0x40 | 0x8 }); // UNIFORM | COPY_DST
    device.queue.writeBuffer(buffer, 0, bytes);
    if (kept.size === KEPT) kept.delete(kept.keys().next().value!);
    kept.set(key, buffer);
  }
  return buffer;
}
