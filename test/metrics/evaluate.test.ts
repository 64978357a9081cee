// SPDX-License-Identifier: MIT
import type { Triple } from '../../src/axes.ts';
import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../src/metrics/compare.ts';
import { evaluateCase, type CaseResult, type EvaluateOptions, type EvaluationCase, type LabelClass } from '../../src/metrics/evaluate.ts';
import type { LabelMap } from '../../src/metrics/mask.ts';
import { summarise, type Summary } from '../../src/metrics/summary.ts';
import { averageHistogram, distanceHistogram, HISTOGRAM_CENTRES } from '../../src/metrics/surface_histogram.ts';
import { ball, paint } from './masks.ts';

const CLASSES: LabelClass[] = [
  { label: 1, name: 'nodule' },
  { label: 2, name: 'vessel' },
];
const GRID: Readonly<Triple> = [16, 24, 24],
  SPACING: Readonly<Triple> = [2, 0.5, 0.5];
const empty = paint(GRID, () => 0, SPACING);
const small = ball(GRID, [8, 12, 12], 5, SPACING),
  large = ball(GRID, [8, 12, 12], 6, SPACING);
const both = (nodule: LabelMap): LabelMap =>
  paint(GRID, (z, y, x) => nodule.data[(z * 24 + y) * 24 + x] || (x < 2 && y < 4 ? 2 : 0), SPACING);

function evaluate(
  name: string,
  reference: LabelMap,
  prediction: LabelMap,
  more: Partial<EvaluationCase> = {},
  options?: EvaluateOptions,
): CaseResult {
  return evaluateCase(
    { case: name, reference_file: `ref/${name}`, prediction_file: `pred/${name}`, reference, prediction, ...more },
    CLASSES,
    options,
  );
}

