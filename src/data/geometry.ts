// SPDX-License-Identifier: MIT
// Where voxels lie in the patient, and how two grids are compared.
// World coordinates are ITK's and DICOM's: LPS, millimetres (x towards the patient's Left, y Posterior, z Superior).
import type { Triple } from '../axes.ts';
import { DataError } from '../errors.ts';

/** The grid of a volume. World position of voxel (d, h, w) = origin + direction * [w*sW, h*sH, d*sD]. */
export interface Geometry {
  /** Voxels along [D, H, W]; W is fastest in memory. */
  readonly size: Triple;
  /** Millimetres between voxel centres along [D, H, W]. */
  readonly spacing: Triple;
  /** World position [x, y, z] of the centre of voxel (0, 0, 0), LPS mm. */
  readonly origin: Triple;
  /** 3x3, row-major as in ITK: column 0 is the unit vector of the W axis, column 1 of H, column 2 of D. */
  readonly direction: readonly number[];
  /**
   * The file states no orientation (NIfTI): one was assumed, and what is written onto this grid states none either, to lie where the file
   * does.
   */
  readonly unoriented?: true;
}

/** Grids may differ by this many voxels (at their farthest corner) and still be the same grid. */
export const GRID_TOLERANCE_VOXELS = 1e-3;

/** The unit vector [x, y, z] of array axis 0 (D), 1 (H) or 2 (W). */
export function axisVector(g: Geometry, axis: number): Triple {
  const column = 2 - axis;
  return [g.direction[column], g.direction[3 + column], g.direction[6 + column]];
}

/** World position [x, y, z] of a voxel index [d, h, w] (fractions allowed). */
export function voxelToWorld(g: Geometry, index: Triple): Triple {
  const world: Triple = [...g.origin];
  for (let axis = 0; axis < 3; axis++) {
    const v = axisVector(g, axis),
      length = index[axis] * g.spacing[axis];
    for (let i = 0; i < 3; i++) world[i] += v[i] * length;
  }
  return world;
}

/** Voxel index [d, h, w] (fractional) of a world position [x, y, z]: the matrix is inverted, never abs()'d. */
export function worldToVoxel(g: Geometry, world: Triple): Triple {
  const m = g.direction;
  const x = world[0] - g.origin[0],
    y = world[1] - g.origin[1],
    z = world[2] - g.origin[2];
  const det = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
  // Cramer's rule, one column (array axis W, H, D) replaced at a time.
  const w = (x * (m[4] * m[8] - m[5] * m[7]) - m[1] * (y * m[8] - m[5] * z) + m[2] * (y * m[7] - m[4] * z)) / det;
  const h = (m[0] * (y * m[8] - m[5] * z) - x * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * z - y * m[6])) / det;
  const d = (m[0] * (m[4] * z - y * m[7]) - m[1] * (m[3] * z - y * m[6]) + x * (m[3] * m[7] - m[4] * m[6])) / det;
  return [d / g.spacing[0], h / g.spacing[1], w / g.spacing[2]];
}

/** Largest displacement, in voxels of `a` along any axis, of a corner of grid `b` seen from grid `a` (same size assumed). */
export function gridDifference(a: Geometry, b: Geometry): number {
  let worst = 0;
  for (let corner = 0; corner < 8; corner++) {
    const index = [0, 1, 2].map((axis) => ((corner >> axis) & 1 ? b.size[axis] - 1 : 0)) as Triple;
    const seen = worldToVoxel(a, voxelToWorld(b, index));
    for (let axis = 0; axis < 3; axis++) worst = Math.max(worst, Math.abs(seen[axis] - index[axis]));
  }
  return worst;
}

/** True if both grids have one size and differ by at most `tolerance` voxels anywhere. */
export function sameGeometry(a: Geometry, b: Geometry, tolerance = GRID_TOLERANCE_VOXELS): boolean {
  return a.size.every((n, i) => n === b.size[i]) && gridDifference(a, b) <= tolerance;
}

/** The grid on four lines, the order of each named. */
export function describeGeometry(g: Geometry): string {
  const list = (v: readonly number[]): string => v.map((x) => String(Math.round(x * 1e6) / 1e6)).join(', ');
  return (
    `  size [D,H,W]    ${list(g.size)}\n  spacing [D,H,W] ${list(g.spacing)} mm\n` +
    `  origin [x,y,z]  ${list(g.origin)} mm (LPS)\n  direction       ${list(g.direction)}`
  );
}

/** Throws a DataError that prints both grids unless `sameGeometry(a, b)`. */
export function assertSameGeometry(a: Geometry, nameA: string, b: Geometry, nameB: string): void {
  if (sameGeometry(a, b)) return;
  const sizes = a.size.every((n, i) => n === b.size[i]);
  const what = sizes
    ? `got a difference of ${gridDifference(a, b).toPrecision(3)} voxels, expected at most ${GRID_TOLERANCE_VOXELS}`
    : `got size ${b.size.join('x')}, expected ${a.size.join('x')}`;
  throw new DataError(
    `${nameB}: lies on another grid than ${nameA}, ${what}.\n${nameA}\n${describeGeometry(a)}\n${nameB}\n${describeGeometry(b)}\n`,
    "Resample one onto the other's grid; if only the header is wrong and the voxels correspond, copy the image's header to the " +
      'label (voxelgrad check --fix-header).',
  );
}

/** Cosines between axes above this count as a sheared grid (real headers carry rounding of 1e-6 or so). */
const SHEAR_TOLERANCE = 1e-3;

/** Throws a DataError unless the three axis vectors (any length > 0) are perpendicular. */
export function assertOrthogonal(file: string, axes: readonly (readonly number[])[]): void {
  const norm = (v: readonly number[]): number => Math.hypot(v[0], v[1], v[2]);
  for (let i = 0; i < 3; i++) {
    if (!(norm(axes[i]) > 0) || !Number.isFinite(norm(axes[i]))) {
      throw new DataError(
        `${file}: axis ${'xyz'[i]} has no direction, got (${axes[i].join(', ')}), expected a vector of positive finite length.`,
        'The orientation in the header is damaged: convert the scan again from its source.',
      );
    }
    for (let j = 0; j < i; j++) {
      const cosine = (axes[i][0] * axes[j][0] + axes[i][1] * axes[j][1] + axes[i][2] * axes[j][2]) / norm(axes[i]) / norm(axes[j]);
      if (Math.abs(cosine) > SHEAR_TOLERANCE) {
        throw new DataError(
          `${file}: voxel axes ${'xyz'[j]} and ${'xyz'[i]} are not perpendicular, got a cosine of ${cosine.toPrecision(4)}, expected 0.`,
          'Resample the scan to an orthogonal grid first (a tilted gantry or a sheared affine cannot be kept).',
        );
      }
    }
  }
}
