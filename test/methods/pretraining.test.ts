// SPDX-License-Identifier: MIT
// Learning from scans before labels: what is hidden, that no label is seen, that all scans are, and that a stopped run goes on.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { readLog } from '../../src/io/node/run/log.ts';
import { train } from '../../src/io/node/run/train.ts';
import { methodOf } from '../../src/methods/methods.ts';
import { hiddenBlocks, paintOrSegment, pretrains, shown } from '../../src/methods/pretraining.ts';
import { buildNetworks, buildOptimisers } from '../../src/train/networks.ts';
import { parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { Sampler } from '../../src/train/sampler.ts';
import { scratch } from '../data/helpers.ts';
import { phantomSampler, read } from '../train/phantom_step.ts';

const root = scratch();
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

function plan(pretraining: number): any {
  const made: any = presetPlan('demo', 'vnet');
  Object.assign(made.data, { roi: [16, 16, 16], jitter: [0, 0, 0] });
  made.classes = ['background', 'lesion'];
  Object.assign(made.method, { network: { width: 2, dropout: 0 }, pretraining });
  return made;
}

it('hides blocks of 8 voxels, six of ten, others in another region, the same for the same', () => {
  const size = [16, 48, 44] as const;
  const found = hiddenBlocks(size, 7, 3);
  expect(hiddenBlocks(size, 7, 3)).toEqual(found);
  expect(hiddenBlocks(size, 7, 4)).not.toEqual(found);
  const at = (z: number, y: number, x: number): number => found[(z * size[1] + y) * size[2] + x];
  for (let z = 0; z < size[0]; z++)
    for (let y = 0; y < size[1]; y++) for (let x = 0; x < size[2]; x++) expect(at(z, y, x)).toBe(at(z - (z % 8), y - (y % 8), x - (x % 8)));
  const share = Array.from({ length: 50 }, (_, n) => hiddenBlocks(size, 7, n).reduce((a, b) => a + b) / found.length);
  expect(share.reduce((a, b) => a + b) / 50).toBeCloseTo(0.6, 1);
  expect([0, 1, 2, 3].map((it) => pretrains(0.5, it, 4))).toEqual([true, true, false, false]);
  expect([0, 1, 2, 3].map((it) => pretrains(0.9, it, 4))).toEqual([true, true, true, false]); // the last learns labels
});

it('is scored by what it painted where it saw nothing', async () => {
  const line = (values: readonly number[], ...more: number[]) =>
    tensor(values, { shape: [1, 1, 1, values.length / (more[0] ?? 1), ...more] });
  const [image, hidden] = [line([0.5, -1, 0.25, 1]), line([0, 1, 1, 0])];
  const [on, off] = [tensor([1]), tensor([0])];
  expect([...(await shown(image, hidden, on).data())].map((v) => v + 0)).toEqual([0.5, 0, 0, 1]); // -0 is 0
  expect(await shown(image, hidden, off).data()).toEqual(await image.data());
  const logits = line([9, 9, 1, 0.5, 0, 0.25, 9, 9], 2); // paints -0.5 and 0.25 where hidden
  const segmentation = tensor([3], { shape: [] });
  expect(await paintOrSegment(segmentation, on, logits, image, hidden).item()).toBeCloseTo(0.25 / 3, 6);
  expect(await paintOrSegment(segmentation, off, logits, image, hidden).item()).toBe(3);
});

it('sees no label while it paints, learns to paint, and segments afterwards', async () => {
  const own = plan(0.5);
  const [feed] = await phantomSampler(own).iteration(0);
  const blind = { ...feed, label: feed.label.map((v: number) => 1 - v), annotated: feed.annotated.map(() => 1) };
  const after = async (volume: any, pretraining: 0 | 1): Promise<number[]> => {
    const nets = buildNetworks(own);
    const optimisers = buildOptimisers(own, nets);
    const step = await methodOf(own).step(own, nets, optimisers, { partial: false });
    const losses: number[] = [];
    for (let iteration = 0; iteration < 12; iteration++)
      losses.push((await read(await step.run([volume], { iteration, pretrains: pretraining }))).vnet);
    step.dispose();
    for (const o of optimisers.values()) o.dispose();
    return losses;
  };
  const painted = await after(feed, 1);
  expect(await after(blind, 1)).toEqual(painted);
  expect(painted.at(-1)).toBeLessThan(0.6 * painted[0]);
  expect(await after(blind, 0)).not.toEqual(await after(feed, 0));
});

it('draws all training cases while it paints, and annotated ones after', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const sampler = new Sampler(plan(0.5), names, () => Promise.reject(new Error('not loaded')), new Set(['b', 'c', 'd', 'e', 'f']));
  const drawn = (all: boolean): string[] => [...new Set(names.map((_, n) => sampler.caseOf(n, { all })))].sort();
  expect([drawn(true), drawn(false)]).toEqual([names, ['a']]);
});

