// SPDX-License-Identifier: MIT
// `voxelgrad train` as a process: killed, interrupted, taken up again. All three networks, fourteen iterations, a checkpoint every
// two. (kill.full.test.ts: the demo preset as it is, ten deaths.)
import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { rememberTiles } from '../../src/cli/tuned_tiles.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { shapeClasses } from '../../src/train/cost.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { scalars } from '../formats/events.ts';
import { slicesAlone, tinyDataset, tinyPlan, writePlan } from '../train/tiny_run.ts';
import { commandIn, expectSameRun, finish, killOften, moments } from './killed.ts';
import { bundleCli, memoryScratch, savedIteration, start, waitFor } from './processes.ts';

const root = memoryScratch();
const TOTAL = 14;

it('killed twice and interrupted once, a run ends with the same bits as one left alone', async () => {
  const cli = await bundleCli();
  const data = await tinyDataset(join(root, 'data'));
  const settings = tinyPlan((p) => {
    p.training.iterations = TOTAL;
  });
  const plan = writePlan(root, settings);
  // The adapter has been tuned before both runs begin, and is tuned anew before the killed one goes on.
  vi.stubEnv('MESA_SHADER_CACHE_DIR', process.env.MESA_SHADER_CACHE_DIR ?? join(homedir(), '.cache'));
  vi.stubEnv('HOME', join(root, 'home'));
  const { info, caps } = await openDevice().then((device) => {
    using open = device;
    return open;
  });
  const shapes = await shapeClasses(settings, caps);
  const tunedTo = (tile: string) => Object.fromEntries(shapes.map((shape) => [shape, tile]));
  rememberTiles(info, tunedTo('registers 4x4'));
  const [alone, killed] = [join(root, 'alone'), join(root, 'killed')];
  const { out } = await finish(cli, ['train', data, '--run', alone, '--plan', plan, '--json']);
  const { state, resume } = JSON.parse(out); // nothing but the document on stdout
  expect([state.iteration, resume]).toEqual([TOTAL, null]);

  // Later sessions take the plan from the run folder.
  const argv = ['train', data, '--run', killed];
  const random = moments();
  const first = start(cli, ...argv, '--plan', plan);
  await waitFor(first, async () => (await savedIteration(killed)) >= 2);
  first.child.kill('SIGKILL');
  expect((await first.ended).signal).toBe('SIGKILL');
  rememberTiles(info, tunedTo('registers 8x2 vec4'));
  const deaths = await killOften(cli, [...argv, '--resume'], killed, { kills: 1, total: TOTAL, patience: 250 }, random);
  expect(deaths[0]).toBeGreaterThanOrEqual(4);

  const interrupted = start(cli, ...argv, '--resume');
  await waitFor(interrupted, () => interrupted.text().includes('compiling kernels'));
  interrupted.child.kill('SIGINT');
  const { code, signal, out: said } = await interrupted.ended;
  expect([code, signal]).toEqual([0, null]);
  expect(said).toMatch(/Stopping after this iteration/);
  expect(said).toMatch(new RegExp(`Stopped at iteration \\d+ of ${TOTAL}; everything is saved\\. Go on with:`));
  const last = await finish(cli, commandIn(said));
  expect(last.out).toContain(`Trained ${TOTAL} iterations`);

  await expectSameRun(killed, alone);
  expect((await readCheckpoint(checkpointPath(killed, 'final'))).state.tiles).toEqual(tunedTo('registers 4x4'));
  // TensorBoard shows every loss once, as the log does.
  const [events, ...more] = readdirSync(join(killed, 'tb'));
  expect(more).toEqual([]);
  const steps = scalars(readFileSync(join(killed, 'tb', events)))
    .filter(({ tag }) => tag === 'loss/sam')
    .map(({ step }) => step);
  expect(steps).toEqual([...new Set(steps)]);
  expect(steps.at(-1)).toBe(TOTAL);
  expect(readdirSync(join(killed, 'checkpoints')).sort()).toEqual(['best.safetensors', 'final.safetensors']);
});

it('two volumes an iteration, in micro-batches with batch norm: killed twice, a run ends with the same bits', async () => {
  const cli = await bundleCli();
  const data = await tinyDataset(join(root, 'data of two'));
  const settings = tinyPlan((p) => {
    slicesAlone(p);
    p.method.network2d.norm = 'bn';
    Object.assign(p.method.cross, { pseudo: 'full', microBatch: 2 });
    Object.assign(p.training, { iterations: TOTAL, batch: 2 });
  });
  const plan = writePlan(root, settings, 'two.json');
  const [alone, killed] = [join(root, 'two alone'), join(root, 'two killed')];
  await finish(cli, ['train', data, '--run', alone, '--plan', plan]);
  const argv = ['train', data, '--run', killed];
  const first = start(cli, ...argv, '--plan', plan);
  await waitFor(first, async () => (await savedIteration(killed)) >= 2);
  first.child.kill('SIGKILL');
  expect((await first.ended).signal).toBe('SIGKILL');
  await killOften(cli, [...argv, '--resume'], killed, { kills: 1, total: TOTAL, patience: 250 }, moments());
  await finish(cli, [...argv, '--resume']);
  await expectSameRun(killed, alone);
  const { together } = (await readCheckpoint(checkpointPath(killed, 'final'))).state;
  expect(Object.entries(together!).filter(([name]) => name.startsWith('train'))).toEqual([
    ['train transverse', 2],
    ['train coronal', 2],
  ]);
});
