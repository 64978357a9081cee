// SPDX-License-Identifier: MIT
// Turning volumes to the canonical orientation, array axes [D, H, W] growing towards Superior, Anterior, Right ("RAS"), and
// back onto the grid of the file. Only permutations and flips of axes: no voxel value changes.
import type { Triple } from '../axes.ts';
import { DataError } from '../errors.ts';
import { assertSameGeometry, axisVector, voxelToWorld, type Geometry } from './geometry.ts';
import type { Volume, VoxelArray } from './volume.ts';

/** Canonical array axis k is source axis `axes[k]`, reversed where `flips[k]`. */
export interface Orientation {
  readonly axes: Triple;
  readonly flips: readonly [boolean, boolean, boolean];
}

const PERMUTATIONS: readonly Triple[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];
// D grows to Superior (+z in LPS), H to Anterior (-y), W to Right (-x): world axis and sign of each canonical axis.
const WORLD_AXIS: Triple = [2, 1, 0];
const WORLD_SIGN: Triple = [1, -1, -1];

/** The permutation and flips that bring `g` closest to RAS (largest sum of cosines; oblique grids keep their tilt). */
export function rasOrientation(g: Geometry): Orientation {
  let best = PERMUTATIONS[0],
    bestScore = -1;
  for (const axes of PERMUTATIONS) {
    let score = 0;
    for (let k = 0; k < 3; k++) score += Math.abs(axisVector(g, axes[k])[WORLD_AXIS[k]]);
    if (score > bestScore + 1e-9) {
      best = axes;
      bestScore = score;
    }
  }
  const flip = (k: number): boolean => axisVector(g, best[k])[WORLD_AXIS[k]] * WORLD_SIGN[k] < 0;
  return { axes: best, flips: [flip(0), flip(1), flip(2)] };
}

/** The orientation that undoes `o`. */
function inverse(o: Orientation): Orientation {
  const axes: Triple = [0, 0, 0],
    flips: [boolean, boolean, boolean] = [false, false, false];
  for (let k = 0; k < 3; k++) {
    axes[o.axes[k]] = k;
    flips[o.axes[k]] = o.flips[k];
  }
  return { axes, flips };
}

/** The grid `o` makes of `g`: same voxels at the same world positions. */
export function orientGeometry(g: Geometry, o: Orientation): Geometry {
  const first: Triple = [0, 0, 0];
  const direction = new Array<number>(9);
  for (let k = 0; k < 3; k++) {
    const source = o.axes[k],
      v = axisVector(g, source);
    if (o.flips[k]) first[source] = g.size[source] - 1;
    for (let i = 0; i < 3; i++) direction[3 * i + 2 - k] = (o.flips[k] ? -v[i] : v[i]) + 0; // + 0: no negative zeros
  }
  const pick = (v: Triple): Triple => [v[o.axes[0]], v[o.axes[1]], v[o.axes[2]]];
  return { size: pick(g.size), spacing: pick(g.spacing), origin: voxelToWorld(g, first), direction };
}

/** Voxels [size] rearranged by `o`, a new array of the same type. */
export function orientVoxels<A extends VoxelArray>(data: A, size: Triple, o: Orientation): A {
  const strides = [size[1] * size[2], size[2], 1];
  const n = o.axes.map((axis) => size[axis]);
  const step = o.axes.map((axis, k) => (o.flips[k] ? -strides[axis] : strides[axis]));
  let start = 0;
  for (let k = 0; k < 3; k++) if (o.flips[k]) start += (n[k] - 1) * strides[o.axes[k]];
  const out = new (data.constructor as new (length: number) => A)(data.length);
  let i = 0;
  for (let d = 0; d < n[0]; d++) {
    for (let h = 0; h < n[1]; h++) {
      let source = start + d * step[0] + h * step[1];
      for (let w = 0; w < n[2]; w++, source += step[2]) out[i++] = data[source];
    }
  }
  return out;
}

/** The volume with array axes towards Superior, Anterior, Right; world positions of voxels are unchanged. */
export function toRas(volume: Volume): Volume {
  const o = rasOrientation(volume);
  return { ...orientGeometry(volume, o), data: orientVoxels(volume.data, volume.size, o) };
}

/**
 * The inverse of `toRas`: voxels on the canonical grid of `target` (for example a predicted mask) put on `target` itself,
 * with exactly its size, spacing, origin and direction. DataError if the volume is not on that canonical grid.
 */
export function fromRas(volume: Volume, target: Geometry): Volume {
  const o = rasOrientation(target);
  assertSameGeometry(orientGeometry(target, o), 'canonical grid of the input', volume, 'volume to write');
  const data = orientVoxels(volume.data, volume.size, inverse(o));
  if (data.length !== target.size[0] * target.size[1] * target.size[2]) {
    throw new DataError(`volume to write: wrong number of voxels, got ${data.length}, expected ${target.size.join('x')}.`);
  }
  const { size, spacing, origin, direction, unoriented } = target;
  return { data, size, spacing, origin, direction, ...(unoriented && { unoriented }) };
}