it('goes on with the same bits after a stop in either part; the log says which', async () => {
  const data = join(root, 'data');
  await writePhantomDataset(data, { training: 6, test: 1, size: [16, 16, 16], seed: 5, radii: [3, 5], contrast: 300 });
  const dataset = await openDataset(data);
  const own = plan(0.5);
  own.classes = dataset.info.classes.map(({ name }) => name);
  Object.assign(own.training, { iterations: 6, selections: 3, checkpointEvery: 1 });
  Object.assign(own.annotation, { use: 'dense', cases: 1 });
  const session = async (name: string, { until = 0, resume = false } = {}): Promise<string> => {
    const stop = new AbortController();
    const folder = join(root, name);
    const onProgress = ({ stage, done }: { stage: string; done: number }): void => {
      if (stage === 'train' && done === until) stop.abort();
    };
    await train({ plan: parsePlan(JSON.parse(JSON.stringify(own))), dataset, folder, resume, signal: stop.signal, onProgress });
    return folder;
  };
  const whole = await session('whole');
  const rows = readLog(whole).filter((row) => row.loss) as readonly Record<string, any>[];
  expect(rows.map(({ iteration, pretrains: paints }) => [iteration, paints])).toEqual([1, 2, 3, 4, 5, 6].map((n) => [n, Number(n <= 3)]));
  const validated = readLog(whole).flatMap((row) => (row.dice ? [row.iteration] : []));
  expect(validated, 'none of two iterations, which had seen no label').toEqual([4, 6]);
  const { tensors } = await readCheckpoint(checkpointPath(whole, 'final'));
  await session('stopped', { until: 2 });
  await session('stopped', { until: 5, resume: true });
  const stopped = await readCheckpoint(checkpointPath(await session('stopped', { resume: true }), 'final'));
  for (const [name, { data: values }] of tensors) expect(stopped.tensors.get(name)!.data, name).toEqual(values);
  // Time that ends with the first ten iterations (so many validations need more) leaves none to learn a label in.
  Object.assign(own.training, { iterations: 20, maxMinutes: 0.1, selections: 1000 });
  await expect(session('short')).rejects.toThrow(/no label was learnt in the time there is, got 0\.1 minutes for 10 iterations/);
});

it('is a field of the VNet alone, and off; where it can do nothing the plan is refused', () => {
  const parsed = (method: string, fields: object): unknown => {
    const made: any = presetPlan('demo', method);
    Object.assign(made.method, fields);
    made.training.iterations = 10;
    return parsePlan(JSON.parse(JSON.stringify(made)));
  };
  expect(() => parsed('vnet', { pretraining: 0.1 })).not.toThrow();
  expect(() => parsed('vnet', { pretraining: 0.09 })).toThrow(/method\.pretraining: got 0\.09 of 10 iterations, which is none/);
  expect(() => parsed('sanet', { pretraining: 0.1 })).toThrow(/method\.pretraining: unknown field/);
  expect(() => parsed('unet3d', { pretraining: 0.1 })).toThrow(/method\.pretraining: unknown field/);
  expect((presetPlan('tiny', 'vnet').method as any).pretraining).toBe(0);
  expect(presetPlan('tiny', 'unet3d').method).not.toHaveProperty('pretraining');
  const before: any = presetPlan('tiny', 'vnet');
  delete before.method.pretraining;
  expect(parsePlan(JSON.parse(JSON.stringify(before)))).toEqual(presetPlan('tiny', 'vnet'));
});
