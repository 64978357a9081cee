// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { Philox, STREAMS, philox4x32 } from '../../src/random/philox.ts';

describe('philox4x32', () => {
  // Random123 1.14, tests/kat_vectors, lines "philox4x32 10": counter, key, result.
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('gives the published vector for counter %j', (c, k, expected) => {
    expect(philox4x32(k[0], k[1], c[0], c[1], c[2], c[3])).toEqual(expected);
  });

  it('agrees with a BigInt version on 200 scattered counters', () => {
    const mask = 0xffffffffn;
    const slow = (k: bigint[], c: bigint[]): number[] => {
      let [x0, x1, x2, x3] = c,
        [k0, k1] = k;
      for (let r = 0; r < 10; r++) {
        const p0 = 0xd2511f53n * x0,
          p1 = 0xcd9e8d57n * x2;
        [x0, x1, x2, x3] = [(p1 >> 32n) ^ x1 ^ k0, p1 & mask, (p0 >> 32n) ^ x3 ^ k1, p0 & mask];
        k0 = (k0 + 0x9e3779b9n) & mask;
        k1 = (k1 + 0xbb67ae85n) & mask;
      }
      return [x0, x1, x2, x3].map(Number);
    };
    for (let i = 1; i <= 200; i++) {
      const v = Array.from({ length: 6 }, (_, j) => Math.imul(i * 7 + j, 0x9e3779b1) >>> 0);
      expect(philox4x32(v[0], v[1], v[2], v[3], v[4], v[5])).toEqual(slow(v.slice(0, 2).map(BigInt), v.slice(2).map(BigInt)));
    }
  });
});

describe('Philox', () => {
  it('maps lanes to uniforms of 24 bits, and those to normals by Box and Muller', () => {
    const rng = new Philox(1337, 'augment');
    const x = philox4x32(1337, STREAMS.augment, 5, 9, 1, 0);
    const u = rng.uniform(5, 9, 8);
    expect([...u.subarray(4)]).toEqual(x.map((v) => (v >>> 8) * 2 ** -24));
    const z = rng.normal(5, 9, 8);
    const r = Math.sqrt(-2 * Math.log(1 - u[6])),
      a = 2 * Math.PI * u[7];
    expect(z[6]).toBe(Math.fround(r * Math.cos(a)));
    expect(z[7]).toBe(Math.fround(r * Math.sin(a)));
  });

  it('is a function of its address: longer requests extend shorter ones, other addresses differ', () => {
    const rng = new Philox(7, 'init');
    expect([...rng.uniform(0, 3, 10)].slice(0, 3)).toEqual([...rng.uniform(0, 3, 3)]);
    for (const other of [
      new Philox(8, 'init').uniform(0, 3, 4),
      new Philox(7, 'order').uniform(0, 3, 4),
      rng.uniform(1, 3, 4),
      rng.uniform(0, 4, 4),
    ]) {
      expect([...other]).not.toEqual([...rng.uniform(0, 3, 4)]);
    }
  });

  it('has the moments of its distributions', () => {
    const n = 40000,
      rng = new Philox(1, 'click');
    const mean = (v: Float32Array): number => v.reduce((s, x) => s + x, 0) / v.length;
    const z = rng.normal(0, 0, n);
    expect(Math.abs(mean(z))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(mean(z.map((x) => x * x)) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(mean(rng.uniform(0, 0, n)) - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / n));
    const counts = new Array<number>(7).fill(0);
    for (const k of rng.ints(0, 0, n, 7)) counts[k]++;
    for (const c of counts) expect(Math.abs(c - n / 7)).toBeLessThan(4 * Math.sqrt(n / 7));
  });

  it('permutes every index once, differently for each step', () => {
    const rng = new Philox(3, 'order');
    const p = rng.permutation(0, 0, 50);
    expect([...p].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect([...rng.permutation(1, 0, 50)]).not.toEqual([...p]);
  });

  it('walks the same elements with a cursor', () => {
    const rng = new Philox(3, 'order'),
      cursor = rng.cursor(2, 4);
    expect(Array.from({ length: 6 }, () => cursor.uniform())).toEqual([...rng.uniform(2, 4, 6)]);
  });

  it('refuses a seed that is not a u32', () => {
    for (const seed of [-1, 1.5, 2 ** 32, Number.NaN]) expect(() => new Philox(seed, 'init')).toThrow(/seed, got/);
  });
});
