// SPDX-License-Identifier: MIT
// Areas of a slice: a polygon, what hangs together within HU, all of it.
import type { Point } from './brush.ts';
import { open, type Gate, type Ground } from './gate.ts';
import type { Bitmap } from './planes.ts';

/** Sets the pixels whose centres lie inside the polygon (even-odd) or on its edge, where the ground lets it. In place. */
export function fillPolygon({ width, height, data }: Bitmap, corners: readonly Point[], value: number, ground: Ground): void {
  if (corners.length < 3) return;
  for (let v = 0; v < height; v++) {
    const row = (from: number, to: number): void => {
      const end = Math.min(width - 1, Math.floor(to));
      for (let u = Math.max(0, Math.ceil(from)); u <= end; u++) if (open(ground, v * width + u)) data[v * width + u] = value;
    };
    const crossings: number[] = [];
    corners.forEach(([x1, y1], i) => {
      const [x2, y2] = corners[(i + 1) % corners.length];
      const x = x1 + ((v - y1) / (y2 - y1)) * (x2 - x1);
      if (y1 <= v !== y2 <= v) crossings.push(x);
      // An edge that ends at this row or lies in it crosses it once at most, or not at all: its pixels belong to it all the same.
      if (y1 === v && y2 === v) row(Math.min(x1, x2), Math.max(x1, x2));
      else if (y1 === v || y2 === v) row(y1 === v ? x1 : x2, y1 === v ? x1 : x2);
    });
    crossings.sort((a, b) => a - b);
    for (let k = 0; k + 1 < crossings.length; k += 2) row(crossings[k], crossings[k + 1]);
  }
}

/**
 * Sets what hangs together (four neighbours) with the pixel at `seed` and has HU within the gate. In place; nothing if the seed is outside.
 */
export function flood({ width, height, data }: Bitmap, seed: Point, value: number, hu: Ground['hu'], gate: Gate): void {
  const [u, v] = [Math.round(seed[0]), Math.round(seed[1])];
  if (u < 0 || v < 0 || u >= width || v >= height) return;
  const ground = { hu, gate };
  const seen = new Uint8Array(data.length);
  const todo = new Int32Array(data.length);
  let left = 0;
  const visit = (i: number): void => {
    if (seen[i] || !open(ground, i)) return;
    seen[i] = 1;
    data[i] = value;
    todo[left++] = i;
  };
  visit(v * width + u);
  while (left > 0) {
    const i = todo[--left];
    const x = i % width;
    if (x > 0) visit(i - 1);
    if (x < width - 1) visit(i + 1);
    if (i >= width) visit(i - width);
    if (i < width * (height - 1)) visit(i + width);
  }
}

/** Sets the whole slice, where the ground lets it. In place. */
export function fillAll({ data }: Bitmap, value: number, ground: Ground): void {
  for (let i = 0; i < data.length; i++) if (open(ground, i)) data[i] = value;
}
