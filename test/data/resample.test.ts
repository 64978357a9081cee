// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import type { Triple } from '../../src/data/geometry.ts';
import { voxelToWorld } from '../../src/data/geometry.ts';
import { applyTaps, applyTapsAdjoint, gridAtSpacing, linearTaps, resizeLinear, resizeNearest, stepBetween } from '../../src/data/resample.ts';
import { imageToSlices, planSlices, slicesToVolume, slicesToVolumeAdjoint, stackSlices, unstackSlices } from '../../src/data/slices.ts';
import { Philox } from '../../src/data/philox.ts';
import { volumeOf } from './helpers.ts';

const noise = (n: number, op: number): Float32Array => new Philox(1, 'init').normal(0, op, n);
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((s, v, i) => s + v * b[i], 0);

describe('resize', () => {
  it('gives PyTorch\'s interpolate(align_corners=False) values', () => {
    // torch.nn.functional.interpolate(torch.tensor([[[0., 1., 2.]]]), size=6 / size=2, mode='linear')
    expect([...resizeLinear(Float32Array.of(0, 1, 2), [1, 1, 3], [1, 1, 6])]).toEqual([0, 0.25, 0.75, 1.25, 1.75, 2]);
    expect([...resizeLinear(Float32Array.of(0, 1, 2), [1, 1, 3], [1, 1, 2])]).toEqual([0.25, 1.75]);
  });
  it('reproduces a linear function inside, on all axes and channels', () => {
    const size: Triple = [4, 5, 6], to: Triple = [7, 9, 5], f = (d: number, h: number, w: number, c: number): number => 3 * d - 2 * h + w + 10 * c;
    const data = new Float32Array(4 * 5 * 6 * 2);
    for (let d = 0, i = 0; d < 4; d++) for (let h = 0; h < 5; h++) for (let w = 0; w < 6; w++) for (let c = 0; c < 2; c++) data[i++] = f(d, h, w, c);
    const out = resizeLinear(data, size, to, 2);
    for (const [d, h, w] of [[3, 4, 2], [1, 2, 3], [5, 6, 1]]) for (let c = 0; c < 2; c++) {
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
  it.each([[5, 7], [7, 5], [4, 9]])('taps %i -> %i and their adjoint: <A x, y> = <x, A* y>', (from, to) => {
    const taps = linearTaps(from, to), x = noise(3 * from * 2, 1), y = noise(3 * to * 2, 2);
    const left = dot(applyTaps(x, 3, from, 2, taps), y), right = dot(x, applyTapsAdjoint(y, 3, from, 2, taps));
    expect(Math.abs(left - right)).toBeLessThan(1e-5 * Math.sqrt(dot(x, x)));
  });
  it('clamps at the border', () => {
    const { low, high, share } = linearTaps(3, 6);
    expect([low[0], share[0], low[5], high[5]]).toEqual([0, 0, 2, 2]);
  });
});

describe('slices', () => {
  it('has the sizes of specification 1.3', () => {
    const sizes = (size: Triple): unknown => (['transverse', 'coronal'] as const).map((plane) => { const p = planSlices(size, plane, true); return [p.count, ...p.padded]; });
    expect(sizes([48, 160, 160])).toEqual([[48, 160, 160], [160, 64, 160]]);
    expect(sizes([32, 64, 64])).toEqual([[32, 128, 128], [64, 64, 128]]);
    expect(sizes([96, 96, 96])).toEqual([[96, 96, 96], [96, 96, 96]]);
    const tiny = planSlices([16, 64, 64], 'coronal', false);
    expect([tiny.count, ...tiny.padded, ...tiny.before]).toEqual([64, 32, 64, 8, 0]);
    expect(planSlices([48, 160, 160], 'coronal', true).before).toEqual([8, 0]);
  });

  it('cuts the plane it says', () => {
    const size: Triple = [2, 3, 4], volume = Float32Array.from({ length: 24 }, (_, i) => i), plan = planSlices(size, 'coronal', false);
    const stack = stackSlices(volume, plan);
    for (let s = 0; s < 3; s++) for (let d = 0; d < 2; d++) for (let w = 0; w < 4; w++) expect(stack[(s * 2 + d) * 4 + w]).toBe(volume[(d * 3 + s) * 4 + w]);
    expect(unstackSlices(stack, plan)).toEqual(volume);
  });

  it('repeats edges in the padding', () => {
    const plan = planSlices([5, 7, 33], 'coronal', false); // slices 5 x 33 -> 32 x 64, before 13 and 15
    const image = noise(5 * 7 * 33, 0), input = imageToSlices(image, plan);
    expect(plan.before).toEqual([13, 15]);
    const native = stackSlices(image, plan), at = (s: number, y: number, x: number): number => input[(s * 32 + y) * 64 + x];
    for (let s = 0; s < 7; s++) {
      expect(at(s, 0, 0)).toBe(native[s * 165]);
      expect(at(s, 31, 63)).toBe(native[s * 165 + 164]);
      expect(at(s, 13 + 2, 15 + 9)).toBe(native[s * 165 + 2 * 33 + 9]);
    }
  });

  it.each([['transverse', true], ['coronal', true], ['coronal', false]] as const)('%s (doubled %s): volume -> slices -> volume is the identity on what bilinear keeps', (plane, double) => {
    const size: Triple = [6, 10, 12], plan = planSlices(size, plane, double);
    // A function linear in the two slice axes survives doubling and halving except at clamped borders.
    const image = Float32Array.from({ length: 720 }, (_, i) => (i % 12) + 2 * Math.floor(i / 120) - (Math.floor(i / 12) % 10));
    const back = slicesToVolume(imageToSlices(image, plan), plan, 1);
    let inner = 0;
    for (let d = 1; d < 5; d++) for (let h = 1; h < 9; h++) for (let w = 1; w < 11; w++) { const i = (d * 10 + h) * 12 + w; inner = Math.max(inner, Math.abs(back[i] - image[i])); }
    expect(inner).toBeLessThan(1e-5);
    if (!double) expect(back).toEqual(image);
  });

  it.each([['transverse', true], ['coronal', true], ['transverse', false], ['coronal', false]] as const)('%s (doubled %s): <A x, y> = <x, A* y>', (plane, double) => {
    const size: Triple = [5, 9, 11], plan = planSlices(size, plane, double), C = 3;
    const x = noise(plan.count * plan.padded[0] * plan.padded[1] * C, 1), y = noise(5 * 9 * 11 * C, 2);
    const left = dot(slicesToVolume(x, plan, C), y), right = dot(x, slicesToVolumeAdjoint(y, plan, C));
    expect(Math.abs(left - right)).toBeLessThan(1e-5 * Math.sqrt(dot(x, x)));
    expect(Math.abs(left)).toBeGreaterThan(1e-3);
  });
});
