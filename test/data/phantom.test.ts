// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { makePhantom, type PhantomOptions } from '../../src/data/phantom.ts';

const DEMO: PhantomOptions = { size: [16, 64, 64], seed: 1337, radii: [5, 14], contrast: 300 };
const extent = (data: ArrayLike<number>, [D, H, W]: readonly number[], value = 1): number[] => {
  const seen = [new Set<number>(), new Set<number>(), new Set<number>()];
  for (let d = 0, i = 0; d < D; d++)
    for (let h = 0; h < H; h++)
      for (let w = 0; w < W; w++, i++) {
        if (data[i] === value) {
          seen[0].add(d);
          seen[1].add(h);
          seen[2].add(w);
        }
      }
  return seen.map((s) => s.size);
};

describe('makePhantom', () => {
  it('is the same for the same seed and index, and another for another', () => {
    const a = makePhantom(DEMO),
      b = makePhantom(DEMO);
    expect(Buffer.from(a.image.data.buffer).equals(Buffer.from(b.image.data.buffer))).toBe(true);
    expect([...a.label.data]).toEqual([...b.label.data]);
    for (const other of [
      { ...DEMO, index: 1 },
      { ...DEMO, seed: 1 },
    ])
      expect([...makePhantom(other).image.data]).not.toEqual([...a.image.data]);
  });

  it('keeps radii and contrast of the demo over 12 phantoms', () => {
    for (let index = 0; index < 12; index++) {
      const { image, label } = makePhantom({ ...DEMO, index });
      const [, h, w] = extent(label.data, label.size);
      for (const n of [h, w]) {
        expect(n).toBeGreaterThanOrEqual(7);
        expect(n).toBeLessThanOrEqual(40);
      }
      // Deep inside the lesion (all neighbours 2 away inside) against lung voxels: the median is robust to vessels.
      const inside: number[] = [],
        outside: number[] = [];
      image.data.forEach((v, i) => {
        const deep = [-2, 2, -128, 128, -4096, 4096].every((o) => label.data[i + o] === 1);
        if (label.data[i] && deep) inside.push(v);
        else if (!label.data[i] && i % 5 === 0) outside.push(v);
      });
      const median = (v: number[]): number => v.sort((a, b) => a - b)[v.length >> 1];
      expect(inside.length).toBeGreaterThan(20);
      expect(median(inside) - median(outside)).toBeGreaterThan(250); // 300 less the background's own texture
    }
  });

  it('has the background and noise that were asked for', () => {
    const quiet = { ...DEMO, size: [16, 96, 96] as [number, number, number], vessels: 0, pleura: 0, noise: 0 };
    const still = makePhantom(quiet),
      noisy = makePhantom({ ...quiet, noise: 25 });
    const lung: number[] = [],
      grain: number[] = [];
    still.image.data.forEach((v, i) => {
      if (i % 96 < 15) lung.push(v);
      grain.push(noisy.image.data[i] - v);
    });
    const mean = (v: number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
    const sd = (v: number[]): number => Math.sqrt(mean(v.map((x) => x * x)) - mean(v) ** 2);
    expect(mean(lung)).toBeGreaterThan(-900);
    expect(mean(lung)).toBeLessThan(-800);
    expect(sd(lung)).toBeGreaterThan(30);
    expect(sd(lung)).toBeLessThan(90);
    expect(sd(grain)).toBeGreaterThan(24);
    expect(sd(grain)).toBeLessThan(26);
  });

  it('is blurred along z, and only there', () => {
    const n = 32,
      energy = [0, 0, 0];
    for (let index = 0; index < 4; index++) {
      const {
        image: { data },
      } = makePhantom({ size: [n, n, n], seed: 4, index, radii: [6, 6], noise: 0, vessels: 0, pleura: 0, spicules: 0 });
      for (let i = 0; i < data.length; i++)
        [n * n, n, 1].forEach((stride, axis) => {
          if (Math.floor(i / stride) % n < n - 1) energy[axis] += (data[i + stride] - data[i]) ** 2;
        });
    }
    expect(energy[0]).toBeLessThan(0.8 * energy[1]);
    expect(energy[1] / energy[2]).toBeGreaterThan(0.8);
    expect(energy[1] / energy[2]).toBeLessThan(1.25);
  });

  it('makes all three regions of the paper and one lesion a class', () => {
    const { image, label } = makePhantom({ size: [32, 64, 64], seed: 2, classes: 4, radii: [3, 6] });
    expect(image.size).toEqual([32, 64, 64]);
    for (const c of [1, 2, 3, 4]) expect(extent(label.data, label.size, c)[1]).toBeGreaterThan(3);
    expect(makePhantom({ size: [48, 160, 160], seed: 3 }).label.data.some((v) => v === 1)).toBe(true);
  });

  it('refuses what cannot be made', () => {
    expect(() => makePhantom({ ...DEMO, radii: [9, 4] })).toThrow(RangeError);
    expect(() => makePhantom({ ...DEMO, contrast: 2000 })).toThrow(RangeError);
  });
});
