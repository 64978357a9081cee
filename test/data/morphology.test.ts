// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { boundaryRadius, boundaryTarget, connectedComponents, dilate, erode, largestComponent } from '../../src/data/morphology.ts';
import { Philox } from '../../src/random/philox.ts';

const picture = (rows: string[]): Uint8Array => Uint8Array.from(rows.join(''), (c) => (c === '.' ? 0 : Number(c)));
const show = (data: Uint8Array, w: number): string[] =>
  Array.from({ length: data.length / w }, (_, y) => [...data.subarray(y * w, (y + 1) * w)].map((v) => v || '.').join(''));

describe('dilate and erode', () => {
  it('work on squares, slice by slice, and do not erode from the edge', () => {
    const two = Uint8Array.from([
      ...picture(['.....', '.....', '..1..', '.....', '.....']),
      ...picture(['1111.', '1111.', '1111.', '.....', '.....']),
    ]);
    expect(show(dilate(two, [2, 5, 5]).subarray(0, 25), 5)).toEqual(['.....', '.111.', '.111.', '.111.', '.....']);
    expect(show(erode(two, [2, 5, 5]).subarray(25), 5)).toEqual(['111..', '111..', '.....', '.....', '.....']);
    expect(
      erode(two, [2, 5, 5])
        .subarray(0, 25)
        .every((v) => v === 0),
    ).toBe(true);
  });
  it('with radius 2 equal two steps of radius 1', () => {
    const mask = new Philox(1, 'init').uniform(0, 0, 3 * 20 * 17).map((u) => Number(u < 0.1)),
      m = Uint8Array.from(mask);
    expect(dilate(m, [3, 20, 17], 2)).toEqual(dilate(dilate(m, [3, 20, 17]), [3, 20, 17]));
    const full = Uint8Array.from(mask, (v) => 1 - v);
    expect(erode(full, [3, 20, 17], 2)).toEqual(erode(erode(full, [3, 20, 17]), [3, 20, 17]));
  });
});

describe('boundaryTarget', () => {
  it('is the union over classes of dilation less erosion: touching classes have a boundary between them', () => {
    const label = picture(['.......', '.111222', '.111222', '.111222', '.......']);
    const { target } = boundaryTarget(label, new Uint8Array(35).fill(1), [1, 5, 7], 3);
    expect(show(target, 7)).toEqual(['1111111', '1111111', '11.11..', '1111111', '1111111']); // the slice's right edge is no boundary
    // One class for both: no inner boundary.
    const joined = boundaryTarget(
      label.map((v) => Math.min(v, 1)),
      new Uint8Array(35).fill(1),
      [1, 5, 7],
      2,
    ).target;
    expect(show(joined, 7)).toEqual(['1111111', '1111111', '11.....', '1111111', '1111111']);
  });
  it('is valid only where the whole neighbourhood is annotated', () => {
    const weight = picture(['11111', '11111', '11111', '.....', '11111']);
    expect(show(boundaryTarget(new Uint8Array(25), weight, [1, 5, 5], 2).valid, 5)).toEqual(['11111', '11111', '.....', '.....', '.....']);
  });
  it('grows to radius 2 above sides of 128', () => {
    expect([boundaryRadius(128, 64), boundaryRadius(48, 160)]).toEqual([1, 2]);
    const label = new Uint8Array(200);
    label[100] = 1;
    expect(boundaryTarget(label, new Uint8Array(200).fill(1), [1, 1, 200], 2).target.filter((v) => v).length).toBe(5);
  });
});

describe('connected components', () => {
  it('join across faces only, in three dimensions', () => {
    const volume = Uint8Array.from([...picture(['11..', '..1.', '..1.']), ...picture(['....', '..1.', '1...'])]);
    const { sizes } = connectedComponents(volume, [2, 3, 4]);
    expect(sizes.slice(1).sort((a, b) => a - b)).toEqual([1, 2, 3]); // the diagonal pairs stay apart
    expect(show(largestComponent(volume, [2, 3, 4]), 4)).toEqual(['....', '..1.', '..1.', '....', '..1.', '....']);
  });
  it('do not wrap around rows and slices', () => {
    const volume = new Uint8Array(2 * 2 * 3);
    volume[2] = 1;
    volume[3] = 1; // end of one row, start of the next
    expect(connectedComponents(volume, [2, 2, 3]).sizes).toHaveLength(3);
    // Reached from above: 0 and 3 are joined; 2, the row's end before 3, is not.
    expect(connectedComponents(Uint8Array.of(1, 0, 1, 1, 0, 0), [1, 2, 3]).sizes.slice(1)).toEqual([2, 1]);
  });
  it('keep an empty mask empty', () => {
    expect(largestComponent(new Uint8Array(8), [2, 2, 2]).every((v) => v === 0)).toBe(true);
  });
});
