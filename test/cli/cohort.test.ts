// SPDX-License-Identifier: MIT
// deploy/slurm/cohort.sbatch: which part of a cohort a task takes, whoever else is submitted with it.
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, it } from 'vitest';
import { memoryScratch } from './processes.ts';

const folder = memoryScratch();
writeFileSync(join(folder, 'srun'), '#!/usr/bin/env bash\necho "$@"\n');
chmodSync(join(folder, 'srun'), 0o755);

/** What a task of an array would run, as Slurm would start it. */
function task(id: number, ids: readonly number[], more: Record<string, string> = {}): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('bash', ['deploy/slurm/cohort.sbatch', 'scans', 'masks', 'run'], {
    encoding: 'utf8',
    env: {
      PATH: [folder, process.env.PATH].join(delimiter),
      SLURM_ARRAY_TASK_ID: String(id),
      SLURM_ARRAY_TASK_COUNT: String(ids.length),
      SLURM_ARRAY_TASK_MAX: String(Math.max(...ids)),
      ...more,
    },
  });
  return { status, said: stdout + stderr };
}

it('a task of a whole array takes its part', () => {
  expect(task(3, [1, 2, 3, 4])).toEqual({
    status: 0,
    said: expect.stringContaining('--input scans --output masks --part 3/4 --ensemble run'),
  });
});

it('tasks that are submitted again alone keep their parts, or are refused: Slurm counts them alone', () => {
  expect(task(5, [2, 5], { PARTS: '8' })).toEqual({ status: 0, said: expect.stringContaining('--part 5/8 ') });
  expect(task(5, [2, 5])).toEqual({ status: 2, said: expect.stringMatching(/2 tasks up to number 5.*Set PARTS/) });
});
