// SPDX-License-Identifier: MIT
// Brush and eraser: a disc in millimetres drawn along a line, so that it is round on the screen whatever the spacing.
import { open, type Ground } from './gate.ts';
import type { Bitmap } from './planes.ts';

/** A point of a slice in pixels; pixel (u, v) has its centre at whole numbers. */
export type Point = readonly [number, number];

export interface Brush {
  /** Millimetres. */
  readonly radius: number;
  /** 0 erases. */
  readonly value: number;
  readonly spacing: readonly [number, number];
}

/**
 * Sets every pixel whose centre lies within the radius of the line from a to b, and the pixel under b whatever the radius.
 * Only those that the ground lets it. In place.
 */
export function stroke(bitmap: Bitmap, a: Point, b: Point, { radius, value, spacing: [su, sv] }: Brush, ground: Ground): void {
  const { width, height, data } = bitmap;
  const first = (x: number, n: number): number => Math.max(0, Math.min(n, Math.ceil(x)));
  const last = (x: number, n: number): number => Math.min(n - 1, Math.floor(x));
  const [ax, ay, bx, by] = [a[0] * su, a[1] * sv, b[0] * su, b[1] * sv];
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  for (let v = first((Math.min(ay, by) - radius) / sv, height); v <= last((Math.max(ay, by) + radius) / sv, height); v++)
    for (let u = first((Math.min(ax, bx) - radius) / su, width); u <= last((Math.max(ax, bx) + radius) / su, width); u++) {
      const [x, y] = [u * su, v * sv];
      const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length));
      const away = (x - ax - t * (bx - ax)) ** 2 + (y - ay - t * (by - ay)) ** 2;
      if (away <= radius * radius && open(ground, v * width + u)) data[v * width + u] = value;
    }
  const [u, v] = [Math.round(b[0]), Math.round(b[1])];
  if (u >= 0 && v >= 0 && u < width && v < height && open(ground, v * width + u)) data[v * width + u] = value;
}
