// SPDX-License-Identifier: MIT
// What is computed beside the networks: which slices are annotated throughout, how far masks agree, which slice is worth drawing next.
import { describe, expect, it } from 'vitest';
import { annotationWeight } from '../../src/data/annotations.ts';
import { annotatedSlices } from '../../src/studio/session/planes.ts';
import { agreementOf, proposed, sliceOf } from '../../src/studio/session/slices.ts';

describe('annotatedSlices', () => {
  const size: [number, number, number] = [4, 3, 5];
  it('finds the slices of both planes', () => {
    expect(annotatedSlices(annotationWeight(size, { transverse: [1, 3], coronal: [2] }, ''), size)).toEqual({
      transverse: [1, 3],
      coronal: [2],
      more: false,
    });
  });
  it('says all of it by transverse slices alone, and nothing by none', () => {
    expect(annotatedSlices(new Uint8Array(60).fill(1), size)).toEqual({ transverse: [0, 1, 2, 3], coronal: [], more: false });
    expect(annotatedSlices(new Uint8Array(60), size)).toEqual({ transverse: [], coronal: [], more: false });
  });
  it('takes no slice with a hole for annotated, and says that there is more', () => {
    const weight = annotationWeight(size, { transverse: [1], coronal: [] }, '');
    weight[15 + 7] = 0;
    expect(annotatedSlices(weight, size)).toEqual({ transverse: [], coronal: [], more: true });
    weight.fill(1, 30, 45);
    expect(annotatedSlices(weight, size)).toEqual({ transverse: [2], coronal: [], more: true });
  });
});

describe('slices', () => {
  it('of each plane are its voxels, rows first', () => {
    const data = Uint8Array.from({ length: 24 }, (_, i) => i);
    expect([...sliceOf(data, [2, 3, 4], 'transverse', 1)]).toEqual([12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
    expect([...sliceOf(data, [2, 3, 4], 'coronal', 1)]).toEqual([4, 5, 6, 7, 16, 17, 18, 19]);
    expect([...sliceOf(data, [2, 3, 4], 'sagittal', 3)]).toEqual([3, 7, 11, 15, 19, 23]);
  });
  it('agree as Dice does, class by class; networks that both see nothing agree', () => {
    const mask = (...v: number[]): Uint8Array => Uint8Array.from(v);
    expect(agreementOf([mask(1, 1, 0, 2), mask(1, 2, 0, 2)])).toBeCloseTo(2 / 3);
    expect(agreementOf([mask(0, 0), mask(0, 0)])).toBe(1);
    expect(agreementOf([mask(1, 0), mask(0, 0)])).toBe(0);
    expect(agreementOf([mask(1)])).toBeNull();
    expect(agreementOf([mask(1), mask(1), mask(0)])).toBeCloseTo(1 / 3);
  });
  it('worth drawing next are those of least agreement, then the farthest, the middle first', () => {
    expect(proposed(9, [], undefined)).toBe(4);
    expect(proposed(9, [0, 8], undefined)).toBe(4);
    expect(proposed(9, [4], undefined)).toBe(0);
    expect(proposed(4, [1], [0.5, 0.1, 0.2, 0.9])).toBe(2);
    expect(proposed(5, [0], [1, 1, 1, 1, 1])).toBe(4);
    expect(proposed(2, [0, 1], undefined)).toBeNull();
  });
});
