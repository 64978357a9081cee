// SPDX-License-Identifier: MIT
// predict over several runs: the mean of their probabilities, and what is known of all that any of them saw.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readVolume } from '../../src/io/node/volume.ts';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { slicesAlone, tinyDataset, tinyPlan } from '../train/tiny_run.ts';
import { memoryScratch } from './processes.ts';
import { untrained } from './untrained.ts';
import { voxelgrad } from './voxelgrad.ts';

const root = memoryScratch();
const at = (...parts: string[]): string => join(root, ...parts);

async function verb(...argv: string[]): Promise<{ code: number; json: any }> {
  const { code, out } = await voxelgrad([...argv, '--json']);
  return { code, json: JSON.parse(out) };
}
const predict = (to: string, ...more: string[]) => verb('predict', '-i', at('scans'), '-o', at(to), ...more);
const probabilities = async (folder: string) => (await readVolume(at(folder, 'probabilities/1/phantom_001.nii.gz'))).data as Float32Array;

/** A run of the fold `k` that says it has finished. */
async function fold(k: number, train: readonly string[], change: (plan: SanetPlan) => void = () => undefined): Promise<string> {
  const run = at(`fold${k}`);
  await untrained(
    run,
    tinyPlan((plan) => {
      slicesAlone(plan);
      plan.prediction.step = 1;
      plan.training.seed = k + 1;
      plan.split.fold = k;
      change(plan);
    }),
  );
  const all = [0, 1, 2, 3, 4, 5].map((i) => `phantom_00${i}`);
  const seen = { train, selection: [], test: all.filter((name) => !train.includes(name)) };
  writeFileSync(join(run, 'run.json'), JSON.stringify({ version: 1, dataset: at('data'), fold: seen }));
  return run;
}

let runs: string[];
beforeAll(async () => {
  await tinyDataset(at('data'));
  mkdirSync(at('scans'));
  for (const k of [0, 1]) copyFileSync(at(`data/imagesTr/phantom_00${k}_0000.nii.gz`), at(`scans/phantom_00${k}.nii.gz`));
  runs = [await fold(0, ['phantom_001', 'phantom_002']), await fold(1, ['phantom_002', 'phantom_003'])];
});

describe('predict --ensemble', () => {
  it('averages the probabilities of its runs, in whatever order; a mask is where they are largest', async () => {
    for (const [k, run] of runs.entries()) expect((await predict(`alone${k}`, '--run', run, '--probabilities')).code).toBe(0);
    expect((await predict('both', '--ensemble', ...runs, '--probabilities')).json).toMatchObject({ written: 2 });
    const [a, b, both] = [await probabilities('alone0'), await probabilities('alone1'), await probabilities('both')];
    expect(a).not.toEqual(b);
    both.forEach((p, i) => {
      expect(Math.abs(p - (a[i] + b[i]) / 2)).toBeLessThan(1e-6);
    });
    const mask = (await readVolume(at('both/phantom_001.nii.gz'))).data;
    expect([...mask]).toEqual([...both].map((p) => (p > 0.5 ? 1 : 0)));
    expect((await predict('both', '--ensemble', ...[...runs].reverse(), '--probabilities')).json).toMatchObject({ written: 0 });
    expect((await predict('both', '--run', runs[0])).code).toBe(3); // other weights
  });

  it('writes probabilities that an earlier call did not', async () => {
    expect((await predict('later', '--run', runs[0])).json).toMatchObject({ written: 2 });
    const before = readFileSync(at('later/phantom_001.nii.gz'));
    const { json } = await predict('later', '--run', runs[0], '--probabilities');
    expect(json.again.map(({ why }: { why: string }) => why)).toEqual(
      [0, 1].map((i) => `probabilities/1/phantom_00${i}.nii.gz was not written then`),
    );
    expect(readFileSync(at('later/phantom_001.nii.gz'))).toEqual(before);
  });

  it('a case that any of the runs was trained on is never held out', async () => {
    await predict('both', '--ensemble', ...runs, '--probabilities');
    const { json } = await verb('eval', at('data'), at('both'), '--allow-missing');
    expect(json.metric_per_case.map((c: { case: string }) => c.case)).toEqual(['phantom_000']);
    expect(json.training.metric_per_case.map((c: { case: string }) => c.case)).toEqual(['phantom_001']);
    rmSync(join(runs[1], 'run.json')); // nobody knows any more what it saw
    const { json: less } = await verb('eval', at('data'), at('both'), '--allow-missing');
    expect(less.evaluated.cases).toBe('not known');
  });

  it('says which folds are missing, and which runs are not over', async () => {
    const { out } = await voxelgrad(['predict', '-i', at('scans'), '-o', at('said'), '--ensemble', ...runs]);
    expect(out).toContain('of the 5 folds, 2, 3, 4 are not among the runs that are averaged');
    for (const run of runs) expect(out).toContain(`${run}: its training is not over; these weights are of iteration 2 of 12`);
    const alone = await voxelgrad(['predict', '-i', at('scans'), '-o', at('said_alone'), '--run', runs[0]]);
    expect(alone.out).not.toContain('of the 5 folds');
  });

  it('averages runs of which one has not said who votes', async () => {
    const file = checkpointPath(runs[0], 'latest'),
      before = readFileSync(file);
    const ensemble = { members: ['transverse'], dice: { chosen: 0.5, all: 0.4, best: 0.5 } };
    await untrained(runs[0], JSON.parse(readFileSync(join(runs[0], 'plan.json'), 'utf8')), { ensemble });
    const { code, out, err } = await voxelgrad(['predict', '-i', at('scans'), '-o', at('votes'), '--ensemble', ...runs]);
    expect(code, err).toBe(0);
    expect(out).toContain('in that of all of them vote all networks');
    writeFileSync(file, before);
  });

  it('refuses runs that see scans otherwise, the same run twice, and both options', async () => {
    const other = await fold(2, [], (plan) => {
      plan.data.window = [-500, 500];
    });
    expect((await predict('x', '--ensemble', runs[0], other)).json.error.message).toContain('"data" is not that of the other runs');
    const steps = await fold(3, [], (plan) => {
      plan.prediction.step = 0.5;
    });
    expect((await predict('x', '--ensemble', runs[0], steps)).json.error.message).toContain('"prediction" is not that of the other runs');
    expect((await predict('x', '--ensemble', runs[0], runs[0])).json.error.message).toContain('named twice');
    expect((await predict('x', '--ensemble', runs[0], '--run', runs[0])).code).toBe(2);
    expect((await predict('x')).code).toBe(2);
  });
});
