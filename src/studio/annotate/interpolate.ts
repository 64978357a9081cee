// SPDX-License-Identifier: MIT
// A slice between two annotated ones, proposed from their shapes: signed distances to each class's edge, mixed by how near each slice is
// (Raya and Udupa 1990). Classes that would overlap go to the one that is deeper inside.
import { squaredDistances } from '../../metrics/edt.ts';
import type { Bitmap } from './planes.ts';

/** Millimetres to the edge of a class, positive inside. Where the class is missing: far outside everywhere. */
function depth({ width, height, data }: Bitmap, value: number, spacing: readonly [number, number]): Float32Array {
  const inside = Uint8Array.from(data, (v) => (v === value ? 1 : 0));
  const outside = inside.map((v) => 1 - v);
  const size: [number, number, number] = [1, height, width];
  const mm: [number, number, number] = [1, spacing[1], spacing[0]];
  const far = Math.hypot(width * spacing[0], height * spacing[1]);
  const away = squaredDistances(inside, size, mm),
    within = squaredDistances(outside, size, mm);
  return Float32Array.from(data, (_, i) => Math.min(far, Math.sqrt(within[i])) - Math.min(far, Math.sqrt(away[i])));
}

/**
 * The slice at `t` of the way from a to b (0 to 1). A class that only one of them has shrinks to nothing halfway.
 * @param spacing millimetres along a row and down a column
 */
export function between(a: Bitmap, b: Bitmap, t: number, spacing: readonly [number, number]): Uint8Array {
  const out = new Uint8Array(a.data.length);
  const deepest = new Float32Array(a.data.length);
  const classes = new Set([...a.data, ...b.data].filter((v) => v !== 0));
  for (const value of classes) {
    const there = [a, b].map((s) => s.data.includes(value));
    // The missing one is given the other's own depth turned inside out: the shape is gone at halfway, not at the first slice.
    const [from, to] = [a, b].map((s, i) => (there[i] ? depth(s, value, spacing) : depth([a, b][1 - i], value, spacing)));
    const deepestOf = (d: Float32Array): number => d.reduce((m, v) => Math.max(m, v), 0);
    const sink = there[0] && there[1] ? 0 : 2 * Math.max(deepestOf(from), deepestOf(to));
    for (let i = 0; i < out.length; i++) {
      const d = (1 - t) * (from[i] - (there[0] ? 0 : sink)) + t * (to[i] - (there[1] ? 0 : sink));
      if (d > 0 && d > deepest[i]) {
        deepest[i] = d;
        out[i] = value;
      }
    }
  }
  return out;
}
