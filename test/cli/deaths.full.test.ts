// SPDX-License-Identifier: MIT
// A run in trouble, sixty rounds of it.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { slicesAlone, tinyDataset, tinyPlan, writePlan } from '../train/tiny_run.ts';
import { campaign } from './deaths.ts';
import { moments } from './killed.ts';
import { bundleCli, memoryScratch } from './processes.ts';

const root = memoryScratch();

it('a run met by kills, signals, a second process and other data ends with the bits of one left alone', async () => {
  const data = await tinyDataset(join(root, 'data'));
  const plan = writePlan(
    root,
    tinyPlan((p) => {
      slicesAlone(p);
      p.training.iterations = 400;
      p.training.checkpointEvery = 'auto';
    }),
  );
  const met = await campaign({ cli: await bundleCli(), data, plan, root, rounds: 60, random: moments() });
  console.log(met.join(', '));
  expect(met).toHaveLength(60);
});
