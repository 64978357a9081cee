// SPDX-License-Identifier: MIT
// One run on two processes: the same bits each time, one that writes, and an end for all when one of them fails.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect } from 'vitest';
import { readState } from '../../src/io/node/run/checkpoint.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { tinyDataset, writePlan } from '../train/tiny_run.ts';
import { densePlan, mpirun, openMpi, valuesOf, withOpenMpi } from './mpirun.ts';
import { bundleCli, memoryScratch, savedIteration, start, waitFor } from './processes.ts';

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return ''; // it has ended, or is another's
  }
}

withOpenMpi.describe('mpirun -n 2 voxelgrad train', () => {
  const scratch = memoryScratch();
  const at = (name: string): string => join(scratch, name);
  let cli: string, data: string;

  const plan = (name: string, batch: number, iterations = 4): string => writePlan(scratch, densePlan(batch, iterations), name);
  const train = (run: string, planFile: string): string[] => [cli, 'train', data, '--run', at(run), '--plan', planFile];
  const together = (argv: string[], each = {}) => mpirun(openMpi!, 2, argv, each).ended;

  beforeAll(async () => {
    cli = await bundleCli();
    data = await tinyDataset(at('data'));
  });

  withOpenMpi.it('twice gives the same bits, which the first process alone has written', async () => {
    const one = plan('one.json', 1);
    for (const run of ['a', 'b']) {
      const { code, out, err } = await together(train(run, one));
      expect(code, err).toBe(0);
      expect(out.match(/^Trained 4 iterations/gm)).toHaveLength(1);
    }
    expect(await valuesOf(at('a'))).toEqual(await valuesOf(at('b')));
    expect((await readState(checkpointPath(at('a'), 'final'))).ranks).toEqual([{ iteration: 0, ranks: 2 }]);
    expect(readdirSync(at('a')).sort()).toEqual(['checkpoints', 'log.jsonl', 'plan.json', 'run.json', 'tb']);

    const other = await start(cli, 'train', data, '--run', at('a'), '--resume').ended;
    expect(other.code).toBe(3);
    expect(other.err).toContain('trained by 2 processes so far, got 1');
    const changed = await start(cli, 'train', data, '--run', at('a'), '--resume', '--ranks-changed').ended;
    expect(changed.out).toContain('2 processes have trained so far');
  });

  withOpenMpi.it('learns from two volumes what one process learns from them', async () => {
    expect((await together(train('parts', plan('part.json', 1, 1)))).code).toBe(0);
    expect((await start(cli, ...train('whole', plan('whole.json', 2, 1)).slice(1)).ended).code).toBe(0);
    const [parts, whole] = [await valuesOf(at('parts')), await valuesOf(at('whole'))];
    let [difference, largest] = [0, 0];
    for (const [name, values] of whole) {
      if (!name.startsWith('exp_avg.')) continue;
      (values as Float32Array).forEach((v, i) => {
        difference = Math.max(difference, Math.abs(v - (parts.get(name) as Float32Array)[i]));
        largest = Math.max(largest, Math.abs(v));
      });
    }
    expect(largest).toBeGreaterThan(0);
    expect(difference / largest).toBeLessThan(1e-6);
  });

  withOpenMpi.it('ends when one process is killed; its checkpoint is whole, and the run goes on', async () => {
    const argv = train('killed', plan('killed.json', 1, 40));
    const run = mpirun(openMpi!, 2, argv, { 1: { VOXELGRAD_TEST: 'second' } });
    await waitFor(run, async () => (await savedIteration(at('killed'))) >= 2);
    const ours = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && environmentOf(pid).includes('VOXELGRAD_TEST=second'));
    for (const pid of ours) process.kill(Number(pid), 'SIGKILL');
    const { code, err } = await run.ended;
    expect([code === 0, err]).toEqual([false, expect.stringMatching(/rank 1/)]);
    const { iteration } = await readState(checkpointPath(at('killed'), 'latest'));
    expect(iteration).toBeGreaterThanOrEqual(2);
    expect((await together([cli, 'train', data, '--run', at('killed'), '--resume'])).code).toBe(0);
  });

  withOpenMpi.it('ends when one process has no device, and says which', async () => {
    const { code, err } = await together(train('lost', plan('lost.json', 1)), {
      1: { VK_ICD_FILENAMES: '/none', VK_DRIVER_FILES: '/none' },
    });
    expect(code).not.toBe(0);
    expect(err).toMatch(/error: rank 1 of 2 on .*: openDevice: no WebGPU adapter answers/);
  });
});
