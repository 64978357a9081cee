// SPDX-License-Identifier: MIT
// One kernel on a device of the caller's, without the engine: what `voxelgrad/kernels` exports.
import { callable, expectArguments, fields, maybe, scalar, shown, text, type Kind } from '../check.ts';
import { LimitError, VoxelgradError } from '../errors.ts';
import type { KernelDef } from './kernel.ts';
import { packParams } from './params.ts';
import { PipelineCache } from './pipelines.ts';
import { withSubgroups } from './subgroups.ts';

export type Binding = GPUBuffer | GPUBufferBinding;
export type Grid = readonly [x: number, y?: number, z?: number];

/** A kernel compiled for one device. Hold it as long as it is used; buffers that `encode` binds stay the caller's. */
export interface CompiledKernel<B extends string, P extends string> {
  readonly pipeline: GPUComputePipeline;
  /**
   * Adds one dispatch to the caller's compute pass. Every binding and every field of `params` is needed; a binding that the
   * params switch off may be given any other readable buffer of the call. No buffer may be bound both for reading and for writing.
   * @throws VoxelgradError USAGE for a binding that is missing or no storage buffer, LimitError for a range or a grid that the device
   * cannot take
   */
  encode(pass: GPUComputePassEncoder, bindings: Readonly<Record<B, Binding>>, params: Readonly<Record<P, number>>, grid: Grid): void;
}

/** Values by name; no names at all where the kernel declares none. */
type Choice<K extends string, V> = [K] extends [never] ? Readonly<Record<string, never>> : Readonly<Partial<Record<K, V>>>;

export interface CompileKernelOptions<O extends string, S extends string> {
  /** Values of the declarations tagged `@spec`, such as the storage type: `{ T: 'f16' }`. `SG` follows the device where it is left out. */
  readonly spec?: Choice<S, string>;
  /** Values of WGSL overrides, such as workgroup sizes. */
  readonly overrides?: Choice<O, number>;
}

export interface Kernel<B extends string, P extends string, O extends string, S extends string> {
  /** Bindings, fields of `Params`, spec values, overrides, and the WGSL text itself. */
  readonly def: KernelDef<B, P, O, S>;
  /** @throws KernelCompileError with the compiler's message: the device lacks a feature of the file, or has smaller subgroups than asked */
  compile(device: GPUDevice, options?: CompileKernelOptions<O, S>): Promise<CompiledKernel<B, P>>;
}

const caches = new WeakMap<GPUDevice, PipelineCache>();
/** Uniform buffers a compiled kernel keeps, one for every params it saw lately. The collector frees those it lets go. */
const KEPT = 64;

