// SPDX-License-Identifier: MIT
// What the studio's drawing tools do to bitmaps, and what undo does to that.
import type { Plane, SlicePlane } from '../../src/axes.ts';
import { describe, expect, it } from 'vitest';
import { isTaught, type State } from '../../src/studio/page/state.ts';
import { Philox } from '../../src/random/philox.ts';
import { stroke } from '../../src/studio/annotate/brush.ts';
import { Drawing } from '../../src/studio/annotate/drawing.ts';
import { fillAll, fillPolygon, flood } from '../../src/studio/annotate/fill.ts';
import { KEPT_STEPS } from '../../src/studio/annotate/history.ts';
import { between } from '../../src/studio/annotate/interpolate.ts';
import { putSlice, slice, type Bitmap } from '../../src/studio/annotate/planes.ts';

const bitmap = (width: number, height: number, at: (u: number, v: number) => number = () => 0): Bitmap => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height }, (_, i) => at(i % width, Math.floor(i / width))),
});
const picture = ({ width, height, data }: Bitmap): string[] =>
  Array.from({ length: height }, (_, v) => [...data.subarray(v * width, (v + 1) * width)].map((x) => '.123456789'[x]).join(''));
const ANYWHERE = { hu: [], gate: null };
const disc = (side: number, radius: number, value = 1): Bitmap =>
  bitmap(side, side, (u, v) => (Math.hypot(u - (side - 1) / 2, v - (side - 1) / 2) <= radius ? value : 0));
const area = (data: Uint8Array): number => data.reduce((n, v) => n + (v ? 1 : 0), 0);

describe('slices', () => {
  it.each<[Plane, number, number]>([
    ['transverse', 1, 2],
    ['coronal', 2, 3],
    ['sagittal', 0, 1],
  ])('%s slices come out where (d, h, w) says, and go back', (plane, first, second) => {
    const size: [number, number, number] = [3, 4, 5];
    const data = Uint8Array.from({ length: 60 }, (_, i) => i);
    const at = (d: number, h: number, w: number): number => (d * 4 + h) * 5 + w;
    const cut = slice(data, size, plane, 2);
    const expected = plane === 'transverse' ? at(2, 1, 3) : plane === 'coronal' ? at(1, 2, 3) : at(1, 3, 2);
    expect(cut.data[cut.width * 1 + 3]).toBe(expected);
    const copy = data.slice();
    putSlice(copy, size, plane, 2, new Uint8Array(cut.data.length));
    expect(slice(copy, size, plane, 2).data.every((v) => v === 0)).toBe(true);
    for (const other of [first, second]) if (other !== 2) expect(slice(copy, size, plane, other)).toEqual(slice(data, size, plane, other));
  });
});

describe('brush', () => {
  it('is round in millimetres', () => {
    const b = bitmap(9, 5);
    stroke(b, [4, 2], [4, 2], { radius: 2, value: 1, spacing: [0.5, 1] }, ANYWHERE);
    expect(picture(b)).toEqual(['....1....', '.1111111.', '111111111', '.1111111.', '....1....']);
  });
  it('leaves no gap in a fast stroke, stays in the slice, and draws one pixel at least', () => {
    const b = bitmap(40, 20);
    stroke(b, [-10, 3], [60, 12], { radius: 1.2, value: 2, spacing: [1, 1] }, ANYWHERE);
    for (let u = 0; u < 40; u++) expect(Array.from({ length: 20 }, (_, v) => b.data[v * 40 + u]).includes(2)).toBe(true);
    const one = bitmap(5, 5);
    stroke(one, [2.3, 1.6], [2.3, 1.6], { radius: 0.01, value: 3, spacing: [1, 1] }, ANYWHERE);
    expect(picture(one)).toEqual(['.....', '.....', '..3..', '.....', '.....']);
    stroke(one, [9, 9], [9, 9], { radius: 0.5, value: 3, spacing: [1, 1] }, ANYWHERE);
    expect(area(one.data)).toBe(1);
  });
  it('keeps to HU within the gate, bounds included; the eraser too', () => {
    const hu = Float32Array.from({ length: 25 }, (_, i) => i);
    const b = bitmap(5, 5);
    stroke(b, [2, 2], [2, 2], { radius: 9, value: 1, spacing: [1, 1] }, { hu, gate: { low: 10, high: 14 } });
    expect(picture(b)).toEqual(['.....', '.....', '11111', '.....', '.....']);
    stroke(b, [2, 2], [2, 2], { radius: 9, value: 0, spacing: [1, 1] }, { hu, gate: { low: 12, high: 30 } });
    expect(picture(b)[2]).toBe('11...');
  });
});

