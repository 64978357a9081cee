// SPDX-License-Identifier: MIT
// `npm run lidc -- --suite`: which runs, in which order, found again after a kill, and what their results decide.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

import { ablate, parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';

// Plain scripts, so they have no types.
const suites = await import(new URL('../../scripts/lidc/suites.mjs', import.meta.url).href);
const { runSuite } = await import(new URL('../../scripts/lidc/run_suite.mjs', import.meta.url).href);

const root = mkdtempSync(join(tmpdir(), 'voxelgrad-suites-'));
afterAll(() => rmSync(root, { recursive: true }));
const seeds = [1337, 1338];

describe('the suites', () => {
  it('are made of plans that can be trained', () => {
    for (const suite of suites.SUITES)
      for (const { method, ablate: off, ...run } of suites.suiteRuns(suite, { methods: ['sanet', 'vnet'], seeds }).runs)
        expect(() => parsePlan(suites.planOf(ablate(presetPlan('tiny', method), off), run, { iterations: 7 }))).not.toThrow();
    expect(suites.suiteRuns('table1', { methods: ['sanet', 'vnet'], seeds }).runs.map((r: any) => r.name)).toEqual([
      'third_sanet_seed1337',
      'third_vnet_seed1337',
      'third_sanet_seed1338',
      'third_vnet_seed1338',
    ]);
    expect(suites.suiteRuns('table2', { methods: [], seeds: [1] }).runs).toHaveLength(6);
  });

  it('scarce: measures the gaps first, and goes on where there is one', () => {
    const options = { methods: [], seeds };
    const first = suites.suiteRuns('scarce', options);
    expect(first).toMatchObject({ open: true, skipped: [] });
    expect(first.runs.map((r: any) => [r.setting, r.method])).toEqual(['dense', 'central', 'every6', 'cases5'].map((s) => [s, 'vnet']));
    const dice = { dense_vnet_seed1337: 84, central_vnet_seed1337: 80, every6_vnet_seed1337: 83.5, cases5_vnet_seed1337: 70 };
    const decided = suites.suiteRuns('scarce', options, dice);
    expect(decided.open).toBe(false);
    expect(decided.skipped).toHaveLength(2);
    expect(decided.skipped[0]).toMatch(/^central: vnet has 4\.0 points/);
    expect(decided.runs.slice(4).map((r: any) => r.name)).toEqual([
      'cases5_sanet_seed1337',
      'cases5_sanet_without-cross_seed1337',
      'cases5_sanet_seed1338',
      'cases5_sanet_without-cross_seed1338',
    ]);
    expect(suites.comparisonsOf('scarce', decided.runs).map((c: any) => [c.to, c.runs.length, c.against])).toEqual([
      ['scarce/gap', 4, undefined],
      ['scarce/cases5', 4, 'sanet without cross'],
    ]);
  });

  it('set fields by hand, but only those that there are', () => {
    const plan: any = presetPlan('tiny', 'vnet');
    const [run] = suites.suiteRuns('scarce', { methods: [], seeds }).runs;
    expect(suites.planOf(plan, run, { set: ['data.roi=[16,48,48]', 'training.batch=4'] })).toMatchObject({
      data: { roi: [16, 48, 48] },
      training: { batch: 4, seed: 1337 },
      annotation: { use: 'dense' },
    });
    for (const [wrong, message] of [
      ['training.bach=4', /no field training\.bach/],
      ['nothing.of=4', /no field/],
      ['training.batch=many', /expected JSON/],
      ['training.batch', /FIELD=JSON/],
    ] as const)
      expect(() => suites.planOf(plan, run, { set: [wrong] })).toThrow(message);
    expect(plan.training.batch).toBe(1);
  });

  it('know a run by its plan and its data, and the time that it takes by its plan alone', () => {
    const plan: any = presetPlan('tiny', 'vnet');
    const other = { ...plan, training: { ...plan.training, seed: 1 } };
    const folder = suites.folderOf({ name: 'a' }, plan, 'data');
    expect(suites.folderOf({ name: 'a' }, other, 'data')).not.toBe(folder);
    expect(suites.folderOf({ name: 'a' }, plan, 'changed')).not.toBe(folder);
    expect(suites.paceKey(other)).toBe(suites.paceKey(plan));
    expect(suites.paceKey({ ...plan, data: { ...plan.data, roi: [16, 48, 48] } })).not.toBe(suites.paceKey(plan));
    const pace = suites.paceOf(
      [
        { iteration: 1, seconds: 9 },
        { iteration: 10, seconds: 27 },
      ],
      [{ name: 'validate while training', seconds: 5 }],
    );
    expect(pace).toEqual({ iteration: 2, validation: 5 });
    expect(suites.secondsLeft({ training: { iterations: 100, selections: 4 } }, pace, 50)).toBe(0.5 * (200 + 20) + 20);
  });
});

describe('a suite that is run', () => {
  const data = join(root, 'data');
  let out: string, said: string[], called: string[], dice: (name: string) => number, dies: (verb: string, timing: boolean) => boolean;

  beforeEach(() => {
    rmSync(root, { recursive: true, force: true });
    out = join(root, 'out');
    said = [];
    called = [];
    dice = () => 80;
    dies = () => false;
    for (const folder of ['imagesTr', 'labelsTr']) mkdirSync(join(data, folder), { recursive: true });
    writeFileSync(join(data, 'dataset.json'), '{}');
    writeFileSync(join(data, 'imagesTr', 'a_0000.nii.gz'), 'scan');
  });

  /** The verbs, but for their work: files as they leave them. */
  function verb(...args: string[]): void {
    const option = (name: string): string => args[args.indexOf(name) + 1];
    const name = args[0];
    const timing = args.includes(join(out, 'pace', 'run'));
    if (!timing) called.push(name);
    if (dies(name, timing)) throw new Error('killed');
    if (name === 'plan') writeFileSync(option('--out'), JSON.stringify(presetPlan('tiny', option('--method'))));
    if (name === 'train') {
      const run = option('--run');
      mkdirSync(join(run, 'checkpoints'), { recursive: true });
      if (args.includes('--plan')) writeFileSync(join(run, 'plan.json'), readFileSync(option('--plan')));
      writeFileSync(join(run, 'log.jsonl'), '{"iteration":1,"loss":{},"seconds":1}\n{"iteration":10,"loss":{},"seconds":19}\n{"iter');
      writeFileSync(
        join(run, 'run.json'),
        JSON.stringify({ fold: { test: ['a'] }, stages: [{ name: 'validate while training', seconds: 3 }] }),
      );
      if (!dies('half of train', timing)) writeFileSync(join(run, 'checkpoints', 'final.safetensors'), '');
    }
    if (name === 'eval')
      writeFileSync(
        join(option('--out'), 'summary.json'),
        JSON.stringify({ foreground: { metrics: { Dice: { mean: dice(option('--out')) } } } }),
      );
  }
  const start = (suite: string, more = {}): any =>
    runSuite(suite, {
      data,
      out,
      preset: 'tiny',
      iterations: 100,
      set: [],
      seeds: [1337],
      methods: ['sanet', 'vnet'],
      say: (line: string) => said.push(line),
      voxelgrad: verb,
      ...more,
    });

  it('says how long it takes, runs everything, compares, and does nothing more the second time', () => {
    start('table1');
    expect(said.join('\n')).toMatch(/table1: 2 runs, 0 done\n {2}third_sanet_seed1337 +100 iterations, about 4 min\n/);
    expect(called).toEqual(['plan', 'plan', 'train', 'predict', 'eval', 'train', 'predict', 'eval', 'compare']);
    expect(readdirSync(join(out, 'runs'))).toHaveLength(2);
    called = [];
    start('table1');
    expect(called).toEqual(['plan', 'plan', 'compare']);
    expect(said.at(-1)).toMatch(/about 0 s to go/);
    start('table1', { seeds: [1337, 1338], only: 1 });
    expect(said.at(-1)).toMatch(/partial: 1 of 4 runs are not done/);
  });

  it.each(['train', 'half of train', 'half of the timing', 'predict', 'eval', 'compare'])('goes on after a death in %s', (where) => {
    let left = 1;
    const [name, timing] = where === 'half of the timing' ? ['half of train', true] : [where, false];
    dies = (verb, timed) => verb === name && timed === timing && left-- > 0;
    expect(() => start('table1')).toThrow();
    called = [];
    start('table1');
    expect(called.filter((name) => name === 'eval').length).toBe(where === 'compare' ? 0 : 2);
    expect(readdirSync(join(out, 'runs'))).toHaveLength(2);
    expect(called.at(-1)).toBe('compare');
  });

  it('takes nothing for done that was trained on other data or by another plan', () => {
    start('table1');
    writeFileSync(join(data, 'imagesTr', 'a_0000.nii.gz'), 'another scan');
    start('table1');
    expect(readdirSync(join(out, 'runs'))).toHaveLength(4);
    start('table1', { iterations: 200 });
    expect(readdirSync(join(out, 'runs'))).toHaveLength(6);
  });

  it('scarce: adds the runs that the gaps ask for, and says which settings are left', () => {
    dice = (run) => (/cases5_vnet/.test(run) ? 60 : 80);
    const { runs } = start('scarce');
    expect(runs.map((r: any) => r.name)).toEqual([
      'dense_vnet_seed1337',
      'central_vnet_seed1337',
      'every6_vnet_seed1337',
      'cases5_vnet_seed1337',
      'cases5_sanet_seed1337',
      'cases5_sanet_without-cross_seed1337',
    ]);
    expect(said.join('\n')).toMatch(/what the gaps [^]*central: vnet has 0\.0 points of Dice less/);
    expect(called.filter((name) => name === 'compare')).toHaveLength(2);
  });
});
