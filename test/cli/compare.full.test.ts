// SPDX-License-Identifier: MIT
// Two methods trained for a moment, predicted, evaluated and compared by the command line alone.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { scratch } from '../data/helpers.ts';
import { tinyDataset, writePlan } from '../train/tiny_run.ts';
import { voxelgrad } from './voxelgrad.ts';

const root = scratch(),
  at = (...parts: string[]): string => join(root, ...parts);

async function verb(expected: number, ...argv: string[]): Promise<string> {
  const { code, out, err } = await voxelgrad(argv);
  expect(code, err).toBe(expected);
  return out + err;
}

it('trained runs: references known by their content, times and sizes there', async () => {
  await tinyDataset(at('data'));
  for (const method of ['vnet', 'unet3d']) {
    const draft: any = presetPlan('demo', method);
    draft.classes = ['background', 'nodule'];
    draft.data.roi = [16, 32, 32];
    draft.data.jitter = [1, 2, 2];
    Object.assign(draft.training, { iterations: 3, selections: 1, checkpointEvery: 3 });
    await verb(0, 'train', at('data'), '--run', at(method), '--plan', writePlan(root, parsePlan(draft), `${method}.json`));
    await verb(0, 'predict', '-i', at('data/imagesTs'), '-o', at(`${method}_masks`), '--run', at(method));
    await verb(0, 'eval', at('data'), at(`${method}_masks`));
  }
  await verb(0, 'compare', at('vnet'), at('unet3d'), '--to', at('compared'));
  const { methods, notices, runs } = JSON.parse(readFileSync(at('compared/comparison.json'), 'utf8'));
  expect(methods.rows.map((r: any) => [r.name, r.seconds > 0, r.parameters > 0])).toEqual([
    ['vnet', true, true],
    ['unet3d', true, true],
  ]);
  expect(runs.every((r: any) => /held-out case/.test(r.evaluated))).toBe(true);
  expect(notices.join()).not.toMatch(/differ|not known/);
});
