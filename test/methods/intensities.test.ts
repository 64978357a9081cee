// SPDX-License-Identifier: MIT
// What networks see of a region, against what a case is made to by the window itself.
import { describe, expect, it } from 'vitest';
import { normalise } from '../../src/data/sample.ts';
import { hounsfield, narrowed } from '../../src/methods/sanet/intensities.ts';
import { presetPlan } from '../../src/train/presets.ts';

const HU = [-1400, -1200, -1000, -600, -1, 0, 40, 600, 999, 1000, 1400];

describe.each(['-1..1', '0..1'] as const)('intensities normalised to %s', (range) => {
  const data = { ...presetPlan('demo').data, window: [-1200, 1000] as [number, number], normalise: range };
  const seen = (low: number, high: number): Float32Array =>
    normalise(HU, { low, high, outLow: range === '-1..1' ? -1 : 0, outHigh: 1, zScore: false }).image;

  it('become HU again, as far as the window goes', () => {
    const { scale, offset } = hounsfield(data);
    seen(-1200, 1000).forEach((v, i) => expect(scale * v + offset).toBeCloseTo(Math.min(1000, Math.max(-1200, HU[i])), 3));
  });

  it('become what a narrower window would have made of them', () => {
    const { scale, offset, low, high } = narrowed(data, [-160, 240]);
    const expected = seen(-160, 240);
    seen(-1200, 1000).forEach((v, i) => expect(Math.min(high, Math.max(low, scale * v + offset))).toBeCloseTo(expected[i], 5));
  });
});
