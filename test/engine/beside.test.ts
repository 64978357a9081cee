// SPDX-License-Identifier: MIT
// Calls of one kernel in one dispatch: the text of every kernel twice over, and a program of two networks against the same one with a
// dispatch for every call.
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { spec } from '../../src/engine/dtype.ts';
import { defineOp, dispatch } from '../../src/engine/op.ts';
import { compile } from '../../src/engine/program.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import type { KernelDef } from '../../src/gpu/kernel.ts';
import { several } from '../../src/gpu/several.ts';
import { onesInit } from '../../src/nn/init.ts';
import { LayerNorm } from '../../src/nn/layers.ts';
import { Module } from '../../src/nn/module.ts';
import { Parameter } from '../../src/nn/parameter.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { adam } from '../../src/optim/optimiser.ts';
import { gelu, mul } from '../../src/ops/pointwise.ts';
import { mean, sum } from '../../src/ops/reduce.ts';
import { noise } from '../kernels/harness.ts';
import { poison } from './poison.ts';

const folder = new URL('../../src/gen/', import.meta.url);
const isKernel = (x: unknown): x is KernelDef => typeof x === 'object' && x !== null && 'entry' in x && 'wgsl' in x;

it('every kernel, twice in one dispatch, with every value of its spec, is valid WGSL', async () => {
  const device = await openDevice();
  const wrong: string[] = [];
  let tried = 0;
  for (const file of readdirSync(folder)) {
    const defs = Object.values((await import(new URL(file, folder).href)) as Record<string, unknown>).filter(isKernel);
    for (const def of defs) {
      // Text of subgroup matrices is valid only where the adapter has them (Lavapipe 26).
      if (/^enable chromium_experimental_subgroup_matrix/m.test(def.wgsl) && !device.caps.subgroupMatrix) continue;
      const most = Math.max(1, ...Object.values(def.spec).map((values) => values.length));
      for (let i = 0; i < most; i++) {
        const chosen = Object.fromEntries(Object.entries(def.spec).flatMap(([name, v]) => (v[0] === '*' ? [] : [[name, v[i % v.length]]])));
        const { wgsl } = several({ def, spec: chosen, overrides: {} }, 2).def;
        device.gpu.pushErrorScope('validation');
        const { messages } = await device.gpu.createShaderModule({ code: wgsl }).getCompilationInfo();
        await device.gpu.popErrorScope();
        tried++;
        const error = messages.find(({ type }) => type === 'error');
        if (error)
          wrong.push(`${def.file} ${def.entry} ${JSON.stringify(chosen)}: ${error.message}\n${wgsl.split('\n')[error.lineNum - 1]}`);
      }
    }
  }
  device.close();
  expect(wrong).toEqual([]);
  expect(tried).toBeGreaterThan(250);
});

/** Without products, whose text a slow compiler takes a minute for where it stands there four times. */
class Norms extends Module {
  readonly norm = [16, 16].map((n) => new LayerNorm(n));
  readonly scale = new Parameter([16], onesInit);
  forward(x: Tensor): Tensor {
    const y = mul(this.norm[1].forward(gelu(this.norm[0].forward(x))), this.scale);
    return sum(mul(softmax(y), y), { axes: [1] });
  }
}

/** Two steps of two networks on one batch, of other weights, as a GPU of so many bindings would do them. */
async function trained(storages: number) {
  const device: Device = await openDevice();
  const { caps } = device;
  const limits = { ...caps.limits, maxStorageBuffersPerShaderStage: storages };
  Object.assign(device, { caps: { ...caps, software: false, limits } });
  const nets = [1, 2].map((seed) => new Norms().initialise(seed));
  nets.forEach((net, i) => net.scale.setTorchValues(noise(16, i)));
  const optimisers = nets.map((net) => adam(net.parameters(), { lr: 0.01, clipNorm: 1 }));
  const program = await compile(
    ({ x }: { x: Tensor }) =>
      nets.map((net, i) => {
        const y = net.forward(x);
        const loss = mean(mul(y, y));
        optimisers[i].step(backward(loss, net.parameters()));
        return loss;
      }),
    { x: spec([64, 16]) },
  );
  const losses: number[] = [];
  for (let step = 0; step < 2; step++) {
    poison(device);
    for (const loss of program.run({ x: noise(64 * 16, step) })) losses.push(await loss.item());
  }
  const weights = await Promise.all(nets.flatMap((net) => net.parameters()).map(async (p) => [...(await p.data())]));
  const made = { listing: program.dispatches(), report: program.report(), losses, weights };
  device.close();
  return made;
}

it('two networks side by side: fewer dispatches, the bits of one after the other', async () => {
  const one = await trained(1);
  const both = await trained(16);
  expect(both.losses).toEqual(one.losses);
  expect(both.weights).toEqual(one.weights);
  expect(one.report.dispatches).toBe(one.listing.length);
  const calls = (listing: typeof one.listing): number => listing.reduce((n, each) => n + each.calls.length, 0);
  expect(calls(one.listing)).toBe(one.listing.length);
  expect(calls(both.listing)).toBe(one.listing.length);
  expect(both.listing.length).toBeLessThan(0.55 * one.listing.length);
  expect(both.report.flops).toBeCloseTo(one.report.flops, -3);
});

it('a kernel of its user, which counts through the grid, keeps a dispatch a call', async () => {
  using device = await openDevice();
  Object.assign(device, { caps: { ...device.caps, software: false } });
  const kernel: KernelDef<'x' | 'y', never, never, never> = {
    file: 'own.wgsl',
    entry: 'own',
    wgsl: `@group(0) @binding(0) var<storage, read> x: array<f32>; @group(0) @binding(1) var<storage, read_write> y: array<f32>;
      @compute @workgroup_size(64) fn own(@builtin(global_invocation_id) at: vec3u) { y[at.x] = 2 * x[at.x]; }`,
    bindings: [
      { name: 'x', binding: 0, kind: 'read', type: 'array<f32>' },
      { name: 'y', binding: 1, kind: 'read_write', type: 'array<f32>' },
    ],
    params: null,
    spec: {},
    overrides: {},
  };
  const twice = defineOp({
    name: 'twice',
    call: (x: Tensor) => ({ inputs: [x], attrs: {} }),
    infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
    lower: ({ inputs: [x], outputs: [y] }) => [dispatch(kernel, { x, y }, {} as never, [2, 1, 1])],
  });
  const [a, b] = [noise(128, 1), noise(128, 2)];
  using program = await compile(({ x, z }: { x: Tensor; z: Tensor }) => [twice(x), twice(z)], { x: spec([128]), z: spec([128]) });
  const [x, z] = program.run({ x: a, z: b });
  expect(await x.data()).toEqual(a.map((v) => 2 * v));
  expect(await z.data()).toEqual(b.map((v) => 2 * v));
  expect(program.report().dispatches).toBe(2);
});
