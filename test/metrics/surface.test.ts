// SPDX-License-Identifier: MIT
// Surfaces against brute force over all pairs of voxels, and against spheres whose distances are known.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundaryVoxels, FACE, SCORED, scoredVoxels } from '../../src/metrics/boundary.ts';
import { boundaryF1, boundaryF1PerSlice, boundaryTolerance } from '../../src/metrics/boundary_f1.ts';
import { squaredDistances } from '../../src/metrics/edt.ts';
import { cropClass, type LabelMap } from '../../src/metrics/mask.ts';
import { assd, hd95, surfaceDice, surfaceDistances } from '../../src/metrics/surface.ts';
import { ball, paint, randomPair } from './masks.ts';

type Voxel = { at: [number, number, number]; face: boolean };

/** Boundary voxels of label 1 by the words of specification 8, on the whole volume. */
function bruteBoundary({ data, size: [D, H, W] }: LabelMap, planar = false): Voxel[] {
  const voxels: Voxel[] = [];
  const steps = [
    [0, 0, 1],
    [0, 0, -1],
    [0, 1, 0],
    [0, -1, 0],
    ...(planar
      ? []
      : [
          [1, 0, 0],
          [-1, 0, 0],
        ]),
  ];
  for (let z = 0; z < D; z++)
    for (let y = 0; y < H; y++)
      for (let x = 0; x < W; x++) {
        if (data[(z * H + y) * W + x] !== 1) continue;
        let outside = false,
          beyond = false;
        for (const [dz, dy, dx] of steps) {
          const [a, b, c] = [z + dz, y + dy, x + dx];
          if (a < 0 || b < 0 || c < 0 || a >= D || b >= H || c >= W) beyond = true;
          else if (data[(a * H + b) * W + c] !== 1) outside = true;
        }
        if (outside || beyond) voxels.push({ at: [z, y, x], face: !outside });
      }
  return voxels;
}
const scored = (voxels: Voxel[]): Voxel[] => (voxels.some((v) => !v.face) ? voxels.filter((v) => !v.face) : voxels);
const distance = (a: Voxel, others: Voxel[], s: readonly number[]): number =>
  Math.min(...others.map((b) => Math.hypot(...a.at.map((v, k) => (v - b.at[k]) * s[k]))));

describe('distance transform', () => {
  it('agrees with SciPy on unequal spacing', () => {
    const sites = Uint8Array.from({ length: 120 }, (_, i) => Number((i * 29) % 31 === 3));
    const field = squaredDistances(sites, [4, 5, 6], [2.5, 0.7, 0.9]);
    expect(field.reduce((a, b) => a + b, 0)).toBeCloseTo(614.6, 9);
    expect(Math.sqrt(Math.max(...field))).toBeCloseTo(4.601086828130937, 12);
  });
  it('agrees with all pairs, and is infinite without a site', () => {
    fc.assert(
      fc.property(randomPair, ({ reference: { data, size, spacing } }) => {
        const field = squaredDistances(data, size, spacing);
        const all = [...data.keys()].map((i) => [Math.floor(i / (size[1] * size[2])), Math.floor(i / size[2]) % size[1], i % size[2]]);
        const sites = all.filter((_, i) => data[i] > 0);
        all.forEach((p, i) => {
          const expected = Math.min(...sites.map((q) => p.reduce((sum, v, k) => sum + ((v - q[k]) * spacing[k]) ** 2, 0)));
          if (sites.length === 0) expect(field[i]).toBe(Infinity);
          else expect(Math.abs(field[i] - expected)).toBeLessThan(1e-9);
        });
      }),
      { numRuns: 60 },
    );
  });
});

describe('boundary voxels', () => {
  it('closes a mask at the crop face without scoring the face', () => {
    // A column through the whole depth: its side is boundary, the middle of its two ends is face.
    const column = paint([4, 7, 7], (_z, y, x) => Number(y > 1 && y < 5 && x > 1 && x < 5));
    const pair = cropClass(column, column, 1)!;
    const marks = boundaryVoxels({ ...pair, mask: pair.reference });
    const centre = [0, 1, 2, 3].map((z) => marks[(z * 3 + 1) * 3 + 1]);
    expect(centre).toEqual([FACE, 0, 0, FACE]);
    expect(marks.filter((m) => m === SCORED).length).toBe(4 * 8);
    expect(scoredVoxels(marks).length).toBe(4 * 8);
    expect(boundaryVoxels({ ...pair, mask: pair.reference }, true).filter((m) => m === FACE).length).toBe(0);
  });
  it('scores the face of a mask that has nothing else', () => {
    const full = paint([3, 3, 3], () => 1);
    const pair = cropClass(full, full, 1)!;
    expect(scoredVoxels(boundaryVoxels({ ...pair, mask: pair.reference })).length).toBe(26);
    expect(boundaryF1(pair, 1)!.f1).toBe(1);
  });
  it('does not blame a prediction near the face for the end of the crop', () => {
    const reference = paint([6, 20, 20], (z, y, x) => Number(z >= 0 && Math.hypot(y - 10, x - 10) < 8));
    const prediction = paint([6, 20, 20], (z, y, x) => Number(z >= 1 && Math.hypot(y - 10, x - 10) < 8));
    // The bottom of the prediction is one slice above the face that closes the reference; without that target it would be up to 8 away.
    expect(Math.max(...surfaceDistances(cropClass(reference, prediction, 1), [1, 1, 1])!.predictionToReference.map(Math.abs))).toBe(1);
  });
});

