// SPDX-License-Identifier: MIT
// Whatever MPI starts a run, its bits are the same; one process under it is one process. Whoever dies, however: all end, the message has
// its rank, the last checkpoint is whole, and the run goes on to the same bits.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, expect } from 'vitest';
import { readCheckpoint, readState } from '../../src/io/node/run/checkpoint.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { tinyDataset, writePlan } from '../train/tiny_run.ts';
import { densePlan, mpich, mpirun, openMpi, valuesOf, withMpich, withOpenMpi } from './mpirun.ts';
import { bundleCli, memoryScratch, savedIteration, start, waitFor, type Running } from './processes.ts';

const scratch = memoryScratch();
const at = (name: string): string => join(scratch, name);
let cli: string, data: string;

beforeAll(async () => {
  cli = await bundleCli();
  data = await tinyDataset(at('data'));
});

const train = (run: string, batch: number, iterations: number, method?: string): string[] => [
  cli,
  'train',
  data,
  '--run',
  at(run),
  '--plan',
  writePlan(scratch, densePlan(batch, iterations, method), `${run}.json`),
];
const alone = ([file, ...argv]: string[]) => start(file, ...argv).ended;
const same = async (a: string, b: string): Promise<void> => {
  expect(await valuesOf(at(a))).toEqual(await valuesOf(at(b)));
};

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return ''; // it has ended, or is another's
  }
}
/** Processes with this word in their environment: a launcher's child and grandchildren. */
const marked = (word: string): number[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(word))
    .map(Number);

/** Once it has saved two iterations. */
const underWay = (run: Running, folder: string) => waitFor(run, async () => (await savedIteration(at(folder))) >= 2);

/** Reads all of the last checkpoint, whose sums are checked. */
async function whole(run: string): Promise<number> {
  return (await readCheckpoint(checkpointPath(at(run), 'latest'))).state.iteration;
}

withOpenMpi.describe('the same bits', () => {
  withOpenMpi.it('one process under mpirun, and without', async () => {
    expect((await mpirun(openMpi!, 1, train('under', 1, 4)).ended).code).toBe(0);
    expect((await alone(train('without', 1, 4))).code).toBe(0);
    await same('under', 'without');
  });

  withMpich.it('two processes of MPICH, and of Open MPI', async () => {
    for (const [launcher, run] of [
      [mpich!, 'mpich'],
      [openMpi!, 'open'],
    ])
      expect((await mpirun(launcher, 2, train(run, 1, 4)).ended).code).toBe(0);
    await same('mpich', 'open');
  });

  withOpenMpi.it('three processes, which share neither cases nor gradients evenly, learn what one does from three volumes', async () => {
    expect((await mpirun(openMpi!, 3, train('three', 1, 1)).ended).code).toBe(0);
    expect((await alone(train('thrice', 3, 1))).code).toBe(0);
    const [parts, all] = [await valuesOf(at('three')), await valuesOf(at('thrice'))];
    let [difference, largest] = [0, 0];
    for (const [name, values] of all) {
      if (!name.startsWith('exp_avg.')) continue;
      const own = parts.get(name) as Float32Array;
      (values as Float32Array).forEach((v, i) => {
        difference = Math.max(difference, Math.abs(v - own[i]));
        largest = Math.max(largest, Math.abs(v));
      });
    }
    expect(largest).toBeGreaterThan(0);
    expect(difference / largest).toBeLessThan(1e-6);
  });
});

