// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distanceBin, overlapByDistance, rowDistances } from '../../src/metrics/slice_distance.ts';
import { paint, randomPair } from './masks.ts';

describe('distance to the nearest annotated slice', () => {
  it('takes the nearer of the two directions', () => {
    expect([...rowDistances([4, 3, 9], { transverse: [0], coronal: [2] })!]).toEqual([0, 0, 0, 1, 1, 0, 2, 1, 0, 2, 1, 0]);
    expect([...rowDistances([4, 2, 9], { transverse: [1] })!]).toEqual([1, 1, 0, 0, 1, 1, 2, 2]);
    expect(rowDistances([4, 2, 9], { transverse: [] })).toBeNull();
  });

  it('refuses slices that do not exist', () => {
    expect(() => rowDistances([4, 2, 9], { transverse: [4] })).toThrow(/no such transverse slice, got 4, expected 0 to 3/);
    expect(() => rowDistances([4, 2, 9], { coronal: [-1] })).toThrow(/coronal/);
  });

  it('bins distances without gaps or overlaps', () => {
    let end = -1;
    for (let d = 0; d <= 200; d++) {
      const { from, to } = distanceBin(d);
      expect(d >= from && d <= to).toBe(true);
      if (from > end) {
        expect(from).toBe(end + 1);
        end = to;
      }
    }
  });

  it('shows a model that is right only where it was told', () => {
    const reference = paint([6, 4, 4], () => 1);
    const prediction = paint([6, 4, 4], (z, _y, x) => Number(z % 3 === 0 || x < 2));
    const bins = overlapByDistance(reference, prediction, 1, rowDistances([6, 4, 4], { transverse: [0, 3] })!);
    expect(bins.map((b) => [b.from, b.to, b.Dice])).toEqual([
      [0, 0, 1],
      [1, 1, 2 / 3],
      [2, 2, 2 / 3],
    ]);
  });

  it('adds up to the counts of the whole volume', () => {
    fc.assert(
      fc.property(randomPair, ({ reference, prediction }) => {
        const rows = rowDistances(reference.size, { transverse: [0] })!;
        const bins = overlapByDistance(reference, prediction, 1, rows, 2);
        const total = (key: 'TP' | 'FP' | 'FN'): number => bins.reduce((sum, bin) => sum + bin[key], 0);
        const expected = { TP: 0, FP: 0, FN: 0 };
        reference.data.forEach((r, i) => {
          if (r === 1) expected[prediction.data[i] === 1 ? 'TP' : 'FN']++;
          else if (r !== 2 && prediction.data[i] === 1) expected.FP++;
        });
        expect({ TP: total('TP'), FP: total('FP'), FN: total('FN') }).toEqual(expected);
      }),
    );
  });
});
