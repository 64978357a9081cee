// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { goingOn, makeFolds } from '../../src/data/folds.ts';
import { foldOf } from '../../src/train/loop.ts';
import { presetPlan } from '../../src/train/presets.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { dataError } from './helpers.ts';

// 40 patients with 1 to 4 cases each, as LIDC.
const cases = Array.from({ length: 40 }, (_, p) =>
  Array.from({ length: 1 + (p % 4) }, (_, k) => ({ name: `c${p}_${k}`, patient: `P${p}` })),
).flat();
const patientsOf = (names: readonly string[]): Set<string> => new Set(names.map((n) => n.split('_')[0]));

describe('goingOn', () => {
  it('keeps what was held out, learns from what is new, and leaves out what is gone', () => {
    const before = { train: ['a', 'd'], selection: ['c'], test: ['b'] };
    expect(goingOn(['e', 'd', 'c', 'b'], before)).toEqual({ train: ['d', 'e'], selection: ['c'], test: ['b'] });
    expect(goingOn(['a', 'b', 'd', 'e'], before)).toEqual({ train: ['a', 'd', 'e'], selection: [], test: ['b'] });
  });
});

describe('makeFolds', () => {
  const folds = makeFolds(cases, { seed: 1337 });
  it('tests every case once, and never divides a patient', () => {
    expect(folds.flatMap((f) => f.test).sort()).toEqual(cases.map((c) => c.name).sort());
    for (const { train, selection, test } of folds) {
      expect([...train, ...selection, ...test].sort()).toEqual(cases.map((c) => c.name).sort());
      const [a, b, c] = [train, selection, test].map(patientsOf);
      for (const p of b) expect(a.has(p) || c.has(p)).toBe(false);
      for (const p of c) expect(a.has(p)).toBe(false);
    }
  });
  it('makes folds of nearly one size and selects about a tenth', () => {
    for (const f of folds) {
      expect(Math.abs(f.test.length - 20)).toBeLessThanOrEqual(4);
      expect(f.selection.length).toBeGreaterThanOrEqual(8); // a tenth of 80
      expect(f.selection.length).toBeLessThanOrEqual(12);
    }
  });
  it('balances cases, not patients: folds differ by no more than the largest patient', () => {
    const skewed = Array.from({ length: 40 }, (_, p) =>
      Array.from({ length: p % 4 ? 1 : 9 }, (_, k) => ({ name: `c${p}_${k}`, patient: `P${p}` })),
    ).flat();
    for (let seed = 0; seed < 10; seed++) {
      const sizes = makeFolds(skewed, { seed }).map((f) => f.test.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(9);
    }
  });
  it('depends on the seed, not on the order of the cases', () => {
    expect(makeFolds([...cases].reverse(), { seed: 1337 })).toEqual(folds);
    expect(makeFolds(cases, { seed: 1 })).not.toEqual(folds);
  });
  it('uses the folds a data set brings', () => {
    const fixed = Object.fromEntries(cases.map((c) => [c.name, Number(c.patient.slice(1)) % 5]));
    makeFolds(cases, { seed: 1, fixed }).forEach((f, k) => expect(f.test.every((n) => fixed[n] === k)).toBe(true));
  });
  it('refuses too few patients and a patient in two fixed folds', async () => {
    expect((await dataError(() => makeFolds(cases.slice(0, 4), { seed: 1 }))).message).toMatch(
      /too few patients to split, got 3 for 5 folds/,
    );
    expect(
      (await dataError(() => makeFolds(cases, { seed: 1, fixed: Object.fromEntries(cases.map((c, i) => [c.name, i % 5])) }))).message,
    ).toMatch(/folds of patient "P\d+", got \d, \d/);
  });
  it('leaves selection empty on request', () => {
    expect(makeFolds(cases, { seed: 1, selection: 0 }).every((f) => f.selection.length === 0)).toBe(true);
  });
  it('holds nothing out in one fold, be it of one patient', () => {
    expect(makeFolds(cases, { seed: 1, folds: 1, selection: 0 })).toEqual([
      { train: cases.map((c) => c.name).sort(), selection: [], test: [] },
    ]);
    const [{ train, selection }] = makeFolds(cases, { seed: 1, folds: 1 });
    expect([train.length + selection.length, selection.length > 8]).toEqual([cases.length, true]);
    expect(makeFolds([{ name: 'a', patient: 'a' }], { seed: 1, folds: 1, selection: 0 })).toEqual([
      { train: ['a'], selection: [], test: [] },
    ]);
  });
  it('refuses one patient where one is wanted for selection', async () => {
    expect((await dataError(() => makeFolds([{ name: 'a', patient: 'a' }], { seed: 1, folds: 1 }))).message).toMatch(
      /got 1 for 1 folds, expected at least 2 patients/,
    );
  });
});

describe('the fold of a run', () => {
  const of = (folds: Record<string, number> | undefined, split: { folds?: number; fold?: number } = {}) => {
    const plan = presetPlan('demo', 'vnet');
    Object.assign(plan.split, split);
    return foldOf(plan, { training: cases, ...(folds && { folds: { file: 'dataset.json', held: folds } }) } as unknown as Dataset);
  };
  const byPatient = (fold: (patient: number) => number) =>
    Object.fromEntries(cases.map(({ name, patient }) => [name, fold(Number(patient.slice(1)))]));
  it('holds out what dataset.json says, and divides by chance where it says nothing', () => {
    const folds = byPatient((p) => p % 5);
    for (const fold of [0, 3])
      expect(of(folds, { fold }).test).toEqual(cases.flatMap(({ name }) => (folds[name] === fold ? [name] : [])).sort());
    expect(of(undefined)).toEqual(makeFolds(cases, { seed: 1337 })[0]);
    expect(of(folds, { folds: 1 }).test).toEqual([]);
  });
  it('refuses one that holds out nothing, or everything, and folds that the plan does not have', async () => {
    const two = byPatient((p) => p % 2);
    expect((await dataError(() => of(two, { fold: 2 }))).message).toMatch(
      /^dataset\.json: folds: got no case in fold 2, which split\.fold holds out[^]*--fold/,
    );
    expect((await dataError(() => of(byPatient(() => 0)))).message).toMatch(/got every case in fold 0/);
    expect(
      (
        await dataError(() =>
          of(
            byPatient((p) => p % 5),
            { folds: 3 },
          ),
        )
      ).message,
    ).toMatch(/expected one fold from 0 to 2[^]*split\.folds/);
  });
});
