// SPDX-License-Identifier: MIT
// nnU-Net's splits_final.json beside dataset.json: held to, or refused with what is wrong.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { checkDataset } from '../../src/io/node/dataset/check.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { fingerprintOf } from '../../src/train/fingerprint.ts';
import { foldOf, foldOfRun } from '../../src/train/loop.ts';
import { inferPlan, presetPlan } from '../../src/train/presets.ts';
import { sumOfDataset } from '../../src/train/data_files.ts';
import { dataError, scratch } from './helpers.ts';

const root = scratch();
const names = Array.from({ length: 6 }, (_, i) => `phantom_00${i}`);
const without = (...held: number[]): string[] => names.filter((_, i) => !held.includes(i));
const fold = (...held: number[]) => ({ train: without(...held), val: held.map((i) => names[i]) });
/** Not as chance would have it, nor of one size. */
const THREE = [fold(5, 0, 2), fold(1), fold(3, 4)];

beforeAll(async () => {
  await writePhantomDataset(join(root, 'good'), { size: [4, 12, 12], seed: 1, radii: [2, 4], training: 6, test: 1 });
});

let copies = 0;
async function folderWith(splits: unknown, json: Record<string, unknown> = {}): Promise<string> {
  const folder = join(root, `copy${copies++}`);
  cpSync(join(root, 'good'), folder, { recursive: true });
  const file = join(folder, 'dataset.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...json }));
  if (splits !== undefined) writeFileSync(join(folder, 'splits_final.json'), typeof splits === 'string' ? splits : JSON.stringify(splits));
  return folder;
}
const open = async (splits: unknown, json?: Record<string, unknown>): Promise<Dataset> => openDataset(await folderWith(splits, json));

describe('splits_final.json', () => {
  it('says what each fold holds out, and how many there are', async () => {
    const dataset = await open(THREE),
      plan = inferPlan(await fingerprintOf(dataset), 'demo', 'vnet');
    expect(plan.split.folds).toBe(3);
    for (const [k, { train, val }] of THREE.entries()) {
      plan.split.fold = k;
      const made = foldOf(plan, dataset);
      expect([made.test, [...made.train, ...made.selection].sort()]).toEqual([[...val].sort(), train]);
    }
    plan.split.folds = 1;
    plan.split.fold = 0;
    expect(foldOf(plan, dataset).test).toEqual([]);
  });

  it('is not what a plan of other folds asks for, unless its run has begun', async () => {
    const dataset = await open(THREE),
      plan = presetPlan('demo', 'vnet');
    const { message, hint } = await dataError(() => foldOf(plan, dataset));
    expect(message).toMatch(/splits_final\.json: got 3 folds, expected 5, as split\.folds of the plan says/);
    expect(hint).toMatch(/split\.folds 1/);
    const begun = { train: without(1, 4), selection: [names[4]], test: [names[1]] };
    expect(foldOfRun(plan, dataset, begun)).toEqual(begun);
  });

  it('tells a data set from the same one without it', async () => {
    const [plain, split, other] = [await open(undefined), await open(THREE), await open([...THREE].reverse())];
    expect(new Set(await Promise.all([plain, split, other].map(sumOfDataset))).size).toBe(3);
  });

  it('stands beside folds of dataset.json that say the same, and no others', async () => {
    const folds = { [names[0]]: 0, [names[1]]: 1, [names[2]]: 0, [names[3]]: 2, [names[4]]: 2, [names[5]]: 0 };
    expect((await open(THREE, { folds })).folds!.count).toBe(3);
    const { fault } = (await open(THREE, { folds: { ...folds, [names[3]]: 1 } })).folds!;
    expect(fault!.message).toMatch(/other folds than in .*dataset\.json, got "phantom_003" held out by fold 2, expected fold 1/);
  });

  it('never divides a patient', async () => {
    const dataset = await open(THREE, { patients: Object.fromEntries(names.map((name, i) => [name, `P${i % 5}`])) });
    expect(foldOf({ ...presetPlan('demo', 'vnet'), split: { folds: 3, fold: 0, selectionShare: 0, seed: 1 } }, dataset).test).toContain(
      names[0],
    );
    const divided = await open(THREE, { patients: Object.fromEntries(names.map((name, i) => [name, `P${i % 3}`])) });
    const { message } = await dataError(() =>
      foldOf({ ...presetPlan('demo', 'vnet'), split: { folds: 3, fold: 0, selectionShare: 0, seed: 1 } }, divided),
    );
    expect(message).toMatch(/splits_final\.json: folds of patient "P0", got 0, 2, expected one fold/);
  });

  it.each<[string, unknown, RegExp]>([
    ['no JSON', '[', /splits_final\.json: /],
    ['no list', { train: [], val: [] }, /got \{.*expected a list/],
    ['an entry without val', [{ train: names }], /0\.val: got nothing, expected a list/],
    ['numbers for names', [{ train: [1], val: [] }], /0\.train\.0: got 1, expected a text/],
    [
      'cases that do not exist',
      [{ train: [...without(0), 'gone'], val: [names[0]] }],
      /fold 0: no such training case, got "gone", expected/,
    ],
    ['a test case', [{ train: without(0), val: [names[0], 'phantom_006'] }], /no such training case, got "phantom_006"/],
    ['a case in train and val', [THREE[0], { train: names, val: [names[1]] }, THREE[2]], /fold 1: got "phantom_001" in train and in val/],
    ['a case twice', [{ train: [...without(0), names[1]], val: [names[0]] }], /fold 0: train, got "phantom_001" more than once/],
    ['a case in neither', [THREE[0], { train: without(1, 4), val: [names[1]] }], /fold 1: got "phantom_004" neither in train nor in val/],
    ['a case held out twice', [...THREE, fold(4)], /got "phantom_004" in val of folds 2 and 3/],
    ['cases never held out', [fold(0)], /got "phantom_001", "phantom_002", [^]*in val of no fold[^]*/],
  ])('with %s is refused, by those who ask for a fold', async (_, splits, message) => {
    const folder = await folderWith(splits),
      dataset = await openDataset(folder);
    const plan = presetPlan('demo', 'vnet');
    const error = await dataError(() => foldOf(plan, dataset));
    expect(error.message).toMatch(message);
    expect(error.hint).not.toBe('');
    plan.split.folds = 1;
    expect(foldOf(plan, dataset).test).toEqual([]);
    const { findings } = await checkDataset(folder);
    expect(findings.filter((f) => f.level === 'error').map((f) => f.file)).toEqual([join(folder, 'splits_final.json')]);
  });

  it('of one fold can be said by dataset.json, as the refusal tells', async () => {
    const folds = Object.fromEntries(names.map((name, i) => [name, i < 2 ? 0 : 1]));
    expect(
      foldOf({ ...presetPlan('demo', 'vnet'), split: { folds: 2, fold: 0, selectionShare: 0, seed: 1 } }, await open(undefined, { folds })),
    ).toEqual({ train: without(0, 1), selection: [], test: [names[0], names[1]] });
  });
});