describe('one case', () => {
  it('has every metric of the specification, in fractions, mm and voxels', () => {
    const m = evaluate('a', small, large).metrics['1'];
    expect(m.n_ref).toBe(small.data.filter((v) => v === 1).length);
    expect(m.FN).toBe(0);
    expect(m.FP).toBe(m.n_pred - m.n_ref);
    expect(m.Dice).toBeCloseTo((2 * m.n_ref) / (m.n_ref + m.n_pred), 14);
    expect(m.RAVD).toBeCloseTo(m.n_pred / m.n_ref - 1, 14);
    expect(m.volume_ref_mm3).toBe(m.n_ref / 2);
    // One voxel larger all round: the counterpart of a boundary voxel is a voxel or a voxel diagonal away.
    expect(m.BF).toBeGreaterThan(0.5);
    expect(m.BF).toBeLessThan(1);
    expect(evaluate('a', small, large, {}, { theta: 2 }).metrics['1'].BF).toBe(1);
    expect(m.HD95).toBeGreaterThan(0.4);
    expect(m.HD95).toBeLessThan(2.1);
    expect(m.ASSD).toBeLessThan(m.HD95!);
    expect(m.SurfaceDice).toBe(m.SurfaceDice_2mm);
    expect(m.SurfaceDice_1mm).toBeLessThanOrEqual(m.SurfaceDice_2mm!);
    expect(m.SurfaceDice_3mm).toBe(1);
  });

  it('follows the rule for empty masks', () => {
    const neither = evaluate('a', empty, empty).metrics['1'];
    for (const key of ['Dice', 'IoU', 'BF', 'BF2D', 'HD95', 'ASSD', 'SurfaceDice', 'RAVD'] as const) expect(neither[key]).toBeNull();
    for (const one of [evaluate('a', small, empty).metrics['1'], evaluate('a', empty, small).metrics['1']]) {
      expect([one.Dice, one.IoU, one.BF, one.BF2D, one.SurfaceDice]).toEqual([0, 0, 0, 0, 0]);
      expect([one.HD95, one.ASSD]).toEqual([null, null]);
    }
  });

  it('prints the tolerances it used and takes others', () => {
    const found = evaluate('a', small, large);
    expect([found.theta, found.theta_2d]).toEqual([1, 1]);
    const given = evaluate('a', small, large, {}, { theta: 0, surfaceMm: 3 });
    expect([given.theta, given.theta_2d]).toEqual([0, 0]);
    expect(given.metrics['1'].BF).toBeLessThan(found.metrics['1'].BF!);
    expect(given.metrics['1'].SurfaceDice).toBe(given.metrics['1'].SurfaceDice_3mm);
    expect(() => evaluate('a', small, large, {}, { theta: -1 })).toThrow(/unusable tolerance/);
  });

  it('leaves an unlabelled class out', () => {
    const found = evaluate('a', small, both(small), { unlabelled: [2] });
    expect(Object.keys(found.metrics)).toEqual(['1']);
    expect(found.unlabelled).toEqual([2]);
  });

  it('scores only annotated voxels under an ignore label, and no surface', () => {
    const sparse = paint(GRID, (z, y, x) => (z % 3 === 0 ? small.data[(z * 24 + y) * 24 + x] : 9), SPACING);
    const found = evaluate('a', sparse, large, {}, { ignoreLabel: 9 }).metrics['1'];
    expect(found.n_ref + found.FP + found.TN).toBe(6 * 24 * 24);
    expect(found.Dice).toBeGreaterThan(0);
    expect([found.BF, found.HD95, found.SurfaceDice]).toEqual([null, null, null]);
  });

  it('says how much was annotated and how it does away from it', () => {
    const annotated = { transverse: [2, 5, 8, 11, 14], coronal: [0, 12] };
    const found = evaluate('a', small, small, { annotated });
    expect(found.annotated).toEqual({ transverse: 5 / 16, coronal: 2 / 24, voxels: (5 * 24 + 11 * 2) / (16 * 24) });
    expect(found.slice_distance!['1'].map((bin) => bin.Dice)).toEqual([1, 1, null]);
    expect(evaluate('a', small, small).slice_distance).toBeNull();
  });

  it('refuses a prediction on another grid', () => {
    expect(() =>
      evaluate(
        'case-7',
        small,
        paint([16, 24, 23], () => 0, SPACING),
      ),
    ).toThrow(/case-7.*different grids/);
  });
});

describe('signed distance histogram', () => {
  it('centres bins on multiples of half a millimetre and keeps what lies beyond', () => {
    const counts = distanceHistogram(Float64Array.of(0, 0.2, -0.24, 0.3, -3, 50, -50));
    expect(Object.fromEntries(counts.flatMap((n, i) => (n > 0 ? [[HISTOGRAM_CENTRES[i], n]] : [])))).toEqual({
      '-10': 1,
      '-3': 1,
      '0': 3,
      '0.5': 1,
      '10': 1,
    });
  });
  it('gives every case the same weight', () => {
    const few = distanceHistogram(Float64Array.of(0)),
      many = distanceHistogram(new Float64Array(99).fill(1));
    const average = averageHistogram([few, many])!;
    expect([average[20], average[22]]).toEqual([0.5, 0.5]);
    expect(averageHistogram([])).toBeNull();
  });
});