describe('areas', () => {
  it('a polygon takes the pixels whose centres are inside; crossing itself, even-odd', () => {
    const b = bitmap(7, 5);
    fillPolygon(b, [[0.5, 0.5], [5.5, 0.5], [5.5, 3.5], [0.5, 3.5]], 1, ANYWHERE); // prettier-ignore
    expect(picture(b)).toEqual(['.......', '.11111.', '.11111.', '.11111.', '.......']);
    const two = bitmap(7, 5);
    fillPolygon(two, [[0, 0], [6, 0], [6, 4], [0, 4], [0, 0], [2, 1], [4, 1], [4, 3], [2, 3], [2, 1]], 1, ANYWHERE); // prettier-ignore
    expect(two.data[2 * 7 + 3]).toBe(0);
    expect(two.data[2 * 7 + 1]).toBe(1);
    const beyond = bitmap(4, 4);
    fillPolygon(beyond, [[-50, -50], [50, -50], [50, 50], [-50, 50]], 1, ANYWHERE); // prettier-ignore
    expect(area(beyond.data)).toBe(16);
    fillPolygon(beyond, [[0, 0], [3, 3]], 2, ANYWHERE); // prettier-ignore
    expect(beyond.data.includes(2)).toBe(false);
  });
  it('a polygon has the pixels on its edge, on every side alike, as corners set by keys lie', () => {
    const square = bitmap(6, 6);
    fillPolygon(square, [[1, 1], [4, 1], [4, 4], [1, 4]], 1, ANYWHERE); // prettier-ignore
    expect(picture(square)).toEqual(['......', '.1111.', '.1111.', '.1111.', '.1111.', '......']);
    const diamond = bitmap(5, 5);
    fillPolygon(diamond, [[2, 0], [4, 2], [2, 4], [0, 2]], 1, ANYWHERE); // prettier-ignore
    expect(picture(diamond)).toEqual(['..1..', '.111.', '11111', '.111.', '..1..']);
    const line = bitmap(5, 3);
    fillPolygon(line, [[1, 1], [3, 1], [2, 1]], 1, ANYWHERE); // prettier-ignore
    expect(picture(line)).toEqual(['.....', '.111.', '.....']);
    const gated = bitmap(3, 3);
    const hu = Float32Array.of(0, 0, 9, 0, 0, 0, 0, 0, 0);
    fillPolygon(gated, [[0, 0], [2, 0], [2, 2], [0, 2]], 1, { hu, gate: { low: 0, high: 1 } }); // prettier-ignore
    expect(picture(gated)).toEqual(['11.', '111', '111']);
  });
  it('flood fill keeps within HU and to what hangs together', () => {
    const hu = bitmap(6, 3, (u) => (u === 3 ? 0 : 100)).data;
    const b = bitmap(6, 3);
    flood(b, [1, 1], 4, hu, { low: 50, high: 150 });
    expect(picture(b)).toEqual(['444...', '444...', '444...']);
    flood(b, [3, 1], 5, hu, { low: 50, high: 150 });
    flood(b, [-4, 1], 5, hu, { low: 50, high: 150 });
    expect(b.data.includes(5)).toBe(false);
    const corner = bitmap(2, 2);
    flood(corner, [0, 0], 1, Uint8Array.of(1, 0, 0, 1), { low: 1, high: 1 });
    expect(picture(corner)).toEqual(['1.', '..']); // a diagonal does not hang together
  });
  it('flood fill of a whole large slice ends', () => {
    const b = bitmap(512, 512);
    flood(b, [256, 256], 1, new Int16Array(512 * 512), { low: -10, high: 10 });
    expect(area(b.data)).toBe(512 * 512);
  });
  it('fills a slice, within the gate', () => {
    const b = bitmap(3, 1);
    fillAll(b, 7, { hu: [1, 2, 3], gate: { low: 2, high: 2 } });
    expect(picture(b)).toEqual(['.7.']);
  });
});

