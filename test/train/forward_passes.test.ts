// SPDX-License-Identifier: MIT
// How often networks run for scans as small as one region, on a GPU that computes nothing: as many at a time as memory allows.
import { expect, it, vi } from 'vitest';
import { prepareCase, type PreparedCase } from '../../src/data/sample.ts';
import { Program } from '../../src/engine/program.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { dryDevice } from '../../src/gpu/dry.ts';
import { networkList, type RoiPredictor } from '../../src/methods/method.ts';
import { methodOf } from '../../src/methods/methods.ts';
import type { Plan, Preset } from '../../src/methods/plan.ts';
import { makeNetworks } from '../../src/train/networks.ts';
import { segment, segmentEach } from '../../src/train/inference.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { validate } from '../../src/train/validate.ts';

const NODULES = 16;

/** Cases of one region each, annotated everywhere. */
function nodules({ data: { roi } }: Plan): PreparedCase[] {
  const grid = {
    size: [...roi] as [number, number, number],
    spacing: [1, 1, 1],
    origin: [0, 0, 0],
    direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  };
  const voxels = roi.reduce((a, b) => a * b, 1);
  const window = { low: -1000, high: 1000, outLow: -1, outHigh: 1, zScore: false };
  return Array.from({ length: NODULES }, (_, i) =>
    prepareCase(
      {
        name: `nodule ${i}`,
        image: { ...grid, data: new Int16Array(voxels) } as never,
        label: new Uint8Array(voxels).fill(1),
        weight: new Uint8Array(voxels).fill(1),
        unlabelled: [],
        stored: grid as never,
      },
      null,
      window,
    ),
  );
}

/** Forward passes of a network, of however many slices or regions, while `f` runs. */
async function forwardPasses(f: () => Promise<unknown>): Promise<number> {
  const run = vi.spyOn(Program.prototype, 'run');
  await f();
  const { length } = run.mock.calls;
  run.mockRestore();
  return length;
}

async function predictorOf(plan: Plan): Promise<RoiPredictor> {
  const nets = makeNetworks(plan);
  for (const { net } of networkList(nets)) net.blank();
  return methodOf(plan).predictor(plan, nets);
}

it.each<Preset>(['tiny', 'base'])(
  '`%s`: 16 nodules take no more forward passes than 16 iterations, predicted or validated',
  async (preset) => {
    using _device = await openDevice({ gpuDevice: dryDevice() });
    const plan = presetPlan(preset);
    const predictor = await predictorOf(plan),
      cases = nodules(plan);
    const names: string[] = [];
    const together = await forwardPasses(async () => {
      for await (const { scan, masks } of segmentEach(plan, predictor, cases)) {
        names.push(scan.name);
        expect(Object.keys(masks).sort()).toEqual(['coronal', 'ensemble', 'sam', 'transverse']);
      }
    });
    expect(names).toEqual(cases.map(({ name }) => name));
    expect(together).toBeLessThanOrEqual(NODULES);
    expect(await forwardPasses(() => validate(plan, predictor, cases))).toBe(together);
    // Three networks each, or more, where nobody waits for company.
    expect(NODULES * (await forwardPasses(() => segment(plan, predictor, cases[0])))).toBeGreaterThanOrEqual(3 * NODULES);
  },
);

it('a scan that is larger than the regions of a run is not held while the next one is read', async () => {
  const plan = presetPlan('demo');
  plan.data.roi = [4, 8, 8];
  const [one] = nodules(plan);
  const large = { ...one, grid: { ...one.grid, size: [4, 8, 40] as [number, number, number] }, image: new Float32Array(4 * 8 * 40) };
  const wide = { ...large, native: large.grid };
  let read: string[] = [];
  function* scans(...all: PreparedCase[]) {
    for (const scan of all) {
      read.push(scan.name);
      yield scan;
    }
  }
  const found: string[][] = [];
  const networks = {
    most: 4,
    run: (images: readonly Float32Array[]) => Promise.resolve(images.map((image) => ({ p: new Float32Array(2 * image.length) }))),
  };
  for await (const { scan } of segmentEach(plan, networks, scans({ ...wide, name: 'a' }, { ...wide, name: 'b' }, { ...one, name: 'c' }))) {
    found.push([scan.name, ...read]);
    read = [];
  }
  expect(found).toEqual([
    ['a', 'a'],
    ['b', 'b'],
    ['c', 'c'],
  ]);
});
