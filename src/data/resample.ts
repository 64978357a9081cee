// SPDX-License-Identifier: MIT
// Resampling on the CPU: linear for images and logits, nearest for labels. Half-pixel centres, borders clamped: PyTorch's
// interpolate(align_corners=False). Separable, one axis at a time.
import type { Triple } from '../axes.ts';
import type { Geometry } from './geometry.ts';
import { axisVector } from './geometry.ts';
import type { VoxelArray } from './volume.ts';

/** For each output position two source positions and the weight of the second. */
export interface Taps {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly share: Float64Array;
}

/**
 * Linear taps of `to` output samples over `from` input samples. Output i lies at input coordinate (i + 0.5) * step - 0.5, with
 * step = input samples per output sample (default from / to).
 */
export function linearTaps(from: number, to: number, step = from / to): Taps {
  const low = new Int32Array(to),
    high = new Int32Array(to),
    share = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const at = Math.min(from - 1, Math.max(0, (i + 0.5) * step - 0.5));
    low[i] = Math.floor(at);
    high[i] = Math.min(from - 1, low[i] + 1);
    share[i] = at - low[i];
  }
  return { low, high, share };
}

/** Applies taps along the middle axis of [outer, from, inner] -> [outer, taps, inner]. */
export function applyTaps(data: Float32Array, outer: number, from: number, inner: number, { low, high, share }: Taps): Float32Array {
  const to = low.length,
    out = new Float32Array(outer * to * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < to; i++) {
      const a = (o * from + low[i]) * inner,
        b = (o * from + high[i]) * inner,
        target = (o * to + i) * inner,
        f = share[i];
      for (let k = 0; k < inner; k++) out[target + k] = data[a + k] + f * (data[b + k] - data[a + k]);
    }
  return out;
}

/** The adjoint of `applyTaps`: [outer, taps, inner] -> [outer, from, inner]. */
export function applyTapsAdjoint(data: Float32Array, outer: number, from: number, inner: number, { low, high, share }: Taps): Float32Array {
  const to = low.length,
    out = new Float32Array(outer * from * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < to; i++) {
      const a = (o * from + low[i]) * inner,
        b = (o * from + high[i]) * inner,
        source = (o * to + i) * inner,
        f = share[i];
      for (let k = 0; k < inner; k++) {
        out[a + k] += (1 - f) * data[source + k];
        out[b + k] += f * data[source + k];
      }
    }
  return out;
}

/** Trilinear resize of [D, H, W, channels] to [D', H', W', channels]. `step` per axis as in `linearTaps`. */
export function resizeLinear(data: Float32Array, size: Triple, to: Triple, channels = 1, step?: Triple): Float32Array {
  let out = data;
  const now: Triple = [...size];
  for (let axis = 0; axis < 3; axis++) {
    if (size[axis] === to[axis] && (step === undefined || step[axis] === 1)) continue;
    const outer = now.slice(0, axis).reduce((a, b) => a * b, 1),
      inner = now.slice(axis + 1).reduce((a, b) => a * b, channels);
    out = applyTaps(out, outer, now[axis], inner, linearTaps(now[axis], to[axis], step?.[axis]));
    now[axis] = to[axis];
  }
  return out === data ? data.slice() : out;
}

/** Nearest-neighbour resize of [D, H, W]: the source voxel whose cell holds the output's centre. */
export function resizeNearest<A extends VoxelArray>(
  data: A,
  size: Triple,
  to: Triple,
  step: Triple = [size[0] / to[0], size[1] / to[1], size[2] / to[2]],
): A {
  const index = to.map((n, axis) =>
    Int32Array.from({ length: n }, (_, i) => Math.min(size[axis] - 1, Math.max(0, Math.floor((i + 0.5) * step[axis])))),
  );
  const out = new (data.constructor as new (n: number) => A)(to[0] * to[1] * to[2]);
  for (let d = 0, i = 0; d < to[0]; d++)
    for (let h = 0; h < to[1]; h++) {
      const row = (index[0][d] * size[1] + index[1][h]) * size[2];
      for (let w = 0; w < to[2]; w++, i++) out[i] = data[row + index[2][w]];
    }
  return out;
}

/** The grid with `spacing` [D, H, W] mm that covers the same box: its first corner is kept, sizes are rounded. */
export function gridAtSpacing(g: Geometry, spacing: Triple): Geometry {
  const size = g.size.map((n, axis) => Math.max(1, Math.round((n * g.spacing[axis]) / spacing[axis]))) as Triple;
  const origin: Triple = [...g.origin];
  for (let axis = 0; axis < 3; axis++) {
    const shift = (spacing[axis] - g.spacing[axis]) / 2,
      v = axisVector(g, axis); // corner to corner, not centre to centre
    for (let i = 0; i < 3; i++) origin[i] += shift * v[i];
  }
  return { size, spacing: [...spacing], origin, direction: g.direction };
}

/** Source voxels per target voxel along each axis, for two grids that share their first corner and axes (`gridAtSpacing`). */
export const stepBetween = (from: Geometry, to: Geometry): Triple =>
  [0, 1, 2].map((axis) => to.spacing[axis] / from.spacing[axis]) as Triple;
