// SPDX-License-Identifier: MIT
// Pseudo labels from averages of the weights: of an average that keeps nothing they are those of the networks themselves, bit by bit;
// one that keeps something teaches otherwise, and no running statistic sees it look.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { train } from '../../src/io/node/run/train.ts';
import type { Plan } from '../../src/methods/plan.ts';
import { buildAverages, buildNetworks, buildOptimisers } from '../../src/train/networks.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { scratch } from '../data/helpers.ts';
import { iterations, phantomSampler, startTraining } from '../train/phantom_step.ts';

const root = scratch();
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** The least that a number can say: 1 less this is 1. */
const NOTHING = 1e-30;

/** A small VNet and two small U-Nets that believe every label, and take steps large enough to change their minds. */
function plan(teacherAverage: number): any {
  const made: Plan<any> = presetPlan('demo', 'cross_teaching');
  made.data.roi = [16, 16, 16];
  made.data.jitter = [0, 0, 0];
  made.classes = ['background', 'lesion'];
  Object.assign(made.method, { rate: 0.05, vnet: { width: 2, dropout: 0 }, unet: { width: 2 } });
  Object.assign(made.method.cross, { teacherAverage, softThreshold: 0.5, hardThreshold: 0.5 });
  return made;
}

it('of an average that keeps nothing are those of the networks', async () => {
  const rows = await iterations(plan(0), 4);
  expect(await iterations(plan(NOTHING), 4)).toEqual(rows);
  const kept = await iterations(plan(0.9), 4);
  expect(kept[0]).toEqual(rows[0]); // before the first update they are the same
  expect(kept).not.toEqual(rows);
});

it('leave running statistics alone', async () => {
  const statistics = async (teacherAverage: number): Promise<unknown> => {
    const own = plan(teacherAverage);
    using training = await startTraining(own);
    await training.run(await phantomSampler(own).iteration(0));
    const entries = await Promise.all(Object.values(training.nets).map((net) => net.stateDict()));
    return entries.flatMap((dict) => [...dict].filter(([name]) => name.includes('running')).map(([, { data }]) => data));
  };
  expect(await statistics(0.9)).toEqual(await statistics(0));
});

it('are made where networks exchange, and nowhere else', () => {
  const averagesOf = (own: any): string[] => {
    const nets = buildNetworks(own);
    return [...buildAverages(own, nets, buildOptimisers(own, nets)).keys()];
  };
  expect(averagesOf(plan(0.9))).toEqual(['vnet', 'transverse', 'coronal']);
  expect(averagesOf(plan(0))).toEqual([]);
  const alone = plan(0.9);
  alone.method.cross.enabled = false;
  expect(averagesOf(alone)).toEqual([]);
});

it('go on with the same bits after a stop', async () => {
  const data = join(root, 'data');
  await writePhantomDataset(data, { training: 6, test: 1, size: [16, 16, 16], seed: 5, radii: [3, 5], contrast: 300 });
  const dataset = await openDataset(data);
  const own = plan(0.9);
  own.classes = dataset.info.classes.map(({ name }) => name);
  Object.assign(own.training, { iterations: 6, selections: 1 });
  own.method.cross.warmStart = 0;
  const session = async (name: string, { until = 0, resume = false } = {}): Promise<string> => {
    const stop = new AbortController();
    const folder = join(root, name);
    const onProgress = ({ stage, done }: { stage: string; done: number }): void => {
      if (stage === 'train' && done === until) stop.abort();
    };
    await train({ plan: own, dataset, folder, resume, signal: stop.signal, onProgress });
    return folder;
  };
  const { tensors } = await readCheckpoint(checkpointPath(await session('whole'), 'final'));
  const kept = [...tensors.keys()].filter((name) => name.startsWith('average.'));
  expect(kept.length).toBeGreaterThan(100);
  expect(kept.some((name) => tensors.get(name)!.data.some((v, i) => v !== tensors.get(name.slice(8))!.data[i]))).toBe(true);
  await session('stopped', { until: 4 });
  const stopped = await readCheckpoint(checkpointPath(await session('stopped', { resume: true }), 'final'));
  expect([...stopped.tensors.keys()]).toEqual([...tensors.keys()]);
  for (const [name, { data: values }] of tensors) expect(stopped.tensors.get(name)!.data, name).toEqual(values);
});
