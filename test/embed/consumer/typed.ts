// SPDX-License-Identifier: MIT
// Compiled, never run: what the declarations of the published package promise, and what they refuse.
import { graph_conv, type CompiledKernel } from 'voxelgrad/kernels';
import { compile, conv2d, spec, type Tensor } from 'voxelgrad';
import { Net2D, presetPlan } from 'voxelgrad/sanet';

export async function one(device: GPUDevice, pass: GPUComputePassEncoder, buffer: GPUBuffer): Promise<void> {
  const k = await graph_conv.compile(device, { spec: { T: 'f32' } });
  const buffers = { a: buffer, x: { buffer, offset: 256 }, w: buffer, y: buffer };
  const params = { batch: 1, receivers: 1, sources: 1, features: 1, outputs: 1, a_batch: 0 };
  k.encode(pass, buffers, params, [1]);
  // @ts-expect-error a field is missing
  k.encode(pass, buffers, { batch: 1 }, [1]);
  // @ts-expect-error a binding is missing
  k.encode(pass, { a: buffer }, params, [1]);
  // @ts-expect-error no such spec
  await graph_conv.compile(device, { spec: { U: 'f32' } });
  // @ts-expect-error this kernel has no overrides
  await graph_conv.compile(device, { overrides: { KH: 3 } });
  // @ts-expect-error a binding of another kernel
  const other: CompiledKernel<'q', never> = k;
  void other;
}

export async function engine(weight: Tensor): Promise<Float32Array> {
  const step = await compile(({ x }) => ({ y: conv2d(x, weight, { padding: 1 }) }), { x: spec([1, 8, 8, 4]) });
  const { y } = step.run({ x: new Float32Array(256) });
  return (await y.data()) as Float32Array;
}

export const net = (): Net2D => new Net2D({ ...presetPlan('tiny').method.network2d, recovery: 8, classes: 2 });