for (const [kind, withIt, launcher] of [
  ['Open MPI', withOpenMpi, openMpi],
  ['MPICH', withMpich, mpich],
] as const)
  withIt.describe(`under ${kind}`, () => {
    const together = (argv: string[], each = {}) => mpirun(launcher!, 2, argv, each);
    const named = (run: string): string => `${kind.replace(' ', '')}_${run}`;

    for (const rank of [0, 1])
      withIt.it(`all end when process ${rank} is killed; two volumes each go on to the bits of a run that nobody killed`, async () => {
        const [run, untouched] = [named(`killed${rank}`), named(`untouched${rank}`)],
          word = `VOXELGRAD_TEST=${run}.`;
        const running = together(train(run, 2, 8), { [rank]: { VOXELGRAD_TEST: `${run}.` } });
        await underWay(running, run);
        for (const pid of marked(word)) process.kill(pid, 'SIGKILL');
        const { code, out, err } = await running.ended;
        expect(code).not.toBe(0);
        // MPICH names the one that died by its number, which the run has said.
        const pid = /PID (\d+) RUNNING/.exec(out + err)?.[1];
        expect(out + err).toMatch(
          kind === 'MPICH' ? new RegExp(`rank ${rank} is process ${pid} on `) : new RegExp(`process rank ${rank} `),
        );
        expect(await whole(run)).toBeGreaterThanOrEqual(2);
        expect((await together([cli, 'train', data, '--run', at(run), '--resume']).ended).code).toBe(0);
        expect((await together(train(untouched, 2, 8)).ended).code).toBe(0);
        await same(run, untouched);
      });

    withIt.it('all end when one process loses its device in the middle; it is named', async () => {
      // What a driver does that resets: the device is gone after so many submissions.
      const lose = at('lose.mjs'),
        webgpu = pathToFileURL(createRequire(import.meta.url).resolve('webgpu')).href;
      writeFileSync(
        lose,
        `const { globals } = await import(${JSON.stringify(webgpu)});
         const { submit } = globals.GPUQueue.prototype, { requestDevice } = globals.GPUAdapter.prototype;
         let device, left = 120;
         globals.GPUAdapter.prototype.requestDevice = async function (...own) { return (device = await requestDevice.apply(this, own)); };
         globals.GPUQueue.prototype.submit = function (...own) { if (--left === 0) device.destroy(); return submit.apply(this, own); };`,
      );
      const run = named('lost');
      const { code, err } = await together(train(run, 1, 4000), { 1: { NODE_OPTIONS: `--import=${lose}` } }).ended;
      expect(code).not.toBe(0);
      expect(err).toMatch(/error: rank 1 of 2 on .*: device: the GPU device was lost/);
      expect(await whole(run)).toBeGreaterThanOrEqual(0);
    });

    withIt.it('all end at Ctrl-C after the same iteration; it is saved where the launcher waits for it', async () => {
      const run = named('stopped'),
        running = together(train(run, 1, 4000));
      await underWay(running, run);
      running.child.kill('SIGINT');
      const { err } = await running.ended;
      const iteration = await whole(run);
      expect(iteration, err).toBeGreaterThanOrEqual(2);
      expect(iteration).toBeLessThan(4000);
    });

    withIt.it('all end when the launcher is killed', async () => {
      const run = named('orphans'),
        word = `VOXELGRAD_TEST=${run}.`,
        mark = { VOXELGRAD_TEST: `${run}.` };
      const running = together(train(run, 1, 4000), { 0: mark, 1: mark });
      await underWay(running, run);
      running.child.kill('SIGKILL');
      while (marked(word).length > 0) await new Promise((later) => setTimeout(later, 100));
      expect(await whole(run)).toBeGreaterThanOrEqual(2);
    });
  });

withOpenMpi.it('says where batch norms see the volumes of their own process alone', async () => {
  const { code, out, err } = await mpirun(openMpi!, 2, train('norms', 1, 1, 'unet2d')).ended;
  expect(code, err).toBe(0);
  expect(out).toMatch(/unet2d: batch norms take statistics of each process's own volumes/);
  expect((await readState(checkpointPath(at('norms'), 'final'))).ranks).toEqual([{ iteration: 0, ranks: 2 }]);
  expect((await alone(train('norms_alone', 1, 1, 'unet2d'))).out).not.toMatch(/batch norms/);
});