export function kernel<B extends string, P extends string, O extends string, S extends string>(
  def: KernelDef<B, P, O, S>,
): Kernel<B, P, O, S> {
  const plain = def as unknown as KernelDef;
  return {
    def,
    async compile(device, options = {}) {
      expectArguments(def.entry, { device: aDevice, options: fields({ spec: maybe(named(text)), overrides: maybe(named(scalar)) }) }, [
        device,
        options,
      ]);
      let cache = caches.get(device);
      if (!cache) caches.set(device, (cache = new PipelineCache(device)));
      // A kernel that does not compile is this call's error, not one of the caller's uncaptured ones.
      device.pushErrorScope('validation');
      const compiling = cache.compile({
        def: plain,
        spec: withSubgroups(plain, (options.spec ?? {}) as Record<string, string>, device),
        overrides: (options.overrides ?? {}) as Record<string, number>,
      });
      void device.popErrorScope().catch(() => null);
      const pipeline = await compiling;
      const layout = pipeline.getBindGroupLayout(0);
      const kept = new Map<string, GPUBuffer>();
      return {
        pipeline,
        encode(pass, bindings, params, grid) {
          expectArguments(def.entry, { bindings: named(aBinding), params: named(scalar) }, [bindings, params]);
          const [x, y, z] = expectGrid(device, def.entry, grid);
          expectBindings(device, plain, bindings);
          const entries = plain.bindings.map(({ name, binding, kind }) => {
            const given: Binding = kind === 'uniform' ? uniform(device, plain, params, kept) : (bindings as Record<string, Binding>)[name];
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

const named =
  (kind: Kind): Kind =>
  (where, what, v) => {
    if (typeof v !== 'object' || v === null)
      throw new VoxelgradError('USAGE', `${where}: got ${what} ${shown(v)}, expected values by name.`);
    for (const [name, value] of Object.entries(v)) kind(where, `${what}.${name}`, value);
  };
const aDevice: Kind = (where, what, v) => {
  callable(where, `${what}.createComputePipelineAsync`, (v as GPUDevice | null | undefined)?.createComputePipelineAsync);
};
const bufferOf = (b: Binding): GPUBuffer => ('buffer' in b ? b.buffer : b);
const aBinding: Kind = (where, what, v) => {
  const buffer = typeof v === 'object' && v !== null ? bufferOf(v as Binding) : undefined;
  if (typeof buffer?.size !== 'number')
    throw new VoxelgradError('USAGE', `${where}: got ${what} ${shown(v)}, expected a GPUBuffer or a range of one.`);
};

/** @throws LimitError unless each dimension is one that the device can take */
function expectGrid({ limits }: GPUDevice, entry: string, grid: Grid): [number, number, number] {
  const most = limits.maxComputeWorkgroupsPerDimension;
  const full = Array.isArray(grid) ? [...(grid as readonly number[]), 1, 1].slice(0, Math.max(3, grid.length)) : [];
  if (full.length !== 3 || full.some((n) => !Number.isInteger(n) || n < 0 || n > most))
    throw new LimitError(
      `${entry}: got a grid of ${shown(grid)} workgroups, expected one to three integers from 0 to ${most}.`,
      'One-dimensional work is folded over two dimensions: see the head of the kernel file.',
    );
  return full as [number, number, number];
}

/** @throws VoxelgradError USAGE, LimitError */
function expectBindings({ limits }: GPUDevice, { entry, bindings }: KernelDef, given: Readonly<Record<string, Binding>>): void {
  const modes = new Map<GPUBuffer, { name: string; kind: string }>();
  for (const { name, kind } of bindings) {
    if (kind === 'uniform') continue;
    const bound = given[name];
    if (!bound)
      throw new VoxelgradError(
        'USAGE',
        `${entry}: got no binding ${name}, expected ${bindings
          .filter((b) => b.kind !== 'uniform')
          .map((b) => b.name)
          .join(', ')}.`,
      );
    const buffer = bufferOf(bound);
    const { offset = 0, size = buffer.size - offset } = 'buffer' in bound ? bound : {};
    if (!(buffer.usage & 0x80)) throw new VoxelgradError('USAGE', `${entry}: got a buffer without GPUBufferUsage.STORAGE as ${name}.`);
    if (!(
      Number.isInteger(offset) &&
      offset >= 0 &&
      offset % limits.minStorageBufferOffsetAlignment === 0 &&
      size > 0 &&
      offset + size <= buffer.size
    )) {
      throw new VoxelgradError(
        'USAGE',
        `${entry}: got bytes ${offset} to ${offset + size} of a buffer of ${buffer.size} as ${name}, expected a range of it from a ` +
          `multiple of ${limits.minStorageBufferOffsetAlignment}.`,
      );
    }
    if (size > limits.maxStorageBufferBindingSize)
      throw new LimitError(
        `${entry}: binds ${size} bytes as ${name}, got limit maxStorageBufferBindingSize ${limits.maxStorageBufferBindingSize}.`,
      );
    const other = modes.get(buffer);
    if (other && other.kind !== kind)
      throw new VoxelgradError(
        'USAGE',
        `${entry}: got one buffer as ${other.name} (${other.kind}) and as ${name} (${kind}), expected two.`,
      );
    modes.set(buffer, { name, kind });
  }
}

function uniform(device: GPUDevice, def: KernelDef, params: Readonly<Record<string, number>>, kept: Map<string, GPUBuffer>): GPUBuffer {
  const bytes = packParams(def, params);
  const key = String.fromCharCode(...new Uint8Array(bytes));
  let buffer = kept.get(key);
  if (!buffer) {
    // UNIFORM | COPY_DST
    buffer = device.createBuffer({ label: `${def.entry} params`, size: Math.ceil(bytes.byteLength / 16) * 16, usage: 0x40 | 0x8 });
    device.queue.writeBuffer(buffer, 0, bytes);
    if (kept.size === KEPT) kept.delete(kept.keys().next().value!);
    kept.set(key, buffer);
  }
  return buffer;
}
