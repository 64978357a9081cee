// SPDX-License-Identifier: MIT
// The host records iterations ahead of the device: it waits where values are read, and nowhere else.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { train } from '../../src/io/node/run/train.ts';
import { scratch } from '../data/helpers.ts';
import { slicesAlone, tinyDataset, tinyPlan } from './tiny_run.ts';

it('between two logged iterations nothing is waited for', async () => {
  const root = scratch();
  const dataset = await openDataset(await tinyDataset(join(root, 'data')));
  using device = await openDevice();
  let waits = 0;
  const wait = device.wait.bind(device);
  device.wait = (promise) => {
    waits++;
    return wait(promise);
  };
  const after: number[] = [];
  await train({
    plan: tinyPlan((plan) => {
      slicesAlone(plan);
      Object.assign(plan.training, { iterations: 11, checkpointEvery: 1000 });
    }),
    dataset,
    folder: join(root, 'run'),
    resume: false,
    onProgress: ({ stage, done }) => {
      if (stage === 'train') after[done] = waits;
    },
  });
  expect(after.slice(1, 10)).toEqual(Array(9).fill(after[1]));
  expect(after[10] - after[9]).toBe(1); // the row of the log
});
