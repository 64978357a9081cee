// SPDX-License-Identifier: MIT
// Few annotated cases among others: who sees them, and how often.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { loadCase } from '../../src/data/dataset.ts';
import type { Geometry } from '../../src/data/geometry.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import type { Plan } from '../../src/methods/plan.ts';
import { annotated, annotationWords, bareCases } from '../../src/train/annotated.ts';
import { foldOf } from '../../src/train/loop.ts';
import { parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { Sampler } from '../../src/train/sampler.ts';
import { tinyDataset, tinyPlan } from './tiny_run.ts';

const root = mkdtempSync(join(tmpdir(), 'voxelgrad-annotated-'));
let dataset: Dataset;
beforeAll(async () => {
  dataset = await openDataset(await tinyDataset(join(root, 'data')));
});
afterAll(() => rmSync(root, { recursive: true }));

const plan = tinyPlan((p) => {
  Object.assign(p.annotation, { use: 'transverse', cases: 2 });
});
const names = Array.from({ length: 10 }, (_, i) => `c${i}`);
const bare = new Set(names.slice(3));
const drawn = (p: Plan, n: number, without = bare): string[] => {
  const sampler = new Sampler(p, names, () => Promise.reject(new Error('not read')), without);
  return Array.from({ length: n }, (_, i) => sampler.caseOf(i));
};

describe('cases without annotation', () => {
  it('are those of the training part that the seed leaves out, or the data set marks', async () => {
    const fold = foldOf(plan, dataset);
    const without = bareCases(plan, dataset, fold);
    expect(without.size).toBe(fold.train.length - 2);
    expect(fold.train.filter((name) => without.has(name))).toHaveLength(without.size);
    const weights = await Promise.all(dataset.training.map(async (c) => annotated(plan, without, await loadCase(dataset, c))!.includes(1)));
    expect(weights).toEqual(dataset.training.map((c) => !without.has(c.name)));
    expect(bareCases({ ...plan, annotation: { ...plan.annotation, cases: null } }, dataset, fold).size).toBe(0);
    const marked = {
      ...dataset,
      annotations: { ...dataset.annotations, planes: new Map([[fold.train[0], { transverse: [], coronal: [] }]]) },
    };
    expect([...bareCases(tinyPlan(), marked, fold)]).toEqual([fold.train[0]]);
  });

  it('are every second one for networks that teach each other, and none for others', () => {
    const both = drawn(plan, 42);
    expect(both.filter((_, i) => i % 2 === 1).every((name) => !bare.has(name))).toBe(true);
    expect(new Set(both.slice(0, 14).filter((_, i) => i % 2 === 0))).toEqual(bare);
    const alone = structuredClone(plan);
    alone.method.cross.enabled = false;
    expect(new Set(drawn(alone, 9).slice(0, 3))).toEqual(new Set(names.slice(0, 3)));
    expect(drawn(alone, 9).some((name) => bare.has(name))).toBe(false);
    expect(drawn(presetPlan('tiny', 'vnet'), 9).some((name) => bare.has(name))).toBe(false);
    expect(drawn(plan, 20, new Set())).toEqual(drawn(alone, 20, new Set()));
    expect(() => drawn(plan, 1, new Set(names))).toThrow(/no training case of this fold is annotated/);
  });
});

it('what is simulated is said in words, and what contradicts itself is refused', () => {
  expect(annotationWords({ use: 'transverse', every: 6, cases: 1, seed: 1 })).toBe('transverse, 1 slice in 6, 1 training case annotated');
  expect(annotationWords({ use: 'dataset', every: null, cases: null, seed: 1 })).toBe('as the data set says');
  const wrong =
    (annotation: object): (() => Plan) =>
    () =>
      parsePlan({ preset: 'tiny', version: 2, annotation });
  expect(wrong({ use: 'central', every: 3 })).toThrow(/annotation\.every: got 3 with annotation\.use "central"/);
  expect(wrong({ use: 'dense', every: 3 })).toThrow(/annotation\.every/);
  expect(wrong({ use: 'dataset', cases: 3 })).toThrow(/annotation\.cases: got 3/);
  expect(parsePlan({ preset: 'tiny', version: 2, annotation: { use: 'dense', cases: 5 } }).annotation).toMatchObject({
    cases: 5,
    every: null,
  });
});

const GRID: Geometry = { size: [1, 1, 4], spacing: [1, 1, 1], origin: [0, 0, 0], direction: [1, 0, 0, 0, 1, 0, 0, 0, 1] };

it('what a label ignores is annotated under no scheme', () => {
  const loaded = {
    name: 'c',
    image: { ...GRID, data: new Float32Array(4) },
    label: Uint8Array.of(0, 1, 0, 0),
    weight: Uint8Array.of(1, 1, 0, 0),
    unknown: Uint8Array.of(0, 0, 1, 1),
  };
  const dense = tinyPlan((p) => {
    p.annotation.use = 'dense';
  });
  expect([...annotated(dense, new Set(), loaded)!]).toEqual([1, 1, 0, 0]);
  expect(() => annotated(dense, new Set(), { ...loaded, unknown: Uint8Array.of(1, 1, 1, 1) })).toThrow(
    /c: nothing is annotated, got the ignore label on every voxel that annotation "dense" keeps/,
  );
});
