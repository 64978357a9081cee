// SPDX-License-Identifier: MIT
// The demo preset as it is, killed ten times.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sparsify } from '../../src/io/node/dataset/sparsify.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { inferPlan } from '../../src/train/presets.ts';
import { writePlan } from '../train/tiny_run.ts';
import { expectSameRun, finish, killOften, moments } from './killed.ts';
import { bundleCli, memoryScratch, savedIteration, start, waitFor } from './processes.ts';

const root = memoryScratch();

it('killed ten times, a run of the demo preset ends with the same bits as one left alone', async () => {
  const cli = await bundleCli();
  const data = join(root, 'data');
  await writePhantomDataset(data, { training: 6, test: 2, size: [16, 64, 64], seed: 3, radii: [5, 14], contrast: 300 });
  await sparsify(data, 'both', 3);
  const plan = inferPlan(
    { name: 'phantom', classes: ['background', 'nodule'], medianSpacing: [1, 1, 1], medianSize: [16, 64, 64] },
    'demo',
  );
  Object.assign(plan.training, { iterations: 20, checkpointEvery: 2 });
  const [alone, killed] = [join(root, 'alone'), join(root, 'killed')];
  const file = writePlan(root, plan);
  await finish(cli, ['train', data, '--run', alone, '--plan', file]);

  const argv = ['train', data, '--run', killed];
  const first = start(cli, ...argv, '--plan', file);
  await waitFor(first, async () => (await savedIteration(killed)) >= 2);
  first.child.kill('SIGKILL');
  expect((await first.ended).signal).toBe('SIGKILL');
  // Nine more deaths in nine checkpoints: each must come before the run can end.
  await killOften(cli, [...argv, '--resume'], killed, { kills: 9, total: 20, patience: 3000 }, moments());
  await finish(cli, [...argv, '--resume']);
  await expectSameRun(killed, alone);
});