describe('between two slices', () => {
  it('is each of them at its end, and of middling size in the middle', () => {
    const small = disc(41, 5),
      large = disc(41, 15);
    expect(between(small, large, 0, [1, 1])).toEqual(small.data);
    expect(between(small, large, 1, [1, 1])).toEqual(large.data);
    const middle = between(small, large, 0.5, [1, 1]);
    expect(area(middle) / area(disc(41, 10).data)).toBeCloseTo(1, 1);
    expect(between(small, large, 0.5, [2, 2])).toEqual(middle);
  });
  it('a shape that the other slice lacks is gone halfway, smaller before', () => {
    const shape = disc(31, 10),
      none = bitmap(31, 31);
    const quarter = area(between(shape, none, 0.25, [1, 1]));
    expect(quarter).toBeGreaterThan(0.15 * area(shape.data));
    expect(quarter).toBeLessThan(0.4 * area(shape.data));
    expect(area(between(shape, none, 0.6, [1, 1]))).toBe(0);
    expect(area(between(none, shape, 0.75, [1, 1]))).toBe(quarter);
    expect(area(between(none, none, 0.5, [1, 1]))).toBe(0);
  });
  it('keeps classes apart, each with its own value', () => {
    const a = bitmap(40, 20, (u, v) => (v > 4 && v < 15 ? (u < 15 ? 3 : u < 30 ? 9 : 0) : 0));
    const b = bitmap(40, 20, (u, v) => (v > 4 && v < 15 ? (u < 19 ? 3 : u < 34 ? 9 : 0) : 0));
    const middle = between(a, b, 0.5, [1, 1]);
    expect(new Set(middle)).toEqual(new Set([0, 3, 9]));
    expect(middle[10 * 40 + 10]).toBe(3);
    expect(middle[10 * 40 + 25]).toBe(9);
  });
  it('a slice full of one class stays full', () => {
    const full = bitmap(8, 8, () => 2);
    expect(between(full, full, 0.5, [1, 1])).toEqual(full.data);
  });
});

