// SPDX-License-Identifier: MIT
// Compute pipelines by (kernel file, entry point, spec values, overrides), each compiled once a device.
import { KernelCompileError } from '../errors.ts';
import type { KernelDef } from './kernel.ts';
import { sourceLine, specialise } from './specialise.ts';
import { expectSubgroups } from './subgroups.ts';

export interface Variant {
  readonly def: KernelDef;
  readonly spec: Readonly<Record<string, string>>;
  readonly overrides: Readonly<Record<string, number>>;
}

export function variantKey({ def, spec, overrides }: Variant): string {
  return `${def.file}:${def.entry}|${JSON.stringify(spec)}|${JSON.stringify(overrides)}`;
}

export class PipelineCache {
  private readonly gpu: GPUDevice;
  private readonly modules = new Map<string, GPUShaderModule>();
  private readonly pipelines = new Map<string, GPUComputePipeline>();
  /** Made by `get`, perhaps invalid: an error arrives later, as the device's. */
  private readonly unproved = new Map<string, GPUComputePipeline>();
  private readonly pending = new Map<string, Promise<GPUComputePipeline>>();

  constructor(gpu: GPUDevice) {
    this.gpu = gpu;
  }

  get size(): number {
    return new Set([...this.pipelines.keys(), ...this.unproved.keys()]).size;
  }

  /** After an error of the device any of these may be the invalid one: the next use compiles again, and says why it fails. */
  forgetUnproved(): void {
    if (this.unproved.size === 0) return;
    this.unproved.clear();
    this.modules.clear();
  }

  /** Blocking compilation, for eager use. WGSL errors surface as GPU errors at the next check. */
  get(variant: Variant): GPUComputePipeline {
    const key = variantKey(variant);
    let pipeline = this.pipelines.get(key) ?? this.unproved.get(key);
    if (!pipeline) {
      pipeline = this.gpu.createComputePipeline(this.descriptor(variant, key));
      this.unproved.set(key, pipeline);
    }
    return pipeline;
  }

  /** Compilation beside others, for freezing a program. @throws KernelCompileError with the compiler's message. */
  async compile(variant: Variant): Promise<GPUComputePipeline> {
    const key = variantKey(variant);
    const done = this.pipelines.get(key);
    if (done) return done;
    let pending = this.pending.get(key);
    if (!pending) {
      pending = this.gpu
        .createComputePipelineAsync(this.descriptor(variant, key))
        .then(
          (pipeline) => {
            this.pipelines.set(key, pipeline);
            return pipeline;
          },
          async (cause: unknown) => {
            throw await this.explain(variant, cause);
          },
        )
        .finally(() => this.pending.delete(key));
      this.pending.set(key, pending);
    }
    return pending;
  }

  private module(variant: Variant): GPUShaderModule {
    const key = `${variant.def.file}|${JSON.stringify(variant.spec)}`;
    let module = this.modules.get(key);
    if (!module) {
      module = this.gpu.createShaderModule({ label: variant.def.file, code: specialise(variant.def, variant.spec) });
      this.modules.set(key, module);
    }
    return module;
  }

  private descriptor(variant: Variant, label: string): GPUComputePipelineDescriptor {
    expectSubgroups(variant.def, variant.spec, variant.overrides, this.gpu);
    return {
      label,
      layout: 'auto',
      compute: { module: this.module(variant), entryPoint: variant.def.entry, constants: { ...variant.overrides } },
    };
  }

  private async explain(variant: Variant, cause: unknown): Promise<KernelCompileError> {
    const info = await this.module(variant).getCompilationInfo();
    const { file, wgsl } = variant.def;
    const lines = info.messages
      .filter((m) => m.type === 'error')
      .map((m) => `${sourceLine(file, wgsl, m.lineNum)}:${m.linePos}: ${m.message}`);
    const reason = lines.length > 0 ? lines.join('\n') : (cause as Error).message;
    return new KernelCompileError(`${variant.def.entry} (${variantKey(variant)}): ${reason}`);
  }
}
