// SPDX-License-Identifier: MIT
import type { Triple } from '../../src/axes.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyAugmentation, drawAugmentation, moveVoxels, NO_AUGMENTATION } from '../../src/data/augment.ts';
import type { LoadedCase } from '../../src/data/dataset.ts';
import { Philox } from '../../src/random/philox.ts';
import { crop, cutSample, foregroundVoxels, noduleCentre, noduleStart, paste, patchStart, startAround } from '../../src/data/roi.ts';
import { normalise, prepareCase, WINDOWS } from '../../src/data/sample.ts';
import { volumeOf } from './helpers.ts';

const size: Triple = [6, 10, 12];
/** A case whose nodule fills d 2..4, h 3..6, w 5..8, annotated on d = 3 only, all voxels numbered. */
function loadedCase(): LoadedCase {
  const label = new Uint8Array(720),
    weight = new Uint8Array(720);
  for (let d = 2; d <= 4; d++) for (let h = 3; h <= 6; h++) for (let w = 5; w <= 8; w++) label[(d * 10 + h) * 12 + w] = 1;
  weight.fill(1, 3 * 120, 4 * 120);
  const image = volumeOf(
    size,
    Int16Array.from({ length: 720 }, (_, i) => 2 * i - 800),
    { direction: [-1, 0, 0, 0, -1, 0, 0, 0, 1] },
  );
  return { name: 'a', image, label, weight, unlabelled: [], stored: image };
}

describe('normalise', () => {
  it('maps the lung window to [-1, 1] and pads with its lower end', () => {
    const { image, outside } = normalise([-3000, -1200, -300, 600, 3000], WINDOWS.lung);
    expect([...image]).toEqual([-1, -1, 0, 1, 1]);
    expect(outside).toBe(-1);
  });
  it('standardises the abdomen window over the volume', () => {
    const { image, outside } = normalise([-160, 240, 240, -160], WINDOWS.abdomen);
    expect([...image]).toEqual([-1, 1, 1, -1]);
    expect(outside).toBe(-1);
    expect([...normalise([5, 5], WINDOWS.abdomen).image]).toEqual([0, 0]);
  });
});

describe('prepareCase', () => {
  it('keeps native voxels without a spacing, and resamples image, label and weight to one grid with it', () => {
    const native = prepareCase(loadedCase(), null, WINDOWS.lung);
    expect(native.grid.size).toEqual(size);
    expect(native.image[0]).toBeCloseTo(-1 + (2 * 400) / 1800, 6);
    const fine = prepareCase(loadedCase(), [1.25, 0.75, 0.5], WINDOWS.lung); // twice the slices
    expect(fine.grid.size).toEqual([12, 10, 12]);
    for (const part of [fine.image, fine.label!, fine.weight!]) expect(part).toHaveLength(1440);
    expect(fine.weight!.filter((v) => v).length).toBe(240); // one slice of 120 became two
    expect(fine.weight!.indexOf(1)).toBe(6 * 120);
    expect(fine.label!.filter((v) => v).length).toBe(2 * 48);
  });
});

describe('regions', () => {
  const prepared = prepareCase(loadedCase(), null, WINDOWS.lung);

  it('centre on the annotated part of the nodule only', () => {
    expect(noduleCentre(prepared)).toEqual([3, 4.5, 6.5]);
    expect([...foregroundVoxels(prepared, 2)[1]].every((i) => Math.floor(i / 120) === 3)).toBe(true);
    expect(noduleCentre({ ...prepared, weight: new Uint8Array(720) })).toEqual([2.5, 4.5, 5.5]);
  });

  it("pad with the window's lower end, label 0 and weight 0, and keep the voxels in place", () => {
    const roi: Triple = [16, 16, 16],
      start = noduleStart(prepared, roi),
      sample = cutSample(prepared, start, roi);
    expect(start).toEqual(startAround([3, 4.5, 6.5], roi));
    for (let d = 0, i = 0; d < 16; d++)
      for (let h = 0; h < 16; h++)
        for (let w = 0; w < 16; w++, i++) {
          const at = [d + start[0], h + start[1], w + start[2]],
            inside = at.every((v, axis) => v >= 0 && v < size[axis]);
          const source = (at[0] * 10 + at[1]) * 12 + at[2];
          expect([sample.image[i], sample.label[i], sample.weight[i]]).toEqual(
            inside ? [prepared.image[source], prepared.label![source], prepared.weight![source]] : [-1, 0, 0],
          );
        }
  });

  it('jitter within 4 and 8 voxels, repeatably', () => {
    const roi: Triple = [16, 64, 64],
      plain = noduleStart(prepared, roi);
    const seen = Array.from({ length: 60 }, (_, step) => noduleStart(prepared, roi, new Philox(1, 'augment').cursor(step, 0)));
    for (const s of seen) s.forEach((v, axis) => expect(Math.abs(v - plain[axis])).toBeLessThanOrEqual([4, 8, 8][axis]));
    expect(new Set(seen.map((s) => s[0])).size).toBe(9);
    expect(noduleStart(prepared, roi, new Philox(1, 'augment').cursor(7, 0))).toEqual(seen[7]);
  });

  it('take two thirds of patches around annotated foreground and stay inside large volumes', () => {
    const big: Triple = [20, 40, 40],
      roi: Triple = [4, 8, 8];
    const voxel = (10 * 40 + 20) * 40 + 30,
      lists = [Uint32Array.of(), Uint32Array.of(voxel)];
    let hits = 0;
    for (let step = 0; step < 300; step++) {
      const s = patchStart(big, roi, lists, new Philox(2, 'augment').cursor(step, 1));
      s.forEach((v, axis) => {
        expect(v).toBeGreaterThanOrEqual(0);
        expect(v).toBeLessThanOrEqual(big[axis] - roi[axis]);
      });
      if (s.join() === startAround([10, 20, 30], roi).join()) hits++;
    }
    expect(Math.abs(hits - 200)).toBeLessThan(4 * Math.sqrt(300 * (2 / 9)));
    expect(patchStart([3, 40, 40], [8, 8, 8], [], new Philox(2, 'augment').cursor(0, 1))[0]).toBe(-3);
  });

  it('crop and paste are adjoint for any start', () => {
    fc.assert(
      fc.property(fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: -9, max: 14 }))), (start) => {
        const roi: Triple = [4, 5, 7],
          x = new Philox(3, 'init').normal(0, 0, 720),
          y = new Philox(3, 'init').normal(0, 1, 140);
        const cut = crop(x, size, start as Triple, roi, 0),
          put = new Float32Array(720);
        paste(put, size, y, start as Triple, roi);
        const left = cut.reduce((s, v, i) => s + v * y[i], 0),
          right = x.reduce((s, v, i) => s + v * put[i], 0);
        return Math.abs(left - right) < 1e-9;
      }),
      { numRuns: 100, seed: 1 },
    );
  });
});