describe('boundary F1', () => {
  it('has the tolerances of the three regions of the paper', () => {
    expect(
      [
        [48, 160, 160],
        [32, 64, 64],
        [96, 96, 96],
        [64, 64],
      ].map(boundaryTolerance),
    ).toEqual([2, 1, 2, 1]);
  });
  it('of two spheres shifted by 1, 2, 3 voxels at theta 2 is 1, 1, below 1 (specification E.13)', () => {
    const reference = ball([32, 32, 32], [15, 15, 15], 8);
    const shifted = [1, 2, 3].map((by) => boundaryF1(cropClass(reference, ball([32, 32, 32], [15, 15, 15 + by], 8), 1), 2)!.f1);
    expect(shifted[0]).toBe(1);
    expect(shifted[1]).toBe(1);
    expect(shifted[2]).toBeLessThan(1);
    expect(shifted[2]).toBeGreaterThan(0.5);
  });
  it('is null for two empty masks and 0 for one', () => {
    const empty = paint([4, 4, 4], () => 0),
      one = ball([4, 4, 4], [1, 1, 1], 1);
    expect(boundaryF1(cropClass(empty, empty, 1), 2)).toBeNull();
    expect(boundaryF1PerSlice(cropClass(empty, empty, 1), 2)).toBeNull();
    expect(boundaryF1(cropClass(empty, one, 1), 2)!.f1).toBe(0);
    expect(boundaryF1PerSlice(cropClass(one, empty, 1), 2)).toBe(0);
  });
  it('agrees with brute force in 3-D and slice by slice', () => {
    fc.assert(
      fc.property(randomPair, fc.integer({ min: 0, max: 2 }), ({ reference, prediction }, theta) => {
        const f1 = (r: Voxel[], p: Voxel[]): number | null => {
          if (r.length === 0 && p.length === 0) return null;
          if (r.length === 0 || p.length === 0) return 0;
          const near = (from: Voxel[], to: Voxel[]): number =>
            scored(from).filter((v) => distance(v, to, [1, 1, 1]) <= theta).length / scored(from).length;
          const precision = near(p, r),
            recall = near(r, p);
          return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
        };
        const pair = cropClass(reference, prediction, 1);
        const expected = f1(bruteBoundary(reference), bruteBoundary(prediction));
        if (expected === null) expect(boundaryF1(pair, theta)).toBeNull();
        else expect(boundaryF1(pair, theta)!.f1).toBeCloseTo(expected, 12);

        const [R, P] = [bruteBoundary(reference, true), bruteBoundary(prediction, true)];
        const slices = [...Array(reference.size[0]).keys()]
          .map((z) =>
            f1(
              R.filter((v) => v.at[0] === z),
              P.filter((v) => v.at[0] === z),
            ),
          )
          .filter((v) => v !== null);
        const planar = boundaryF1PerSlice(pair, theta);
        if (slices.length === 0) expect(planar).toBeNull();
        else expect(planar).toBeCloseTo(slices.reduce((a, b) => a + b, 0) / slices.length, 12);
      }),
      { numRuns: 150 },
    );
  });
});

describe('surface distances', () => {
  it('of concentric balls are the difference of the radii, with a sign', () => {
    const small = ball([24, 24, 24], [12, 12, 12], 5, [2, 2, 2]),
      large = ball([24, 24, 24], [12, 12, 12], 8, [2, 2, 2]);
    const inward = surfaceDistances(cropClass(large, small, 1), [2, 2, 2])!,
      outward = surfaceDistances(cropClass(small, large, 1), [2, 2, 2])!;
    expect(inward.predictionToReference.every((d) => d < 0)).toBe(true);
    expect(outward.predictionToReference.every((d) => d > 0)).toBe(true);
    expect(Math.abs(assd(inward) - 6)).toBeLessThan(1);
    expect(assd(inward)).toBeCloseTo(assd(outward), 12);
    expect(hd95(inward)).toBe(hd95(outward));
    expect(surfaceDice(inward, 1)).toBe(0);
    expect(surfaceDice(inward, 8)).toBe(1);
  });
  it('pass a tolerance that float32 spacing just misses', () => {
    const spacing = [1, 1, Math.fround(0.1)] as const;
    const a = paint([1, 1, 30], (_z, _y, x) => Number(x === 5), spacing),
      b = paint([1, 1, 30], (_z, _y, x) => Number(x === 15), spacing);
    expect(surfaceDice(surfaceDistances(cropClass(a, b, 1), spacing)!, 1)).toBe(1);
    expect(surfaceDice(surfaceDistances(cropClass(a, b, 1), spacing)!, 0.99)).toBe(0);
  });
  it('agree with brute force', () => {
    fc.assert(
      fc.property(randomPair, ({ reference, prediction }) => {
        const R = bruteBoundary(reference),
          P = bruteBoundary(prediction),
          s = reference.spacing;
        const found = surfaceDistances(cropClass(reference, prediction, 1), s);
        if (R.length === 0 || P.length === 0) {
          expect(found).toBeNull();
          return;
        }
        const toR = scored(P).map((v) => distance(v, R, s)),
          toP = scored(R).map((v) => distance(v, P, s));
        const all = [...toR, ...toP];
        expect(found!.predictionToReference.map(Math.abs).length).toBe(toR.length);
        expect(assd(found!)).toBeCloseTo(all.reduce((a, b) => a + b, 0) / all.length, 9);
        const percentile = (values: number[]): number => {
          const v = [...values].sort((a, b) => a - b),
            at = 0.95 * (v.length - 1),
            k = Math.floor(at);
          return v[k] + (at - k) * ((v[k + 1] ?? v[k]) - v[k]);
        };
        expect(hd95(found!)).toBeCloseTo(Math.max(percentile(toR), percentile(toP)), 9);
        expect(surfaceDice(found!, 1.1)).toBeCloseTo(all.filter((d) => d <= 1.1).length / all.length, 12);
      }),
      { numRuns: 150 },
    );
  });
});
