// SPDX-License-Identifier: MIT
// An ensemble that is worse than its best member on the selection cases leaves members out, and says so.
import { describe, expect, it } from 'vitest';
import type { PreparedCase } from '../../src/data/sample.ts';
import { chooseEnsemble, combinations, combined, ensembleWords } from '../../src/train/ensemble.ts';
import { validate } from '../../src/train/validate.ts';
import { tinyPlan } from './tiny_run.ts';

const names = ['sam', 'transverse', 'coronal'];

describe('who votes', () => {
  it('is everyone as long as their mean is no worse than the best of them', () => {
    const dice = { sam: 0.5, transverse: 0.8, coronal: 0.7, 'sam+transverse+coronal': 0.8, 'transverse+coronal': 0.9 };
    const found = chooseEnsemble(names, dice);
    expect(found).toEqual({ members: names, dice: { chosen: 0.8, all: 0.8, best: 0.8 } });
    expect(ensembleWords(found, names)).toBeUndefined();
  });

  it('is else whoever does best together, or alone', () => {
    const dice = { sam: 0.5, transverse: 0.8, coronal: 0.7, 'sam+transverse+coronal': 0.79, 'transverse+coronal': 0.82 };
    const found = chooseEnsemble(names, dice);
    expect(found.members).toEqual(['transverse', 'coronal']);
    expect(ensembleWords(found, names)).toBe(
      'the ensemble is the mean of transverse and coronal, without sam: on the selection cases it has Dice 82.0 %, the mean of all ' +
        '79.0 %, the best network alone 80.0 %',
    );
    expect(ensembleWords({ ...found, learnt: true }, names)).toContain('without sam: on what it was trained on it has Dice 82.0 %');
    const alone = chooseEnsemble(names, { ...dice, 'transverse+coronal': 0.75 });
    expect(alone.members).toEqual(['transverse']);
    expect(ensembleWords(alone, names)).toMatch(/^the ensemble is transverse alone, without sam and coronal/);
  });

  it('is the network where there is one, and everyone where nobody could be scored', () => {
    expect(chooseEnsemble(['vnet'], { vnet: 0.4 })).toEqual({ members: ['vnet'], dice: { chosen: 0.4, all: 0.4, best: 0.4 } });
    expect(chooseEnsemble(names, {}).members).toEqual(names);
    expect(combinations(names).map(combined)).toEqual(['sam+transverse+coronal', 'sam+transverse', 'sam+coronal', 'transverse+coronal']);
  });
});

it('a validation scores every combination, and names the one that it chose "ensemble"', async () => {
  const plan = tinyPlan();
  const size: [number, number, number] = [8, 32, 32];
  const n = 8 * 32 * 32;
  const label = Uint8Array.from({ length: n }, (_, i) => Number(i % 32 < 16));
  const grid = { size, spacing: [1, 1, 1], origin: [0, 0, 0], direction: [1, 0, 0, 0, 1, 0, 0, 0, 1] };
  const scan = {
    name: 'a',
    image: new Float32Array(n),
    label,
    weight: new Uint8Array(n).fill(1),
    grid,
    native: grid,
    stored: grid,
    outside: 0,
    unlabelled: [],
  };
  const says = (p: (i: number) => number): Float32Array =>
    Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 ? p(i >> 1) : 1 - p(i >> 1)));
  const networks = {
    most: 1,
    run: (images: readonly Float32Array[]) =>
      Promise.resolve(
        images.map(() => ({
          sam: says((i) => (i % 32 < 28 ? 1 : 0)), // marks nearly twice what is there, and is sure of it
          transverse: says((i) => (i % 32 < 16 ? 0.7 : 0.3)),
          coronal: says((i) => (i % 32 < 14 ? 0.7 : 0.3)),
        })),
      ),
  };
  const { dice, ensemble } = await validate(plan, networks, [scan as unknown as PreparedCase]);
  expect(Object.keys(dice)).toEqual(['sam', 'transverse', 'coronal', 'ensemble']);
  expect(dice.transverse).toBe(1);
  expect(ensemble.dice.all).toBeLessThan(1);
  expect(ensemble.members).not.toContain('sam');
  expect(dice.ensemble).toBe(ensemble.dice.chosen);
});
