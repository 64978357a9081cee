// SPDX-License-Identifier: MIT
import type { Triple } from '../../src/axes.ts';
import { describe, expect, it } from 'vitest';
import { voxelToWorld } from '../../src/data/geometry.ts';
import {
  applyTaps,
  applyTapsAdjoint,
  gridAtSpacing,
  linearTaps,
  resizeLinear,
  resizeNearest,
  stepBetween,
} from '../../src/data/resample.ts';
import { Philox } from '../../src/random/philox.ts';
import { volumeOf } from './helpers.ts';

const noise = (n: number, op: number): Float32Array => new Philox(1, 'init').normal(0, op, n);
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((s, v, i) => s + v * b[i], 0);

describe('resize', () => {
  it("gives PyTorch's interpolate(align_corners=False) values", () => {
    // torch.nn.functional.interpolate(torch.tensor([[[0., 1., 2.]]]), size=6 / size=2, mode='linear')
    expect([...resizeLinear(Float32Array.of(0, 1, 2), [1, 1, 3], [1, 1, 6])]).toEqual([0, 0.25, 0.75, 1.25, 1.75, 2]);
    expect([...resizeLinear(Float32Array.of(0, 1, 2), [1, 1, 3], [1, 1, 2])]).toEqual([0.25, 1.75]);
  });
  it('reproduces a linear function inside, on all axes and channels', () => {
    const size: Triple = [4, 5, 6],
      to: Triple = [7, 9, 5],
      f = (d: number, h: number, w: number, c: number): number => 3 * d - 2 * h + w + 10 * c;
    const data = new Float32Array(4 * 5 * 6 * 2);
    for (let d = 0, i = 0; d < 4; d++)
      for (let h = 0; h < 5; h++) for (let w = 0; w < 6; w++) for (let c = 0; c < 2; c++) data[i++] = f(d, h, w, c);
    const out = resizeLinear(data, size, to, 2);
    for (const [d, h, w] of [
      [3, 4, 2],
      [1, 2, 3],
      [5, 6, 1],
    ])
      for (let c = 0; c < 2; c++) {
        const at = (i: number, axis: number): number => ((i + 0.5) * size[axis]) / to[axis] - 0.5;
        expect(out[((d * 9 + h) * 5 + w) * 2 + c]).toBeCloseTo(f(at(d, 0), at(h, 1), at(w, 2), c), 4);
      }
  });
  it('takes the nearest label and never invents one', () => {
    expect([...resizeNearest(Uint8Array.of(1, 5, 9), [1, 1, 3], [1, 1, 6])]).toEqual([1, 1, 5, 5, 9, 9]);
    expect([...resizeNearest(Uint8Array.of(1, 2, 3, 4), [1, 1, 4], [1, 1, 2])]).toEqual([2, 4]);
  });
  it('keeps the corner of the volume when the spacing changes', () => {
    const g = volumeOf([5, 8, 10], new Uint8Array(400), { direction: [-1, 0, 0, 0, -1, 0, 0, 0, 1] }); // 2.5 x 0.75 x 0.5 mm
    const to = gridAtSpacing(g, [1, 1, 1]);
    expect(to.size).toEqual([13, 6, 5]);
    voxelToWorld(g, [-0.5, -0.5, -0.5]).forEach((x, i) => expect(voxelToWorld(to, [-0.5, -0.5, -0.5])[i]).toBeCloseTo(x, 9));
    expect(stepBetween(g, to)).toEqual([0.4, 1 / 0.75, 2]);
    // A voxel's value lands at its own world position: a ramp in mm stays a ramp in mm.
    const ramp = Float32Array.from({ length: 400 }, (_, i) => (i % 10) * 0.5);
    const out = resizeLinear(ramp, g.size, to.size, 1, stepBetween(g, to));
    expect(out[2]).toBeCloseTo(((2 + 0.5) * 2 - 0.5) * 0.5, 5);
  });
  it.each([
    [5, 7],
    [7, 5],
    [4, 9],
  ])('taps %i -> %i and their adjoint: <A x, y> = <x, A* y>', (from, to) => {
    const taps = linearTaps(from, to),
      x = noise(3 * from * 2, 1),
      y = noise(3 * to * 2, 2);
    const left = dot(applyTaps(x, 3, from, 2, taps), y),
      right = dot(x, applyTapsAdjoint(y, 3, from, 2, taps));
    expect(Math.abs(left - right)).toBeLessThan(1e-5 * Math.sqrt(dot(x, x)));
  });
  it('clamps at the border', () => {
    const { low, high, share } = linearTaps(3, 6);
    expect([low[0], share[0], low[5], high[5]]).toEqual([0, 0, 2, 2]);
  });
});
