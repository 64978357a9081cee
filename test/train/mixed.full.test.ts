// SPDX-License-Identifier: MIT
// The demo in f32 and in mixed precision, two seeds each: 120 iterations of the `demo` preset on phantoms with a third of their slices
// annotated, scored on held-out phantoms. Some minutes a run on a software adapter.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openDataset } from '../../src/data/dataset.ts';
import { writePhantomDataset } from '../../src/data/phantom_dataset.ts';
import { sparsify } from '../../src/data/sparsify.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { CaseStore } from '../../src/train/cases.ts';
import { readCheckpoint, restoreNetworks } from '../../src/train/checkpoint.ts';
import { checkpointPath, foldOf, train } from '../../src/train/loop.ts';
import { makeNetworks } from '../../src/train/networks.ts';
import type { Plan } from '../../src/train/plan_schema.ts';
import { Predictor } from '../../src/train/predictor.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { readLog } from '../../src/train/run_log.ts';
import { validate } from '../../src/train/validate.ts';
import { scratch } from '../data/helpers.ts';

type Scores = Record<string, number>;

const root = scratch();
const SEEDS = [1337, 7];

/** Dice of each output on the fold's held-out phantoms, all of whose slices count. */
async function demo(data: string, precision: Plan['training']['precision'], seed: number): Promise<Scores> {
  using _device = await openDevice();
  const dataset = await openDataset(data);
  const plan = presetPlan('demo');
  plan.classes = ['background', 'nodule'];
  Object.assign(plan.split, { folds: 2 });
  Object.assign(plan.training, { precision, seed, selections: 1 });
  const folder = join(root, `${precision} ${seed}`);
  const start = performance.now();
  await train({ plan, dataset, folder, resume: false });
  const seconds = (performance.now() - start) / 1000;
  const nets = makeNetworks(plan);
  const final = checkpointPath(folder, 'final');
  restoreNetworks(nets, (await readCheckpoint(final)).tensors, final);
  const store = new CaseStore({ ...plan, annotation: { ...plan.annotation, use: 'dense' } }, dataset);
  const dice = await validate(plan, await Predictor.create(plan, nets), await Promise.all(foldOf(plan, dataset).test.map((name) => store.load(name))));
  const rounded = JSON.stringify(dice, (_, v: unknown) => typeof v === 'number' ? Number(v.toFixed(3)) : v);
  console.log(`${precision}, seed ${seed}: Dice ${rounded}, trained in ${seconds.toFixed(0)} s${precision === 'mixed' ? `, loss scales ${JSON.stringify(readLog(folder).flatMap((e) => e.scale ? [e.scale] : []))}` : ''}`);
  return dice;
}

it('the demo reaches the Dice of f32 in mixed precision', async () => {
  const data = join(root, 'data');
  await writePhantomDataset(data, { training: 24, test: 0, seed: 1337, size: [16, 64, 64], radii: [5, 14], contrast: 500, vessels: 2, pleura: 0, spicules: 0 }); // as `import phantom` makes them
  await sparsify(data, 'both', 1337);
  const scores: Record<Plan['training']['precision'], Scores[]> = { f32: [], mixed: [] };
  for (const seed of SEEDS) for (const precision of ['f32', 'mixed'] as const) scores[precision].push(await demo(data, precision, seed));
  const mean = (list: readonly Scores[], key: string): number => list.reduce((sum, s) => sum + s[key]!, 0) / list.length;
  for (const output of ['ensemble', 'sam', 'transverse', 'coronal']) {
    expect(mean(scores.mixed, output), output).toBeGreaterThan(mean(scores.f32, output) - 0.05);
  }
});
