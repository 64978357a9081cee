// SPDX-License-Identifier: MIT
// The demo in f32 and in mixed precision: 120 iterations of the `demo` preset on phantoms with a third of their slices
// annotated, scored on held-out phantoms. Some minutes a run on a software adapter. And the step's other form.
import { join } from 'node:path';
import { beforeAll, expect } from 'vitest';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { sparsify } from '../../src/io/node/dataset/sparsify.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { CaseStore } from '../../src/train/cases.ts';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { restoreNetworks } from '../../src/train/checkpoint.ts';
import { foldOf } from '../../src/train/loop.ts';
import { train } from '../../src/io/node/run/train.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { makeNetworks } from '../../src/train/networks.ts';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';
import { Predictor } from '../../src/methods/sanet/predictor.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { readLog } from '../../src/io/node/run/log.ts';
import { validate } from '../../src/train/validate.ts';
import { scratch } from '../data/helpers.ts';
import { mixedBesideF32 } from './phantom_step.ts';
import { needs } from '../needs.ts';

const root = scratch();
const data = join(root, 'data');

/** Dice of each output on the fold's held-out phantoms, all of whose slices count. */
async function demo(precision: SanetPlan['training']['precision']): Promise<Record<string, number>> {
  using _device = await openDevice();
  const dataset = await openDataset(data);
  const plan = presetPlan('demo');
  plan.classes = ['background', 'nodule'];
  Object.assign(plan.split, { folds: 2 });
  Object.assign(plan.training, { precision, selections: 1 });
  const folder = join(root, precision);
  const start = performance.now();
  await train({ plan, dataset, folder, resume: false });
  const seconds = (performance.now() - start) / 1000;
  const nets = makeNetworks(plan);
  const final = checkpointPath(folder, 'final');
  restoreNetworks(nets, (await readCheckpoint(final)).tensors, final);
  const store = new CaseStore({ ...plan, annotation: { ...plan.annotation, use: 'dense' } }, dataset, new Set());
  const { dice } = await validate(
    plan,
    await Predictor.create(plan, nets),
    await Promise.all(foldOf(plan, dataset).test.map((name) => store.load(name))),
  );
  const rounded = JSON.stringify(dice, (_, v: unknown) => (typeof v === 'number' ? Number(v.toFixed(3)) : v));
  console.log(
    `${precision}: Dice ${rounded}, trained in ${seconds.toFixed(0)} s` +
      (precision === 'mixed' ? `, loss scales ${JSON.stringify(readLog(folder).flatMap((e) => (e.scale ? [e.scale] : [])))}` : ''),
  );
  return dice;
}

beforeAll(async () => {
  // As `import phantom` and `sparsify --mode both` make them.
  await writePhantomDataset(data, {
    training: 24,
    test: 0,
    seed: 1337,
    size: [16, 64, 64],
    radii: [5, 14],
    contrast: 500,
    vessels: 2,
    pleura: 0,
    spicules: 0,
  });
  await sparsify(data, 'both', 1337);
});

const able = await (async () => {
  using device = await openDevice();
  return device.caps.f16;
})();
const f16 = needs(able, 'shader-f16');

f16.it('the demo reaches the Dice of f32', async () => {
  const f32 = await demo('f32');
  const mixed = await demo('mixed');
  expect(f32.ensemble).toBeGreaterThan(0.85);
  for (const [output, dice] of Object.entries(f32)) expect(mixed[output], output).toBeGreaterThan(dice - 0.1);
  expect(mixed.ensemble).toBeGreaterThan(f32.ensemble - 0.05);
});

f16.it('the step with pseudo labels of all slices starts where f32 does, skips what overflows, goes on', async () => {
  using _device = await openDevice();
  await mixedBesideF32('full');
});
