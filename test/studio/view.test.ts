// SPDX-License-Identifier: MIT
// Slices on the screen: to scale, the right way round, under the pointer what is under the pointer.
import type { Plane, Triple } from '../../src/axes.ts';
import { describe, expect, it } from 'vitest';
import { toRas } from '../../src/data/orientation.ts';
import { voxelToWorld } from '../../src/data/geometry.ts';
import { axesAlong } from '../../src/studio/annotate/planes.ts';
import { FITTED, frameOf, LETTERS, scaleBar, toScreen, toSlice, zoomedAt } from '../../src/studio/view/frame.ts';
import { edges, greys, tints } from '../../src/studio/view/paint.ts';
import { dragged, PRESETS } from '../../src/studio/view/windows.ts';

const PLANES: Plane[] = ['transverse', 'coronal', 'sagittal'];
const size: Triple = [30, 64, 80],
  spacing: Triple = [5, 0.7, 0.7];

describe('a frame', () => {
  it.each(PLANES)('%s: millimetres are as long across as down, and all of the slice is in sight', (plane) => {
    const f = frameOf(size, spacing, plane, [400, 300], FITTED);
    const [a, b, c] = [[0, 0], [1, 0], [0, 1]].map((p) => toScreen(f, p as [number, number])); // prettier-ignore
    const [u, v] = axesAlong(plane);
    expect(Math.abs(b[0] - a[0]) / spacing[u]).toBeCloseTo(Math.abs(c[1] - a[1]) / spacing[v], 9);
    for (const corner of [
      [-0.5, -0.5],
      [size[u] - 0.5, size[v] - 0.5],
    ]) {
      // prettier-ignore
      const [x, y] = toScreen(f, corner as [number, number]);
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThanOrEqual(400);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThanOrEqual(300);
    }
  });

  it.each(PLANES)('%s: the letters stand where the patient is, however the file lies', (plane) => {
    // LPS world axes and their letters, for a volume stored in some other way and turned to RAS.
    const ras = toRas({
      data: new Uint8Array(24),
      size: [2, 3, 4],
      spacing: [1, 1, 1],
      origin: [5, 6, 7],
      direction: [0, -1, 0, 0, 0, 1, -1, 0, 0],
    });
    const f = frameOf(ras.size, ras.spacing, plane, [200, 200], FITTED);
    const [u, v] = axesAlong(plane);
    const along = (axis: number): number[] => {
      const step: Triple = [0, 0, 0];
      step[axis] = 1;
      return voxelToWorld(ras, step).map((x, i) => Math.round(x - ras.origin[i]));
    };
    const letter = (w: number[]): string => (w[0] ? (w[0] > 0 ? 'L' : 'R') : w[1] ? (w[1] > 0 ? 'P' : 'A') : w[2] > 0 ? 'S' : 'I');
    const right = toScreen(f, [1, 0])[0] > toScreen(f, [0, 0])[0],
      down = toScreen(f, [0, 1])[1] > toScreen(f, [0, 0])[1];
    expect(LETTERS[plane][right ? 'right' : 'left']).toBe(letter(along(u)));
    expect(LETTERS[plane][down ? 'bottom' : 'top']).toBe(letter(along(v)));
  });

  it('gives back the point under the pointer, zoomed and shifted too', () => {
    const zoom = zoomedAt(zoomedAt(FITTED, 3, [50, 60], [400, 300]), 1.7, [350, 20], [400, 300]);
    const f = frameOf(size, spacing, 'coronal', [400, 300], zoom);
    const [u, v] = toSlice(f, toScreen(f, [12.25, 7.5]));
    expect([u, v].map((x) => Number(x.toFixed(9)))).toEqual([12.25, 7.5]);
  });

  it('zooming keeps what is under the pointer under it', () => {
    const at: [number, number] = [123, 45];
    const before = toSlice(frameOf(size, spacing, 'transverse', [400, 300], FITTED), at);
    const after = toSlice(frameOf(size, spacing, 'transverse', [400, 300], zoomedAt(FITTED, 4, at, [400, 300])), at);
    expect(after[0]).toBeCloseTo(before[0], 9);
    expect(after[1]).toBeCloseTo(before[1], 9);
  });

  it('the scale bar is a round length as long as it says', () => {
    expect(scaleBar(2, 130)).toEqual({ mm: 50, pixels: 100 });
    expect(scaleBar(40, 130)).toEqual({ mm: 2, pixels: 80 });
  });
});

describe('pixels', () => {
  it('the window is black below, white above, and mid-grey at its level', () => {
    const out = new Uint32Array(4);
    greys({ width: 4, height: 1, data: [-1000, -160, 40, 240] }, PRESETS.mediastinum, out);
    expect([...new Uint8Array(out.buffer)].filter((_, i) => i % 4 === 0)).toEqual([0, 0, 128, 255]);
    expect([...new Uint8Array(out.buffer)].filter((_, i) => i % 4 === 3)).toEqual([255, 255, 255, 255]);
    expect(dragged({ width: 300, level: 0 }, 10, -5)).toEqual({ width: 310, level: -5 });
    expect(dragged({ width: 2, level: 0 }, -100, 0).width).toBe(1);
  });
  it('classes have their colours, background none', () => {
    const out = new Uint32Array(3);
    tints({ width: 3, height: 1, data: Uint8Array.of(0, 1, 7) }, [undefined, [255, 128, 1]], 0.5, out);
    expect([...new Uint8Array(out.buffer)]).toEqual([0, 0, 0, 0, 255, 128, 1, 128, 0, 0, 0, 0]);
  });
  it('edges run round a class, at the border of the slice too', () => {
    const length = (s: number[]): number =>
      s.reduce((sum, _, i) => (i % 4 ? sum : sum + Math.hypot(s[i] - s[i + 2], s[i + 1] - s[i + 3])), 0);
    expect(edges({ width: 3, height: 3, data: Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0) }, 1)).toEqual([
      0.5, 0.5, 1.5, 0.5, 0.5, 1.5, 1.5, 1.5, 0.5, 0.5, 0.5, 1.5, 1.5, 0.5, 1.5, 1.5,
    ]);
    expect(length(edges({ width: 4, height: 2, data: new Uint8Array(8).fill(2) }, 2))).toBe(12);
    expect(edges({ width: 4, height: 2, data: new Uint8Array(8).fill(2) }, 1)).toEqual([]);
  });
});
