// SPDX-License-Identifier: MIT
// Whatever MPI starts a run, its bits are the same; one process under it is one process.
import { join } from 'node:path';
import { beforeAll, expect } from 'vitest';
import { tinyDataset, writePlan } from '../train/tiny_run.ts';
import { densePlan, mpich, mpirun, openMpi, valuesOf, withMpich, withOpenMpi } from './mpirun.ts';
import { bundleCli, memoryScratch, start } from './processes.ts';

withOpenMpi.describe('the same bits', () => {
  const scratch = memoryScratch();
  let train: (run: string) => string[];

  beforeAll(async () => {
    const cli = await bundleCli(),
      data = await tinyDataset(join(scratch, 'data')),
      plan = writePlan(scratch, densePlan(1, 4));
    train = (run) => [cli, 'train', data, '--run', join(scratch, run), '--plan', plan];
  });
  const same = async (a: string, b: string): Promise<void> => {
    expect(await valuesOf(join(scratch, a))).toEqual(await valuesOf(join(scratch, b)));
  };

  withOpenMpi.it('one process under mpirun, and without', async () => {
    expect((await mpirun(openMpi!, 1, train('under')).ended).code).toBe(0);
    const [cli, ...argv] = train('without');
    expect((await start(cli, ...argv).ended).code).toBe(0);
    await same('under', 'without');
  });

  withMpich.it('two processes of MPICH, and of Open MPI', async () => {
    for (const [launcher, run] of [
      [mpich!, 'mpich'],
      [openMpi!, 'open'],
    ])
      expect((await mpirun(launcher, 2, train(run)).ended).code).toBe(0);
    await same('mpich', 'open');
  });
});
