// SPDX-License-Identifier: MIT
// Predictors take many regions at once: what each is given is to the bit what it would be given alone, and comes back in one piece.
import { describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { densePredictor } from '../../src/methods/dense_predictor.ts';
import { methodOf } from '../../src/methods/methods.ts';
import type { Plan } from '../../src/methods/plan.ts';
import type { SanetNetworks } from '../../src/methods/sanet/networks.ts';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';
import { Predictor } from '../../src/methods/sanet/predictor.ts';
import type { Segmenter } from '../../src/methods/supervised.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { buildNetworks } from '../../src/train/networks.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { openAs, stepPlan, type Chooser } from '../train/phantom_step.ts';

function compared(method: string): Plan {
  const plan = presetPlan('demo', method);
  plan.data.roi = [16, 32, 32];
  return plan;
}

const noise = (n: number, seed: number): Float32Array => {
  let state = seed;
  return Float32Array.from({ length: n }, () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return 2 * (state / 2 ** 32) - 1;
  });
};

/** How often the host waits for values while `f` runs. */
async function waits(device: Device, f: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const { gpu } = device;
  const create = gpu.createBuffer.bind(gpu);
  gpu.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    const map = buffer.mapAsync.bind(buffer);
    buffer.mapAsync = (...args) => {
      count++;
      return map(...args);
    };
    return buffer;
  };
  try {
    await f();
  } finally {
    gpu.createBuffer = create;
  }
  return count;
}

const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), a.length === b.length ? 0 : Infinity);

/**
 * With more slices a GPU computes SA-Net's attention by kernels instead of products (`byProducts`), and a processor norms and softmax with
 * fewer lanes: sums of another order, as far from float64 (6e-7 over 64 tokens), which moved logits by up to 7 roundings (2^-24) of the
 * largest. An untrained head's reach 140, where that is 1e-5 of a probability; a head 64 times as small leaves 2.2 of the same digits. Of
 * a difference softmax makes half at most: of 16 roundings, this.
 */
const ANOTHER_ORDER = (16 * 2 ** -24 * 2.2) / 2;
async function smallLogits({ transverse, coronal }: SanetNetworks): Promise<void> {
  for (const net of [transverse, coronal]) {
    const { weight } = net!.head!.out; // its bias is 0 with three classes
    weight.setTorchValues((await weight.torchValues()).map((v) => v / 64));
  }
}

/**
 * Read-backs of a run: SA-Net's clicks are found by the host, between its 2D networks and SAM. How far apart probabilities may be: a GPU
 * joins regions, to the bit where its sums are in one order.
 */
describe.each<[string, Chooser | 'joined', () => Plan, number, number]>([
  ['sanet', 'a processor', () => stepPlan('full', 3), 2, 0],
  ['sanet', 'joined', () => stepPlan('full', 3), 2, ANOTHER_ORDER],
  ['sanet', 'a GPU', () => stepPlan('full', 3), 2, ANOTHER_ORDER],
  ['sanet', 'a GPU of small tiles', () => stepPlan('full', 3), 2, 0],
  ['vnet', 'a processor', () => compared('vnet'), 1, 0],
  ['vnet', 'a GPU', () => compared('vnet'), 1, 0],
  ['unet2d', 'a processor', () => compared('unet2d'), 1, 0],
  ['unet2d', 'a GPU', () => compared('unet2d'), 1, 0],
  ['cross_teaching', 'a processor', () => compared('cross_teaching'), 1, 0],
  ['cross_teaching', 'a GPU', () => compared('cross_teaching'), 1, 0],
  ['ctn', 'a processor', () => compared('ctn'), 1, 0],
  ['ctn', 'a GPU', () => compared('ctn'), 1, 0],
])('%s, %s', (method, how, makePlan, readBacks, most) => {
  it('says of five regions together what it says of each alone, and is waited for as often as for one', async () => {
    const joined = how === 'joined'; // with whatever tiles the adapter takes
    using device = await (joined ? openDevice() : openAs(how));
    const plan = makePlan();
    const nets = buildNetworks(plan);
    if (method === 'sanet') await smallLogits(nets);
    const predictor = joined ? await Predictor.create(plan as SanetPlan, nets, true) : await methodOf(plan).predictor(plan, nets);
    const images = [1, 2, 3, 4, 5].map((seed) =>
      noise(
        plan.data.roi.reduce((a, b) => a * b, 1),
        seed,
      ),
    );
    expect(predictor.most).toBeGreaterThanOrEqual(images.length);
    let together: Awaited<ReturnType<typeof predictor.run>> = [];
    expect(
      await waits(device, async () => {
        together = await predictor.run(images);
      }),
    ).toBe(readBacks);
    for (const [i, image] of images.entries()) {
      const [alone] = await predictor.run([image]);
      expect(Object.keys(alone).sort()).toEqual(Object.keys(methodOf(plan).networks(plan)).sort());
      for (const [name, p] of Object.entries(alone))
        expect(apart(p, together[i][name]), `${name} of region ${i}`).toBeLessThanOrEqual(most);
    }
    for (const [name, p] of Object.entries(together[0])) expect(apart(p, together[1][name]), name).toBeGreaterThan(most);
    predictor.dispose();
  });
});

it.each<[string, Chooser | 'an adapter', number]>([
  ['unet3d', 'an adapter', 1e-5],
  ['unet3d', 'a GPU', 0],
  ['ctn', 'an adapter', 0],
  ['ctn', 'a GPU', 0],
])('%s, as %s computes: a region is the same whatever shares its run', async (method, how, most) => {
  using _device = await (how === 'an adapter' ? openDevice() : openAs(how));
  const plan = compared(method);
  const nets = buildNetworks(plan);
  const net = nets[method] as Segmenter;
  const predictor = await densePredictor(
    plan,
    [net],
    (image, n) => ({ p: softmax(net.forward(reshape(image, [n, ...plan.data.roi, 1])), -1) }),
    true,
  );
  const of = (seed: number): Float32Array => noise(16 * 32 * 32, seed);
  const [alone] = await predictor.run([of(1)]);
  for (const company of [
    [2, 3, 4],
    [5, 6, 7],
  ])
    expect(apart(alone.p, (await predictor.run([1, ...company].map(of)))[0].p)).toBeLessThanOrEqual(most);
  predictor.dispose();
});
