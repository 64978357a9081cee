// SPDX-License-Identifier: MIT
// The readings of the paper that a plan may choose instead of ours: group norm, no learned temperature, no bias to the interior.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { likeBatchNorm, useGroupNorm } from '../../src/models/sanet/group_norm.ts';
import { GroupNorm } from '../../src/nn/norms.ts';
import { BAA, type BAAOptions } from '../../src/models/sanet/rm.ts';
import { BatchNorm, CBR } from '../../src/nn/layers.ts';
import { makeNetworks } from '../../src/train/networks.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { iterations, smallPlan } from '../train/phantom_step.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const values = (n: number, f: (i: number) => number): Float32Array => Float32Array.from({ length: n }, (_, i) => f(i));
const noise = (i: number): number => Math.sin(12.9898 * i + 1) * 2;

describe('boundary-aware attention', () => {
  const [size, width] = [6, 16];
  const encoder = (): Tensor => tensor(values(size * size * 32, noise), { shape: [1, size, size, 32] });
  const mask = (f: (i: number) => number): Tensor => tensor(values(size * size, f), { shape: [1, size, size, 1] });
  const boundary = (i: number): number => 0.5 + 0.4 * Math.sin(i);
  async function run(options: BAAOptions, interior: (i: number) => number, change: (m: BAA) => void = () => {}): Promise<number[]> {
    const module = new BAA(32, width, options).initialise(3).eval();
    // The same weights whatever parameters there are beside them.
    for (const [, p] of module.namedParameters())
      p.setTorchValues(values(p.size, (i) => (p.torchShape.length > 1 ? 0.3 * noise(i + p.size) : 1)));
    change(module);
    return [...(await module.forward(encoder(), mask(boundary), mask(interior)).data())];
  }
  const close = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((v, i) => Math.abs(v - b[i])));
  const uneven = (i: number): number => (i % 3 === 0 ? 0.9 : 0.01);

  it('with temperature one is that with learned temperatures of 1, without their parameters', async () => {
    const one = await run({ learnedTemperature: false }, uneven);
    expect(
      close(
        one,
        await run({}, uneven, (m) => {
          for (const tau of [m.tau_s!, m.tau_c!]) tau.setTorchValues(values(tau.size, () => 1));
        }),
      ),
    ).toBeLessThan(1e-5);
    expect(
      close(
        one,
        await run({}, uneven, (m) => {
          for (const tau of [m.tau_s!, m.tau_c!]) tau.setTorchValues(values(tau.size, () => 5));
        }),
      ),
    ).toBeGreaterThan(1e-3);
    expect(
      [...new BAA(32, width, { learnedTemperature: false }).namedParameters()]
        .map(([name]) => name)
        .filter((name) => name.startsWith('tau')),
    ).toEqual([]);
  });

  it('without the interior bias is that with a bias of 0, and differs otherwise', async () => {
    const everywhere = (): number => 1 - 1e-4; // log(m + 1e-4) = 0
    expect(close(await run({ interiorBias: false }, everywhere), await run({}, everywhere))).toBeLessThan(1e-5);
    expect(close(await run({ interiorBias: false }, uneven), await run({}, uneven))).toBeGreaterThan(1e-3);
  });
});

describe('group norm', () => {
  it('normalises each slice by itself in gcd(32, C) groups, with residual and ReLU', async () => {
    const [channels, pixels] = [48, 10]; // 16 groups of 3
    const data = values(2 * pixels * channels, noise),
      extra = values(2 * pixels * channels, (i) => noise(i + 7));
    const norm = likeBatchNorm(new BatchNorm(channels).initialise(1));
    const shape = [2, pixels, 1, channels];
    const out = await norm.forward(tensor(data, { shape }), { add: tensor(extra, { shape }), relu: true }).data();
    for (const slice of [0, 1])
      for (const group of [0, 7, 15]) {
        const at = [...Array(pixels * 3).keys()].map((k) => (slice * pixels + Math.floor(k / 3)) * channels + 3 * group + (k % 3));
        const mean = at.reduce((s, i) => s + data[i], 0) / at.length;
        const deviation = Math.sqrt(at.reduce((s, i) => s + (data[i] - mean) ** 2, 0) / at.length + 1e-5);
        for (const i of at) expect(out[i]).toBeCloseTo(Math.max(0, (data[i] - mean) / deviation + extra[i]), 4);
      }
  });

  it('takes the place of every batch norm, and of its running statistics', () => {
    const plan = presetPlan('demo');
    const count = (p: typeof plan): number => makeNetworks(p).transverse.countParameters();
    const before = count(plan);
    plan.method.network2d.norm = 'gn';
    const net = makeNetworks(plan).transverse;
    expect([...net.modules()].filter((m) => m instanceof BatchNorm)).toEqual([]);
    expect([...net.namedParameters()].filter(([name]) => name.includes('running_'))).toEqual([]);
    expect(count(plan)).toBe(before);
    const alone = new CBR(8, 8, 1);
    useGroupNorm(alone);
    expect(alone.bn).toBeInstanceOf(GroupNorm);
  });
});

it('all three train', async () => {
  const plan = smallPlan([4, 32, 32]);
  plan.method.sam.enabled = false;
  plan.method.network2d.norm = 'gn';
  plan.method.network2d.recovery.temperature = 'one';
  plan.method.network2d.recovery.interiorBias = false;
  const [first, second] = await iterations(plan, 2);
  for (const row of [first, second]) for (const [name, value] of Object.entries(row)) expect(Number.isFinite(value), name).toBe(true);
  expect(first.transverse_norm).toBeGreaterThan(0);
  expect(second.transverse).not.toBe(first.transverse);
});
