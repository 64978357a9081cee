// SPDX-License-Identifier: MIT
// Two rounds, as docs/method.md 5.5 has them: trained on sparse labels, labelled by what was trained, trained again on dense ones.
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadCase } from '../../src/data/dataset.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { tinyDataset, writePlan } from '../train/tiny_run.ts';
import { memoryScratch } from './processes.ts';
import { voxelgrad } from './voxelgrad.ts';

const root = memoryScratch();
const at = (name: string): string => join(root, name);

async function verb(...argv: string[]): Promise<any> {
  const { code, out, err } = await voxelgrad([...argv, '--json']);
  expect(code, err).toBe(0);
  return JSON.parse(out);
}

it('a run labels what it learnt from, the next one learns from that, and is judged by the first labels', async () => {
  await tinyDataset(at('data'));
  const plan: any = presetPlan('demo', 'vnet');
  plan.classes = ['background', 'nodule'];
  Object.assign(plan.data, { roi: [16, 32, 32], jitter: [0, 0, 0] });
  plan.method.network.width = 2;
  Object.assign(plan.training, { iterations: 3, selections: 1 });
  const file = writePlan(root, plan);
  const first = await verb('train', at('data'), '--run', at('first'), '--plan', file);
  await verb('label', at('data'), '--run', at('first'), '-o', at('dense'));

  cpSync(at('data'), at('again'), { recursive: true });
  rmSync(at('again/annotations.json'));
  for (const name of readdirSync(at('dense'))) if (name.endsWith('.nii.gz')) cpSync(at(`dense/${name}`), at(`again/labelsTr/${name}`));
  const second = await verb('train', at('again'), '--run', at('second'), '--plan', file, '--annotation', 'dense');
  expect(second.fold).toEqual(first.fold);

  // Annotated voxels are as they were drawn, the others are the network's.
  const [before, after] = [await openDataset(at('data')), await openDataset(at('again'))];
  let others = 0;
  for (const [i, entry] of before.training.entries()) {
    const [drawn, dense] = [await loadCase(before, entry), await loadCase(after, after.training[i])];
    expect(dense.weight === null || dense.weight === undefined || dense.weight.every((w) => w === 1)).toBe(true);
    drawn.weight!.forEach((w, v) => {
      if (w) expect(dense.label![v]).toBe(drawn.label![v]);
      else others += Number(dense.label![v] !== drawn.label![v]);
    });
  }
  expect(others).toBeGreaterThan(0);

  await verb('predict', '-i', at('data/imagesTs'), '-o', at('masks'), '--run', at('second'));
  const { evaluated } = await verb('eval', at('data'), at('masks'));
  expect(evaluated).toMatchObject({ cases: 'held out', n_cases: 2 });
});
