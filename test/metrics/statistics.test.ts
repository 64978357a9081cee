// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootstrapInterval, bootstrapMean, bootstrapPairedDifference, seededUniform } from '../../src/metrics/bootstrap.ts';
import { erfc, regularisedBeta } from '../../src/metrics/special.ts';
import { holm, mean, quantile, standardDeviation } from '../../src/metrics/statistics.ts';
import { pairedT } from '../../src/metrics/student.ts';
import { wilcoxonSignedRank } from '../../src/metrics/wilcoxon.ts';

// Literals: scipy_goldens.py (SciPy 1.13.1).
const x8 = [78.1, 80.2, 75.3, 79.9, 81.0, 77.7, 76.5, 82.2];
const y8 = [76.0, 78.9, 75.1, 77.0, 80.5, 75.0, 76.9, 79.8];
const range = (n: number): number[] => Array.from({ length: n }, (_, k) => k);
const a25 = range(25).map((k) => ((k * 37) % 101) * 100 + k * k + 7),
  b25 = range(25).map((k) => ((k * 53) % 97) * 100);
const a40 = range(40).map((k) => (k * 7) % 11),
  b40 = range(40).map((k) => (k * 5) % 13);

describe('Wilcoxon signed-rank', () => {
  it('is exact for few pairs, as SciPy', () => {
    expect(wilcoxonSignedRank(x8, y8)).toMatchObject({ W: 2, p: 0.0234375, n: 8, method: 'exact' });
    const r = wilcoxonSignedRank(a25, b25);
    expect(r).toMatchObject({ W: 124, n: 25, method: 'exact' });
    expect(r.p).toBeCloseTo(0.312333345413208, 14);
  });

  it('approximates many pairs with tie and continuity correction, dropping zeros, as SciPy', () => {
    const r = wilcoxonSignedRank(a40, b40);
    expect(r).toMatchObject({ W: 246.5, n: 35, method: 'normal' });
    expect(r.p).toBeCloseTo(0.2641681306685322, 13);
  });

  it('counts ties exactly, as an enumeration of all sign patterns', () => {
    const d = [1, 1, 2, 2, 2, -1, 3, -4, 5];
    expect(
      wilcoxonSignedRank(
        d,
        d.map(() => 0),
      ),
    ).toMatchObject({ W: 10, p: 0.16015625, method: 'exact' });
  });

  it('gives the direction and size of the effect', () => {
    expect(wilcoxonSignedRank(x8, y8).rankBiserial).toBeCloseTo((34 - 2) / 36, 15);
    expect(wilcoxonSignedRank([2, 3, 4], [1, 1, 1]).rankBiserial).toBe(1);
    expect(wilcoxonSignedRank([1, 1, 1], [2, 3, 4]).rankBiserial).toBe(-1);
    expect(wilcoxonSignedRank([1, 2], [1, 2])).toMatchObject({ p: 1, n: 0, rankBiserial: 0 });
  });

  it('does not care which sample comes first, nor for scale', () => {
    const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(pairs, (list) => {
        const x = list.map(([a]) => a),
          y = list.map(([, b]) => b);
        const there = wilcoxonSignedRank(x, y),
          back = wilcoxonSignedRank(y, x),
          scaled = wilcoxonSignedRank(
            x.map((v) => 4 * v),
            y.map((v) => 4 * v),
          );
        expect(back.p).toBe(there.p);
        expect(scaled.p).toBe(there.p);
        expect(back.rankBiserial).toBeCloseTo(-there.rankBiserial, 12);
        expect(there.p).toBeGreaterThan(0);
        expect(there.p).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('refuses what is not paired or not a number', () => {
    expect(() => wilcoxonSignedRank([1, 2], [1])).toThrow(/pairs do not match/);
    expect(() => wilcoxonSignedRank([1, NaN], [1, 2])).toThrow(/not a finite number/);
  });
});

describe('paired t-test', () => {
  it('agrees with SciPy', () => {
    const r = pairedT(x8, y8);
    expect(r.t).toBeCloseTo(3.315137475813281, 12);
    expect(r.p).toBeCloseTo(0.012850539842452829, 13);
    expect(r.effect).toBeCloseTo(r.t / Math.sqrt(8), 14);
    expect(pairedT(a40, b40).p).toBeCloseTo(0.28072301121225773, 13);
  });
  it('knows the two degenerate cases', () => {
    expect(pairedT([1, 2, 3], [1, 2, 3])).toMatchObject({ t: 0, p: 1 });
    expect(pairedT([2, 3, 4], [1, 2, 3])).toMatchObject({ t: Infinity, p: 0 });
  });
});

it('special functions agree with SciPy', () => {
  const erfcGolden: [number, number][] = [
    [0, 1],
    [0.5, 0.4795001221869535],
    [2, 0.004677734981047266],
    [2.5, 0.00040695201744495886],
    [3, 2.2090496998585445e-5],
    [6, 2.1519736712498913e-17],
  ];
  for (const [at, value] of erfcGolden) expect(Math.abs(erfc(at) / value - 1)).toBeLessThan(1e-12);
  expect(erfc(-0.5)).toBeCloseTo(2 - 0.4795001221869535, 15);
  const betaGolden: [number, number, number, number][] = [
    [3.5, 0.5, 0.2, 0.0011337831033596448],
    [3.5, 0.5, 0.97, 0.6558521087759752],
    [50, 0.5, 0.9, 0.001204149832559813],
  ];
  for (const [a, b, at, value] of betaGolden) expect(Math.abs(regularisedBeta(at, a, b) / value - 1)).toBeLessThan(1e-11);
});

it('Holm adjusts in the order given and never falls', () => {
  const adjusted = holm([0.01, 0.04, 0.03, 0.005, 0.2, 0.02]);
  [0.05, 0.09, 0.09, 0.03, 0.2, 0.08].forEach((value, i) => expect(adjusted[i]).toBeCloseTo(value, 14));
  expect(holm([0.6, 0.7])).toEqual([1, 1]);
  expect(holm([])).toEqual([]);
});

it('mean, standard deviation and quantile', () => {
  expect(mean([1, 2, 6])).toBe(3);
  expect(mean([])).toBeNull();
  expect(standardDeviation([1, 2, 6])).toBeCloseTo(Math.sqrt(7), 15);
  expect(standardDeviation([4])).toBeNull();
  const numpy: [number, number][] = [
    [0, 1],
    [0.1, 1.4],
    [0.5, 4],
    [0.95, 14.4],
    [1, 16],
  ];
  for (const [q, value] of numpy) expect(quantile([1, 2, 4, 8, 16], q)).toBeCloseTo(value, 13);
  expect(quantile([5], 0.95)).toBe(5);
});

describe('bootstrap', () => {
  const values = range(40).map((k) => ((k * 17) % 23) + k / 10);

  it('draws uniform numbers from a seed', () => {
    const a = seededUniform(7),
      b = seededUniform(7),
      c = seededUniform(8);
    const drawn = range(20_000).map(() => a());
    expect(range(100).map(() => b())).toEqual(drawn.slice(0, 100));
    expect(c()).not.toBe(drawn[0]);
    expect(drawn.every((u) => u >= 0 && u < 1)).toBe(true);
    // Five standard errors of the mean and of the share below 0.1.
    expect(Math.abs(mean(drawn)! - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / 20_000));
    expect(Math.abs(drawn.filter((u) => u < 0.1).length / 20_000 - 0.1)).toBeLessThan(5 * Math.sqrt(0.09 / 20_000));
  });

  it('is as wide as theory says and repeats from its seed', () => {
    const interval = bootstrapMean(values, { seed: 3 })!;
    const standardError = (standardDeviation(values)! * Math.sqrt(39 / 40)) / Math.sqrt(40);
    expect(interval.low).toBeLessThan(mean(values)!);
    expect(interval.high).toBeGreaterThan(mean(values)!);
    expect((interval.high - interval.low) / (2 * 1.959964 * standardError)).toBeCloseTo(1, 1);
    expect(bootstrapMean(values, { seed: 3 })).toEqual(interval);
    expect(bootstrapMean(values, { seed: 4 })).not.toEqual(interval);
    expect(bootstrapMean(values, { seed: 3, level: 0.8 })!.low).toBeGreaterThan(interval.low);
  });

  it('lets what pairs have in common cancel', () => {
    const better = values.map((v, i) => v + 1 + (i % 3) / 10);
    const paired = bootstrapPairedDifference(better, values)!;
    expect(paired.low).toBeGreaterThan(1);
    expect(paired.high).toBeLessThan(1.2);
    expect(() => bootstrapPairedDifference([1], [1, 2])).toThrow(/pairs do not match/);
  });

  it('has nothing to say about one case, and skips draws where the statistic is undefined', () => {
    expect(bootstrapMean([3])).toBeNull();
    expect(bootstrapInterval(4, () => null)).toBeNull();
    const interval = bootstrapInterval(4, (drawn) => (drawn.includes(0) ? 1 : null))!;
    expect(interval).toEqual({ low: 1, high: 1 });
    expect(() => bootstrapMean([1, 2], { level: 95 })).toThrow(/level/);
    expect(() => bootstrapMean([1, 2], { resamples: 0 })).toThrow(/resamples/);
  });
});
