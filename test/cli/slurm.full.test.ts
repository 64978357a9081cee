// SPDX-License-Identifier: MIT
// deploy/slurm/cohort.sbatch under Slurm itself, on this machine alone: bench/cohort.mjs, with few scans.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { needs } from '../needs.ts';
import { memoryScratch, run } from './processes.ts';

const there =
  existsSync('/usr/sbin/slurmctld') && existsSync('/usr/sbin/slurmd') && existsSync('/usr/sbin/munged') && process.getuid?.() === 0;
const withSlurm = needs(there, 'Slurm, and to be root (apt-get install slurm-wlm munge)');

withSlurm.it('an array of which a task is killed and submitted again: every mask once, to the byte that of one process', async () => {
  const folder = memoryScratch();
  const few = ['--scans', '12', '--shards', '3', '--killed', '1', '--some', '2'];
  const { code, out, err } = await run(process.execPath, ['bench/cohort.mjs', folder, ...few]).ended;
  expect(code, out + err).toBe(0);
  expect(JSON.parse(readFileSync(join(folder, 'cohort.json'), 'utf8'))).toMatchObject({
    array: { masks: 12 },
    masks: 12,
    ofOneProcess: 12,
    different: [],
  });
});
