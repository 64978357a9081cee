// SPDX-License-Identifier: MIT
// What the 3D view shows of a drawing or a mask: a surface for every class, of a volume thinned to what a picture needs.
import type { Triple } from '../../axes.ts';
import { maskSurface } from '../../metrics/surface_mesh.ts';

/** Longest side of a thinned volume, voxels: a tenth of a second on one core. */
const LONGEST = 96;

export interface Solid {
  readonly value: number;
  /** mm along W, H and D, [x, y, z] a corner. */
  readonly positions: Float32Array;
  readonly normals: Float32Array;
  readonly triangles: Uint32Array;
}

export function solidsOf(labels: Uint8Array, size: Triple, spacing: Triple, classes: readonly number[]): Solid[] {
  const step = size.map((n) => Math.ceil(n / LONGEST));
  const small = size.map((n, a) => Math.ceil(n / step[a])) as Triple;
  const data = new Uint8Array(small[0] * small[1] * small[2]);
  for (let d = 0, i = 0; d < size[0]; d += step[0])
    for (let h = 0; h < size[1]; h += step[1])
      for (let w = 0, row = (d * size[1] + h) * size[2]; w < size[2]; w += step[2]) data[i++] = labels[row + w];
  const mm = spacing.map((s, a) => s * step[a]) as Triple;
  const present = new Set(data);
  return classes.flatMap((value) => {
    const mesh = present.has(value) ? maskSurface({ data, size: small, spacing: mm }, value) : null;
    return mesh ? [{ value, ...mesh, normals: normalsOf(mesh.positions, mesh.triangles) }] : [];
  });
}

/** Of every corner: the mean of its triangles', the larger count more. */
function normalsOf(p: Float32Array, triangles: Uint32Array): Float32Array {
  const normals = new Float32Array(p.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const [i, j, k] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
    const [ux, uy, uz] = [p[j] - p[i], p[j + 1] - p[i + 1], p[j + 2] - p[i + 2]];
    const [vx, vy, vz] = [p[k] - p[i], p[k + 1] - p[i + 1], p[k + 2] - p[i + 2]];
    const n = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const corner of [i, j, k]) for (let a = 0; a < 3; a++) normals[corner + a] += n[a];
  }
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
    for (let a = 0; a < 3; a++) normals[i + a] /= length;
  }
  return normals;
}
