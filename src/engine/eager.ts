// SPDX-License-Identifier: MIT
// Executes one op call at once: the same lowering as a program, with fresh memory for every output.
import { LimitError, VoxelgradError } from '../errors.ts';
import { currentDevice, type Device } from '../gpu/device.ts';
import { packParams } from '../gpu/params.ts';
import type { Call } from '../gpu/profile.ts';
import { submit } from '../gpu/submit.ts';
import { byteSize, type Spec } from './dtype.ts';
import { expectKnown, indicesOf, watchNode } from './indices.ts';
import { lowerCall, type Dispatch, type Op } from './lower.ts';
import { Storage, Tensor } from './tensor.ts';

export function executeNow(op: Op, inputs: readonly (Tensor | null)[], specs: readonly Spec[], attrs: unknown): Tensor[] {
  const device = inputs.find((t) => t !== null)?.storage.device ?? currentDevice();
  device.check();
  if (op.view) return [new Tensor(specs[0], inputs[0]!.storage.retain())];
  const outputs: Tensor[] = [];
  try {
    for (const s of specs) outputs.push(new Tensor(s, Storage.alloc(device, byteSize(s), op.name)));
    executeInto(device, op, inputs, outputs, attrs, op.name);
  } catch (e) {
    for (const t of outputs) t.dispose();
    throw e;
  }
  return outputs;
}

/** Lowers and submits one op call on concrete tensors. */
export function executeInto(
  device: Device,
  op: Op,
  inputs: readonly (Tensor | null)[],
  outputs: readonly Tensor[],
  attrs: unknown,
  label: string,
): void {
  const { dispatches, scratch } = lowerCall(op, inputs, outputs, attrs, device.caps);
  if (dispatches.length === 0) return;
  for (const t of inputs) if (t) expectDevice(label, device, t.storage);
  for (const use of indicesOf({ op, inputs, attrs }, label)) {
    expectKnown(use.index.storage, use.below, label);
    for (const node of watchNode(device, use)) executeInto(device, node.op, node.inputs, [], node.attrs, node.label);
  }
  for (const t of [...outputs, ...(op.mutates?.(attrs as never) ?? []).map((i) => inputs[i])]) t?.storage.changed();
  const temporaries: Storage[] = [];
  const uniforms: GPUBuffer[] = [];
  try {
    for (const s of scratch) temporaries.push(Storage.alloc(device, byteSize(s), `${label} scratch`));
    const calls = dispatches.map((d): Call => {
      const pipeline = device.pipelines.get(d);
      const storageOf = (name: string): Storage => {
        const ref = d.bindings[name];
        if (!ref) throw new VoxelgradError('INTERNAL', `${label}: ${d.def.entry} needs binding ${name}.`);
        return ref.role === 'scratch'
          ? temporaries[ref.index]
          : ref.role === 'input'
            ? inputs[ref.index]!.storage
            : outputs[ref.index].storage;
      };
      let uniform: GPUBindingResource | null = null;
      if (d.def.params) {
        // UNIFORM | COPY_DST
        const buffer = device.gpu.createBuffer({ size: d.def.params.size, usage: 0x40 | 0x8, label: `${label} params` });
        device.gpu.queue.writeBuffer(buffer, 0, packParams(d.def, d.params));
        uniforms.push(buffer);
        uniform = { buffer };
      }
      const entries = bindEntries(device, d, storageOf, uniform, label);
      const group = device.gpu.createBindGroup({ label, layout: pipeline.getBindGroupLayout(0), entries });
      const bytes = device.debug ? boundBytes(d, storageOf) : 0;
      return { pipeline, group, x: d.grid[0], y: d.grid[1], z: d.grid[2], label: `${label} ${d.def.entry}`, bytes };
    });
    submit(device, calls, label);
  } finally {
    for (const buffer of uniforms) buffer.destroy();
    for (const t of temporaries) t.release();
  }
}

/** @throws VoxelgradError DEVICE for memory of another device. */
export function expectDevice(where: string, device: Device, storage: Storage): void {
  if (storage.device !== device)
    throw new VoxelgradError(
      'DEVICE',
      `${where}: got memory of another device than the one it runs on.`,
      'Make all tensors of a computation on one device.',
    );
}

/** Of all that a dispatch binds, once each. */
export function boundBytes({ def, bindings }: Dispatch, storageOf: (name: string) => { readonly bytes: number }): number {
  const once = new Map(def.bindings.filter(({ kind }) => kind !== 'uniform').map(({ name }) => [bindings[name], name]));
  return [...once.values()].reduce((n, name) => n + storageOf(name).bytes, 0);
}

/** Bind group entries of one dispatch. @throws LimitError when a range is larger than the device can bind, or the grid too wide. */
export function bindEntries(
  device: Device,
  d: Dispatch,
  storageOf: (name: string) => Storage,
  uniform: GPUBindingResource | null,
  label: string,
): GPUBindGroupEntry[] {
  const { maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension } = device.caps.limits;
  if (d.grid.some((n) => n > maxComputeWorkgroupsPerDimension)) {
    throw new LimitError(
      `${label}: ${d.def.entry} asks for ${d.grid.join(' x ')} workgroups, got limit maxComputeWorkgroupsPerDimension ` +
        `${maxComputeWorkgroupsPerDimension}.`,
      'Fold one-dimensional work with grid1d().',
    );
  }
  return d.def.bindings.map((b) => {
    if (b.kind === 'uniform') return { binding: b.binding, resource: uniform! };
    const { buffer, offset, bytes } = storageOf(b.name);
    if (bytes > maxStorageBufferBindingSize) {
      throw new LimitError(
        `${label}: ${d.def.entry} binds ${bytes} bytes as ${b.name}, got limit maxStorageBufferBindingSize ${maxStorageBufferBindingSize}.`,
        'Use a smaller batch, patch or preset.',
      );
    }
    return { binding: b.binding, resource: { buffer, offset, size: bytes } };
  });
}