describe('summary', () => {
  const cases = [
    evaluate('hit', both(small), both(small)),
    evaluate('large', both(small), both(large)),
    evaluate('missed', both(small), both(empty)),
    evaluate('spurious', empty, small),
    evaluate('partial', small, both(small), { unlabelled: [2] }),
  ];
  const summary = summarise(cases, CLASSES, { resamples: 500, seed: 5 });
  const [nodule, vessel] = summary.classes;

  it('keeps the keys and the meaning of nnU-Net', () => {
    const first = summary.metric_per_case[0];
    expect([first.reference_file, first.prediction_file]).toEqual(['ref/hit', 'pred/hit']);
    expect(Object.keys(first.metrics['1'])).toEqual(
      expect.arrayContaining(['Dice', 'IoU', 'BF', 'HD95', 'ASSD', 'SurfaceDice', 'RAVD', 'TP', 'FP', 'FN', 'TN', 'n_ref', 'n_pred']),
    );
    const dice = cases.map((c) => c.metrics['1'].Dice!);
    expect(summary.mean['1'].Dice).toBeCloseTo(dice.reduce((a, b) => a + b, 0) / 5, 14);
    expect(summary.mean['2'].Dice).toBe(1);
    expect(summary.foreground_mean.Dice).toBeCloseTo((summary.mean['1'].Dice! + 1) / 2, 14);
    expect(summary.foreground.metrics.Dice.mean).toBeCloseTo(100 * summary.foreground_mean.Dice!, 11);
    expect(JSON.parse(JSON.stringify(summary))).toEqual(summary);
  });

  it('counts what the means leave out', () => {
    expect(nodule).toMatchObject({
      name: 'nodule',
      n_pairs: 5,
      n_defined: 5,
      n_both_empty: 0,
      n_missed: 1,
      n_spurious: 1,
      n_unlabelled: 0,
    });
    expect(vessel).toMatchObject({ n_pairs: 4, n_defined: 3, n_both_empty: 1, n_missed: 0, n_spurious: 0, n_unlabelled: 1 });
    expect(summary.foreground).toMatchObject({ n_pairs: 9, n_defined: 8, n_both_empty: 1, n_missed: 1, n_spurious: 1, n_unlabelled: 1 });
    expect(nodule.metrics.HD95.n_defined).toBe(3);
    expect(nodule.metrics.Dice.n_defined).toBe(5);
  });

  it('has a second mean by the convention of 3D2DCT', () => {
    const hd = cases.map((c) => c.metrics['1'].HD95 ?? 50);
    expect(nodule.convention.HD95).toBeCloseTo(hd.reduce((a, b) => a + b, 0) / 5, 12);
    expect(vessel.convention.Dice).toBe(100);
    expect(vessel.convention.HD95).toBe(0);
    expect(nodule.convention.RAVD).toBeUndefined();
    expect(summary.foreground.convention.Dice).toBeCloseTo((nodule.convention.Dice! + 100) / 2, 12);
  });

  it('puts the mean inside its interval, in per cent, and repeats from the seed', () => {
    for (const { metrics } of [nodule, summary.foreground]) {
      const { mean, std, ci, unit } = metrics.Dice;
      expect(unit).toBe('%');
      expect(ci![0]).toBeLessThan(mean!);
      expect(ci![1]).toBeGreaterThan(mean!);
      expect(ci![1]).toBeLessThanOrEqual(100);
      expect(std).toBeGreaterThan(10);
    }
    expect(vessel.metrics.Dice).toMatchObject({ mean: 100, std: 0, ci: [100, 100] });
    expect(summarise(cases, CLASSES, { resamples: 500, seed: 5 })).toEqual(summary);
    // Few resamples: with many, the ends of five cases' intervals fall on the same values for every seed.
    expect(summarise(cases, CLASSES, { resamples: 7, seed: 6 }).foreground).not.toEqual(
      summarise(cases, CLASSES, { resamples: 7, seed: 5 }).foreground,
    );
    expect(summary.settings).toEqual({
      theta: [1],
      theta_2d: [1],
      theta_rule: 'ceil(0.0075 x diagonal in voxels)',
      surface_mm: 2,
      ignore_label: null,
      level: 0.95,
      seed: 5,
      resamples: 500,
    });
  });

  it('lists Dice by slice distance where annotation is known', () => {
    expect(summary.slice_distance).toBeNull();
    const told = paint(GRID, (z, y, x) => (z % 3 === 0 ? small : large).data[(z * 24 + y) * 24 + x], SPACING);
    const annotated = { transverse: [0, 3, 6, 9, 12, 15] };
    const found = summarise(
      [evaluate('a', small, told, { annotated }), evaluate('b', small, told, { annotated }), evaluate('c', small, empty)],
      CLASSES,
      { resamples: 100 },
    ).slice_distance!;
    expect(found.n_cases).toBe(2);
    expect(found.annotated).toEqual({ transverse: 6 / 16, coronal: 0, voxels: 6 / 16 });
    expect(found.rows.map(({ from, to, n_defined }) => [from, to, n_defined])).toEqual([
      [0, 0, 2],
      [1, 1, 2],
    ]);
    expect(found.rows[0].mean).toBe(100);
    expect(found.rows[1].mean).toBeLessThan(90);
    expect(found.contrast).toMatchObject({ n_cases: 2, annotated: 100, others: found.rows[1].mean, difference: found.rows[1].mean! - 100 });
    expect(found.contrast!.ci![1]).toBeLessThan(0);
    expect(found.rows[1].classes).toEqual({ 1: found.rows[1].mean, 2: null });
  });

  it('of no cases at all is empty, not broken', () => {
    const none = summarise([], CLASSES);
    expect(none.foreground).toMatchObject({ n_pairs: 0, metrics: { Dice: { mean: null, std: null, ci: null } } });
    expect(none.surface_histogram).toBeNull();
  });
});

