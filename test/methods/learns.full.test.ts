// SPDX-License-Identifier: MIT
// Every method learns: 150 iterations of `tiny` on phantoms with a third of their slices annotated, then phantoms it has not seen.
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { toRas } from '../../src/data/orientation.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { sparsify } from '../../src/io/node/dataset/sparsify.ts';
import { restoreRun } from '../../src/io/node/run/checkpoint.ts';
import { train } from '../../src/io/node/run/train.ts';
import { readVolume } from '../../src/io/node/volume.ts';
import { METHODS, methodOf } from '../../src/methods/methods.ts';
import { predictCase } from '../../src/train/inference.ts';
import { parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { scratch } from '../data/helpers.ts';

const root = scratch();
const data = join(root, 'data');
const size = [16, 48, 48] as const;
let dataset: Dataset;
beforeAll(async () => {
  await writePhantomDataset(data, { training: 12, test: 4, size: [...size], seed: 5, radii: [4, 10], contrast: 400, pleura: 0 });
  await sparsify(data, 'transverse', 7);
  dataset = await openDataset(data);
});

it.each(Object.keys(METHODS))('%s', async (method) => {
  const draft = presetPlan('tiny', method);
  Object.assign(draft.training, { iterations: 150, selections: 1 });
  const plan = parsePlan({
    ...draft,
    classes: dataset.info.classes.map(({ name }) => name),
    data: { ...draft.data, roi: [...size], jitter: [2, 4, 4] },
  });
  const run = join(root, method);
  using _device = await openDevice();
  await train({ plan, dataset, folder: run, resume: false });
  const predictor = await methodOf(plan).predictor(plan, await restoreRun(plan, run, 'final'));
  const found = new Map<string, number>();
  for (const { name, images } of dataset.test) {
    const masks = await predictCase(plan, predictor, await readVolume(images[0]));
    const truth = toRas(await readVolume(join(data, 'labelsTs', `${name}.nii.gz`))).data;
    for (const [output, mask] of Object.entries(masks))
      found.set(output, (found.get(output) ?? 0) + dice(mask, truth) / dataset.test.length);
  }
  predictor.dispose();
  console.log(method, Object.fromEntries([...found].map(([output, d]) => [output, d.toFixed(3)])));
  expect(Math.max(...found.values())).toBeGreaterThanOrEqual(0.75);
});

function dice(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [both, sum] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    both += Number(a[i] === 1 && b[i] === 1);
    sum += Number(a[i] === 1) + Number(b[i] === 1);
  }
  return (2 * both) / sum;
}
