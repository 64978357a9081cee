// SPDX-License-Identifier: MIT
// A run that goes on where another adapter left it: its record says so, for times and last bits are of both.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parsePlan } from '../../src/train/plan.ts';
import { scratch } from '../data/helpers.ts';
import { slicesAlone, tinyDataset, tinyPlan } from '../train/tiny_run.ts';
import { untrained } from './untrained.ts';
import { voxelgrad } from './voxelgrad.ts';

const root = scratch();

it('says which adapter trained it until when, and keeps that where nothing is left to train', async () => {
  const data = await tinyDataset(join(root, 'data'));
  const run = join(root, 'run');
  await untrained(
    run,
    parsePlan(
      tinyPlan((p) => {
        slicesAlone(p);
        p.training.iterations = 3;
      }),
      'plan',
    ),
    { iterations: 3, adapter: 'a card', driver: 'one of 2025' },
  );
  const machine = (): { adapter: string } => JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')).machine;
  const first = await voxelgrad(['train', data, '--run', run, '--resume']);
  expect(first.out + first.err).toContain('another adapter than a card [one of 2025] until iteration 2: times of both are added up');
  expect([first.code, machine().adapter]).toEqual([0, expect.stringMatching(/.; before it a card \[one of 2025\] until iteration 2$/)]);
  expect(first.out).toContain('before it a card [one of 2025] until iteration 2');
  const before = machine();
  const again = await voxelgrad(['train', data, '--run', run, '--resume']);
  expect([again.code, (again.out + again.err).includes('another adapter')]).toEqual([0, false]);
  expect(machine()).toEqual(before);
});
