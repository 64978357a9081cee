// SPDX-License-Identifier: MIT
// A whole training step: against PyTorch, eager against replay against fused, run against run, over poisoned memory.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { nmse } from '../kernels/harness.ts';
import { poison } from './poison.ts';
import { batch, example, stateOf, training, type Training } from './small_resnet.ts';

const STEPS = 10;
const golden = (JSON.parse(readFileSync(new URL('../golden/engine/resnet_step.json', import.meta.url), 'utf8')) as { losses: number[] })
  .losses;

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

interface Run {
  losses: number[];
  state: Map<string, Float32Array>;
  training: Training;
}

async function replayed(steps: number, options: { fuse: boolean; before?: () => void }): Promise<Run> {
  const t = training();
  using program = await compile(t.step, example, { fuse: options.fuse });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    options.before?.();
    losses.push(await program.run(batch()).loss.item());
  }
  return { losses, state: await stateOf(t), training: t };
}

async function eager(steps: number): Promise<Run> {
  const t = training();
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const { x, target } = batch();
    const input = { x: tensor(x, example.x), target: tensor(target, example.target) };
    const { loss } = evaluate(() => t.step(input));
    losses.push(await loss.item());
    for (const used of [input.x, input.target, loss]) used.dispose();
  }
  return { losses, state: await stateOf(t), training: t };
}

describe('ten steps of Adam on a residual network', () => {
  let unfused: Run;
  beforeAll(async () => {
    unfused = await replayed(STEPS, { fuse: false });
  });

  it('lose what PyTorch float64 loses, to 1e-4', async () => {
    const fused = await replayed(STEPS, { fuse: true });
    for (const { losses } of [fused, unfused])
      losses.forEach((loss, i) => expect(Math.abs(loss / golden[i] - 1), `step ${i}: ${loss}, PyTorch ${golden[i]}`).toBeLessThan(1e-4));
  });

  it('end in the same bits eagerly and replayed', async () => {
    const { losses, state } = await eager(STEPS);
    expect(losses).toEqual(unfused.losses);
    for (const [name, values] of state) expect(values, name).toEqual(unfused.state.get(name));
  });

  it('end in the same bits twice, whatever recycled memory holds', async () => {
    const { losses, state } = await replayed(STEPS, {
      fuse: false,
      before: () => {
        expect(device.slots.length).toBeGreaterThan(3);
        poison(device);
      },
    });
    expect(losses).toEqual(unfused.losses);
    for (const [name, values] of state) expect(values, name).toEqual(unfused.state.get(name));
  });

  it('change every parameter', async () => {
    const { net } = training();
    for (const [name, { data }] of await net.stateDict()) expect(data, name).not.toEqual(unfused.state.get(name));
  });
});

it('a fused step leaves the gradients and the running statistics within 1e-6', async () => {
  // After one step the first moment is a tenth of the gradient.
  const [fused, unfused] = [await replayed(1, { fuse: true }), await replayed(1, { fuse: false })];
  for (const [name, values] of fused.state) {
    if (name.startsWith('exp_avg.') || name.includes('running')) expect(nmse(values, unfused.state.get(name)!), name).toBeLessThan(1e-6);
  }
});

it('a frozen program makes no GPU object while it runs', async () => {
  const t = training();
  using program = await compile(t.step, example);
  program.run(batch());
  const made: string[] = [];
  const gpu = device.gpu as unknown as Record<string, (...args: unknown[]) => unknown>;
  const factories = [
    'createBuffer',
    'createBindGroup',
    'createBindGroupLayout',
    'createPipelineLayout',
    'createShaderModule',
    'createComputePipeline',
    'createComputePipelineAsync',
    'createQuerySet',
  ];
  for (const name of factories)
    gpu[name] = (...args) => {
      made.push(name);
      return (Object.getPrototypeOf(gpu) as typeof gpu)[name].apply(device.gpu, args);
    };
  try {
    for (let i = 1; i < 4; i++) program.run(batch());
    expect(made).toEqual([]);
    device.gpu.createBuffer({ size: 16, usage: 0x80 }).destroy();
    expect(made).toEqual(['createBuffer']); // the count works
  } finally {
    for (const name of factories) delete gpu[name];
  }
  await device.sync();
});
