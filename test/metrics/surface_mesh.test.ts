// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { cropClass, type LabelMap } from '../../src/metrics/mask.ts';
import { surfaceDice, surfaceDistances } from '../../src/metrics/surface.ts';
import { predictedSurface, type SurfaceMesh } from '../../src/metrics/surface_mesh.ts';

const SIZE = [24, 28, 32] as const;
function ball(radius: number, [cz, cy, cx] = [12, 14, 16], spacing: [number, number, number] = [1, 1, 1]): LabelMap {
  const data = new Uint8Array(SIZE[0] * SIZE[1] * SIZE[2]);
  for (let z = 0, i = 0; z < SIZE[0]; z++)
    for (let y = 0; y < SIZE[1]; y++) for (let x = 0; x < SIZE[2]; x++, i++) if (Math.hypot(z - cz, y - cy, x - cx) <= radius) data[i] = 1;
  return { data, size: SIZE, spacing };
}
const corner = (m: SurfaceMesh, i: number): number[] => [...m.positions.subarray(3 * i, 3 * i + 3)];

/** Volume inside, by the divergence theorem: positive where triangles turn counterclockwise from outside. */
function volume(m: SurfaceMesh): number {
  let sum = 0;
  for (let t = 0; t < m.triangles.length; t += 3) {
    const [a, b, c] = [0, 1, 2].map((k) => corner(m, m.triangles[t + k])) as [number[], number[], number[]];
    sum += (a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])) / 6;
  }
  return sum;
}
/** Directed edges that have no twin the other way: none where a surface is closed. */
function openEdges({ triangles }: SurfaceMesh): number {
  const edges = new Map<string, number>();
  for (let t = 0; t < triangles.length; t += 3)
    for (let k = 0; k < 3; k++) {
      const [p, q] = [triangles[t + k], triangles[t + ((k + 1) % 3)]];
      edges.set(`${Math.min(p, q)},${Math.max(p, q)}`, (edges.get(`${Math.min(p, q)},${Math.max(p, q)}`) ?? 0) + (p < q ? 1 : -1));
    }
  return [...edges.values()].filter((n) => n !== 0).length;
}

describe('predictedSurface', () => {
  it('is closed, outside out, where the mask is, in mm', () => {
    const mesh = predictedSurface(ball(8), ball(8), 1, 1e6)!,
      exact = ball(8).data.reduce((a, b) => a + b, 0);
    expect(openEdges(mesh)).toBe(0);
    expect(Math.abs(volume(mesh) / exact - 1)).toBeLessThan(0.05);
    for (let i = 0; i < mesh.distances.length; i++)
      expect(Math.abs(Math.hypot(...corner(mesh, i).map((v, a) => v - [16, 14, 12][a])) - 8)).toBeLessThan(1.2);
    const stretched = predictedSurface(ball(8, undefined, [3, 1, 0.5]), ball(8, undefined, [3, 1, 0.5]), 1, 1e6)!;
    expect(volume(stretched) / volume(mesh)).toBeCloseTo(1.5, 4);
    expect(mesh.whole).toBe(mesh.triangles.length / 3);
  });

  it('has the distances of the metrics: 0 on the reference, negative inside it, positive outside', () => {
    expect([...predictedSurface(ball(8), ball(8), 1, 1e6)!.distances].every((d) => d === 0)).toBe(true);
    const range = (radius: number): number[] => {
      const d = predictedSurface(ball(8), ball(radius), 1, 1e6)!.distances;
      return [Math.min(...d), Math.max(...d)];
    };
    expect(range(5)[1]).toBeLessThan(-1.9);
    expect(range(5)[0]).toBeGreaterThan(-3.8);
    expect(range(10)[0]).toBeGreaterThan(1);
    expect(range(10)[1]).toBeLessThan(3);
    // Green's share is surface Dice's, but for corners counting instead of voxels.
    const [reference, prediction] = [ball(8), ball(8, [12, 14, 18])],
      mesh = predictedSurface(reference, prediction, 1, 1e6)!;
    const one = surfaceDistances(cropClass(reference, prediction, 1), reference.spacing)!;
    const share = surfaceDice({ ...one, referenceToPrediction: new Float64Array() }, 1);
    expect(Math.abs(mesh.distances.filter((d) => Math.abs(d) <= 1).length / mesh.distances.length - share)).toBeLessThan(0.1);
  });

  it('keeps to the number of triangles, and says how many there were', () => {
    const whole = predictedSurface(ball(8), ball(9), 1, 1e6)!,
      few = predictedSurface(ball(8), ball(9), 1, 300)!;
    expect(few.triangles.length / 3).toBeLessThanOrEqual(300);
    expect(few.triangles.length / 3).toBeGreaterThan(100);
    expect(few.whole).toBe(whole.whole);
    expect(Math.abs(volume(few) / volume(whole) - 1)).toBeLessThan(0.15);
    expect(Math.max(...few.triangles)).toBeLessThan(few.distances.length);
  });

  it('does not score what the end of the volume cut, nor without a reference; nothing predicted has no surface', () => {
    const cut = predictedSurface(ball(8, [0, 14, 16]), ball(8, [0, 14, 16]), 1, 1e6)!;
    for (let i = 0; i < cut.distances.length; i++) if (Number.isNaN(cut.distances[i])) expect(corner(cut, i)[2]).toBeLessThan(0);
    expect(cut.distances.some((d) => Number.isNaN(d))).toBe(true);
    expect([...predictedSurface(ball(-1), ball(8), 1, 1e6)!.distances].every((d) => Number.isNaN(d))).toBe(true);
    expect(predictedSurface(ball(8), ball(-1), 1, 1e6)).toBeNull();
    const whole = { data: new Uint8Array(8).fill(1), size: [2, 2, 2], spacing: [1, 1, 1] } as LabelMap;
    expect([...predictedSurface(whole, whole, 1, 1e6)!.distances].every((d) => d === 0)).toBe(true);
  });
});