describe('comparison of runs', () => {
  const shape = (radius: number): LabelMap => ball(GRID, [8, 12, 12], radius, SPACING);
  const run = (radii: number[], prefix = 'c'): Summary =>
    summarise(
      radii.map((r, i) => evaluate(`${prefix}${i}`, shape(6), shape(r))),
      CLASSES,
      { resamples: 10 },
    );
  const good = { name: 'sa-net', summaries: [run([6, 5.9, 6.1, 5.5, 6.2, 6, 5.8])] };
  const bad = { name: 'no exchange', summaries: [run([5, 4.8, 7, 4.5, 7.2, 5.1, 4.2])] };

  it('pairs cases, tests Jaccard and corrects for the number of runs', () => {
    const same = { name: 'same', summaries: good.summaries };
    const [worse, equal] = compareRuns(good, [bad, same], undefined, { resamples: 500 });
    expect(worse).toMatchObject({
      run: 'no exchange',
      baseline: 'sa-net',
      metric: 'IoU',
      unit: '%',
      n_cases: 7,
      p: 2 / 2 ** 7,
      p_holm: 4 / 2 ** 7,
      rank_biserial: -1,
    });
    expect(worse.ci![1]).toBeLessThan(0);
    expect(worse.difference).toBeCloseTo(
      bad.summaries[0].classes[0].metrics.IoU.mean! - good.summaries[0].classes[0].metrics.IoU.mean!,
      10,
    );
    expect(worse.t!.p).toBeLessThan(0.05);
    expect(worse.t!.d_z).toBeLessThan(0);
    expect(equal).toMatchObject({ difference: 0, p: 1, p_holm: 1, rank_biserial: 0 });
  });

  it('joins folds, averages seeds and ignores cases only one run has', () => {
    const folds = { name: 'folds', summaries: [run([6, 5], 'c'), run([6], 'other')] };
    const [joined] = compareRuns(folds, [{ name: 'c only', summaries: [run([6, 5], 'c')] }]);
    expect(joined).toMatchObject({ n_cases: 2, difference: 0 });
    const seeds = { name: 'seeds', summaries: [run([6]), run([5])] };
    const [averaged] = compareRuns({ name: 'one', summaries: [run([6])] }, [seeds]);
    expect(averaged.difference).toBeCloseTo((100 * (run([5]).metric_per_case[0].metrics['1'].IoU! - 1)) / 2, 12);
    expect(compareRuns(good, [{ name: 'elsewhere', summaries: [run([6], 'z')] }])[0]).toMatchObject({
      n_cases: 0,
      difference: null,
      p: null,
      p_holm: null,
      t: null,
    });
  });
});
