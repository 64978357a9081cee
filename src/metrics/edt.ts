// SPDX-License-Identifier: MIT
// Exact squared Euclidean distance transform, separable lower envelopes of parabolas (Felzenszwalb and Huttenlocher 2012). Float64,
// because surface distances in mm are compared with tolerances.

/** Squared distance from every voxel of a [D, H, W] box to the nearest voxel where `sites` is not 0; infinite when there is none. */
import type { Triple } from '../axes.ts';
export function squaredDistances(sites: Uint8Array, size: Readonly<Triple>, spacing: Readonly<Triple>): Float64Array {
  const field = Float64Array.from(sites, (site) => (site === 0 ? Infinity : 0));
  const longest = Math.max(...size);
  const line = new Float64Array(longest),
    apex = new Int32Array(longest),
    from = new Float64Array(longest + 1);
  const strides = [size[1] * size[2], size[2], 1];
  for (const axis of [2, 1, 0]) {
    const length = size[axis],
      stride = strides[axis],
      step2 = spacing[axis] ** 2;
    if (length === 1) continue;
    const [p, q] = [0, 1, 2].filter((other) => other !== axis);
    for (let i = 0; i < size[p]; i++) {
      for (let j = 0; j < size[q]; j++) {
        lowerEnvelope(field, i * strides[p] + j * strides[q], stride, length, step2, line, apex, from);
      }
    }
  }
  return field;
}

/** Replaces one line f by min over k of f[k] + step2 (i - k)^2. `apex` holds the parabolas in force, `from` where each begins. */
function lowerEnvelope(
  field: Float64Array,
  start: number,
  stride: number,
  length: number,
  step2: number,
  line: Float64Array,
  apex: Int32Array,
  from: Float64Array,
): void {
  let last = -1;
  for (let i = 0, at = start; i < length; i++, at += stride) {
    const value = (line[i] = field[at]);
    if (value === Infinity) continue;
    let crossing = -Infinity;
    while (last >= 0) {
      const k = apex[last];
      crossing = ((value - line[k]) / step2 + (i - k) * (i + k)) / (2 * (i - k));
      if (crossing > from[last]) break;
      last--;
      crossing = -Infinity;
    }
    apex[++last] = i;
    from[last] = crossing;
  }
  if (last < 0) return;
  for (let i = 0, at = start, k = 0; i < length; i++, at += stride) {
    while (k < last && from[k + 1] < i) k++;
    field[at] = line[apex[k]] + step2 * (i - apex[k]) ** 2;
  }
}