describe('augmentation', () => {
  const numbered = Float32Array.from({ length: 2 * 3 * 3 }, (_, i) => i);

  it('flips the axis it says and turns as numpy.rot90', () => {
    const flip = (axis: number): number[] =>
      [...moveVoxels(numbered, [2, 3, 3], { ...NO_AUGMENTATION, flips: [axis === 0, axis === 1, axis === 2] })].slice(0, 9);
    expect(flip(0)).toEqual([9, 10, 11, 12, 13, 14, 15, 16, 17]);
    expect(flip(1)).toEqual([6, 7, 8, 3, 4, 5, 0, 1, 2]);
    expect(flip(2)).toEqual([2, 1, 0, 5, 4, 3, 8, 7, 6]);
    // numpy.rot90(arange(9).reshape(3, 3), k)
    const turn = (turns: number): number[] => [...moveVoxels(numbered, [2, 3, 3], { ...NO_AUGMENTATION, turns })].slice(0, 9);
    expect(turn(1)).toEqual([2, 5, 8, 1, 4, 7, 0, 3, 6]);
    expect(turn(2)).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(turn(3)).toEqual([6, 3, 0, 7, 4, 1, 8, 5, 2]);
    expect(() => moveVoxels(numbered, [3, 2, 3], { ...NO_AUGMENTATION, turns: 1 })).toThrow(RangeError);
  });

  it('moves image, label and weight together and changes intensities of the image alone', () => {
    const sample = cutSample(prepareCase(loadedCase(), null, WINDOWS.lung), [0, 0, 1], [6, 10, 10]);
    const a = { flips: [true, false, true] as const, turns: 3, scale: 0.1, shift: -0.05 },
      out = applyAugmentation(sample, a);
    // The triples (image, label, weight) are the same set as before.
    const triples = (s: typeof sample, back: (v: number) => number): string[] =>
      [...s.image].map((v, i) => `${Math.round(back(v) * 1e4) || 0},${s.label[i]},${s.weight[i]}`).sort();
    expect(triples(out, (v) => (v + 0.05) / 1.1)).toEqual(triples(sample, (v) => v));
    expect([...out.label]).not.toEqual([...sample.label]);
  });

  it('draws what specification 7.4 says, as a function of seed, step and element', () => {
    const n = 4000,
      draws = Array.from({ length: n }, (_, step) => drawAugmentation(9, step, 0, [16, 64, 64]));
    const near = (count: number, p: number): void => expect(Math.abs(count - n * p)).toBeLessThan(4 * Math.sqrt(n * p * (1 - p)));
    for (const axis of [0, 1, 2]) near(draws.filter((a) => a.flips[axis]).length, 0.5);
    near(draws.filter((a) => a.turns > 0).length, 0.2);
    near(draws.filter((a) => a.turns === 3).length, 0.2 / 3);
    near(draws.filter((a) => a.scale !== 0).length, 0.1);
    near(draws.filter((a) => a.shift !== 0).length, 0.1);
    for (const a of draws) {
      expect(Math.abs(a.scale)).toBeLessThanOrEqual(0.1);
      expect(Math.abs(a.shift)).toBeLessThanOrEqual(0.1);
    }
    expect(drawAugmentation(9, 17, 0, [16, 64, 64])).toEqual(draws[17]);
    for (let step = 0; step < 50; step++) expect(drawAugmentation(9, step, 1, [16, 64, 48]).turns % 2).toBe(0);
  });

  it('draws with the odds of a plan', () => {
    const always = { flip: 1, rotate90: 1, scale: { probability: 1, range: 0.3 }, shift: { probability: 1, range: 0.5 } };
    const never = { flip: 0, rotate90: 0, scale: { probability: 0, range: 0.3 }, shift: { probability: 0, range: 0.5 } };
    const draws = Array.from({ length: 200 }, (_, step) => drawAugmentation(9, step, 0, [16, 64, 64], always));
    expect(draws.every((a) => a.flips.every(Boolean) && a.turns > 0)).toBe(true);
    expect(Math.max(...draws.map((a) => Math.abs(a.scale)))).toBeCloseTo(0.3, 1);
    expect(Math.max(...draws.map((a) => Math.abs(a.shift)))).toBeCloseTo(0.5, 1);
    for (let step = 0; step < 200; step++) expect(drawAugmentation(9, step, 0, [16, 64, 64], never)).toEqual(NO_AUGMENTATION);
  });
});