describe('a drawing', () => {
  const at = (plane: SlicePlane, index: number): { plane: SlicePlane; index: number } => ({ plane, index });
  const paint = (d: Drawing, plane: SlicePlane, index: number, value: number, marked = true): boolean =>
    d.change('paint', at(plane, index), d.sliceOf(plane, index).data.fill(value), marked);

  it('is annotated only where someone said so, and counts each voxel once', () => {
    const d = new Drawing([10, 5, 4], [1, 1, 1]);
    expect(d.share()).toBe(0);
    paint(d, 'transverse', 3, 1);
    expect(d.isAnnotated('transverse', 3)).toBe(true);
    expect(d.share()).toBeCloseTo(0.1);
    paint(d, 'coronal', 2, 1);
    expect(d.share()).toBeCloseTo(0.1 + 0.2 - 0.02);
    d.change('nothing here', at('transverse', 4), d.sliceOf('transverse', 4).data, true);
    expect([...d.annotated.transverse].sort((a, b) => a - b)).toEqual([3, 4]);
    expect(d.change('nothing here', at('transverse', 4), d.sliceOf('transverse', 4).data, true)).toBe(false);
    d.undo();
    expect(d.isAnnotated('transverse', 4)).toBe(false);
  });

  it('takes back and does again at least fifty steps, in both planes, to the bit', () => {
    const d = new Drawing([12, 10, 8], [2, 1, 1]);
    const states: [Uint8Array, string][] = [];
    const state = (): [Uint8Array, string] => [
      d.labels.slice(),
      JSON.stringify([d.annotated.transverse, d.annotated.coronal].map((set) => [...set].sort((a, b) => a - b))),
    ];
    const draws = new Philox(3, 1).cursor(0, 0);
    for (let k = 0; k < KEPT_STEPS + 20; k++) {
      states.push(state());
      const plane = draws.chance(0.5) ? 'transverse' : 'coronal',
        index = draws.int(d.count(plane));
      const b = d.sliceOf(plane, index);
      const before = b.data.slice();
      const point = (): [number, number] => [draws.int(8), draws.int(10)];
      stroke(b, point(), point(), { radius: 2, value: (k % 9) + 1, spacing: [1, 1] }, ANYWHERE);
      d.show(at(plane, index), b.data);
      d.change('stroke', at(plane, index), b.data, true, before);
    }
    const last = state();
    for (let k = states.length - 1; k >= 0; k--) {
      expect(d.undo()).toBeDefined();
      expect(state()).toEqual(states[k]);
    }
    expect(d.undo()).toBeUndefined();
    while (d.redo());
    expect(state()).toEqual(last);
  });

  it('what paints nothing says nothing of a slice; a person may', () => {
    const d = new Drawing([3, 4, 5], [1, 1, 1]);
    const none = new Uint8Array(d.sliceOf('transverse', 2).data.length);
    expect(d.change('fill within HU', at('transverse', 2), none)).toBe(false);
    expect([d.isAnnotated('transverse', 2), d.history.canUndo]).toEqual([false, false]);
    const some = Uint8Array.from(none, (v, i) => (i === 3 ? 1 : v));
    expect(d.change('brush', at('transverse', 2), some)).toBe(true);
    expect(d.change('brush', at('transverse', 2), some)).toBe(false);
    expect(d.isAnnotated('transverse', 2)).toBe(true);
    expect(d.change('annotated', at('transverse', 1), none, true)).toBe(true);
    expect(d.isAnnotated('transverse', 1)).toBe(true);
  });

  it('what a slice is replaced by leaves what annotated slices of the other plane say', () => {
    const W = 5,
      d = new Drawing([3, 4, W], [1, 1, 1]);
    const middle = d.sliceOf('coronal', 1).data.fill(2, W, 2 * W);
    d.change('brush', at('coronal', 1), middle, true);
    const over = d.over('transverse', 1, d.sliceOf('transverse', 1).data.fill(1));
    expect([...new Set(over.subarray(W, 2 * W))]).toEqual([2]);
    expect([...new Set([...over.subarray(0, W), ...over.subarray(2 * W)])]).toEqual([1]);
    d.change('clear', at('transverse', 1), d.over('transverse', 1, new Uint8Array(over.length)), false);
    expect(d.sliceOf('coronal', 1).data).toEqual(middle);
    // A suggestion too: slices above and below are empty, one of the other plane lies across.
    for (const index of [0, 2]) d.change('annotated', at('transverse', index), d.sliceOf('transverse', index).data, true);
    expect(d.suggestion('transverse', 1)).toEqual(over.map((v) => (v === 2 ? 2 : 0)));
    expect(d.isAnnotated('transverse', 1)).toBe(false);
  });

  it('what is undone is gone once something else is drawn', () => {
    const d = new Drawing([3, 3, 3], [1, 1, 1]);
    paint(d, 'transverse', 0, 1);
    d.undo();
    paint(d, 'transverse', 1, 2);
    expect(d.redo()).toBeUndefined();
    expect([...d.annotated.transverse]).toEqual([1]);
  });

  it('a storm of strokes on a large scan keeps memory bounded, and fifty steps', () => {
    const d = new Drawing([1, 512, 512], [1, 1, 1]);
    const noise = Uint8Array.from(new Philox(5, 1).normal(0, 0, 512 * 512), (v) => (v > 0 ? 1 : 0)); // the worst there is: no runs
    for (let k = 0; k < KEPT_STEPS + 10; k++) {
      const inverted = k % 2 ? noise : noise.map((v) => 1 - v);
      d.change('noise', at('transverse', 0), inverted, true);
    }
    expect(d.history.length).toBeGreaterThanOrEqual(KEPT_STEPS);
    expect(d.history.bytes).toBeLessThan(200 * 2 ** 20);
    for (let k = 0; k < KEPT_STEPS; k++) expect(d.undo()).toBeDefined();
  });

  it('knows the nearest annotated slice, and suggests only between two', () => {
    const d = new Drawing([20, 8, 8], [1, 1, 1]);
    expect(d.neighbour('transverse', 5)).toBeUndefined();
    paint(d, 'transverse', 4, 1);
    paint(d, 'transverse', 8, 1);
    expect([0, 4, 6, 7, 8, 19].map((k) => d.neighbour('transverse', k))).toEqual([4, 8, 4, 8, 4, 8]);
    expect(d.suggestion('transverse', 6)?.every((v) => v === 1)).toBe(true);
    expect([3, 4, 8, 9].map((k) => d.suggestion('transverse', k))).toEqual([undefined, undefined, undefined, undefined]);
    expect(d.suggestion('coronal', 3)).toBeUndefined();
    expect(d.isAnnotated('transverse', 6)).toBe(false);
    expect(d.sliceOf('transverse', 6).data.some((v) => v > 0)).toBe(false); // a suggestion changes nothing
  });
});

describe('what may be trained on', () => {
  it('is a slice of any scan of the session, as it is drawn now where it is open', () => {
    const state = (share: number, ...cases: { name: string; share: number }[]): State =>
      ({ scan: { info: { name: 'open' }, drawing: { share: () => share } }, session: { cases } }) as unknown as State;
    expect(isTaught(state(0, { name: 'open', share: 0 }, { name: 'other', share: 0.1 }))).toBe(true);
    expect(isTaught(state(0.2, { name: 'open', share: 0 }))).toBe(true);
    expect(isTaught(state(0, { name: 'open', share: 0.3 }, { name: 'other', share: 0 }))).toBe(false); // undone since
  });
});
