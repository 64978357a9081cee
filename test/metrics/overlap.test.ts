// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertSameGrid } from '../../src/metrics/mask.ts';
import { confusion, overlapCounts, overlapScores } from '../../src/metrics/overlap.ts';
import { paint, randomPair } from './masks.ts';

describe('overlap', () => {
  it('counts one class against all others and scores it', () => {
    const reference = paint([1, 2, 4], (_z, y, x) => (y === 0 ? 1 : x < 2 ? 2 : 0));
    const prediction = paint([1, 2, 4], (_z, y, x) => (y === 0 && x < 3 ? 1 : y === 1 && x > 2 ? 1 : 0));
    const counts = overlapCounts(confusion(reference, prediction), 1);
    expect(counts).toEqual({ TP: 3, FP: 1, FN: 1, TN: 3, n_ref: 4, n_pred: 4 });
    expect(overlapScores(counts)).toEqual({ Dice: 0.75, IoU: 0.6, RAVD: 0 });
    expect(overlapScores(overlapCounts(confusion(reference, prediction), 2))).toEqual({ Dice: 0, IoU: 0, RAVD: -1 });
  });

  it('is undefined where both are empty, 0 where one is', () => {
    expect(overlapScores({ TP: 0, FP: 0, FN: 0 })).toEqual({ Dice: null, IoU: null, RAVD: null });
    expect(overlapScores({ TP: 0, FP: 5, FN: 0 })).toEqual({ Dice: 0, IoU: 0, RAVD: null });
    expect(overlapScores({ TP: 0, FP: 0, FN: 5 })).toEqual({ Dice: 0, IoU: 0, RAVD: -1 });
  });

  it('leaves voxels out whose reference is the ignore label', () => {
    const reference = paint([1, 1, 4], (_z, _y, x) => [1, 1, 255, 0][x]);
    const prediction = paint([1, 1, 4], (_z, _y, x) => [1, 0, 1, 0][x]);
    expect(overlapCounts(confusion(reference, prediction, 255), 1)).toEqual({ TP: 1, FP: 0, FN: 1, TN: 1, n_ref: 2, n_pred: 1 });
  });

  it('agrees with counting voxel by voxel', () => {
    fc.assert(
      fc.property(randomPair, fc.integer({ min: 0, max: 2 }), ({ reference, prediction }, label) => {
        const expected = { TP: 0, FP: 0, FN: 0, TN: 0, n_ref: 0, n_pred: 0 };
        reference.data.forEach((r, i) => {
          const p = prediction.data[i];
          if (r === label) expected.n_ref++;
          if (p === label) expected.n_pred++;
          expected[r === label ? (p === label ? 'TP' : 'FN') : p === label ? 'FP' : 'TN']++;
        });
        const counts = overlapCounts(confusion(reference, prediction), label);
        expect(counts).toEqual(expected);
        const { Dice, IoU } = overlapScores(counts);
        if (Dice !== null) expect(IoU).toBeCloseTo(Dice / (2 - Dice), 12);
      }),
    );
  });

  it('refuses volumes of different geometry, naming both', () => {
    const a = paint([2, 3, 4], () => 0);
    expect(() =>
      assertSameGrid(
        a,
        paint([2, 3, 5], () => 0),
        'case 7',
      ),
    ).toThrow(/case 7.*2 x 3 x 5.*2 x 3 x 4/);
    expect(() =>
      assertSameGrid(
        a,
        paint([2, 3, 4], () => 0, [1, 1, 1.01]),
        'case 7',
      ),
    ).toThrow(/1.01 mm/);
    expect(() => assertSameGrid(a, { ...a, data: new Uint8Array(23) }, 'case 7')).toThrow(/prediction does not fill/);
    expect(() =>
      assertSameGrid(
        a,
        paint([2, 3, 4], () => 0, [1, 1, 1.0005]),
        'case 7',
      ),
    ).not.toThrow();
  });
});
