// SPDX-License-Identifier: MIT
// Pixels of a slice: greys by the window, classes as colours, and the edges of a class as lines.
import type { Bitmap } from '../annotate/planes.ts';
import type { Window } from './windows.ts';

type Grey = Bitmap<{ readonly length: number; readonly [index: number]: number }>;

/** RGBA greys, little end first as ImageData has them. */
export function greys({ data }: Grey, { width, level }: Window, out: Uint32Array): void {
  const low = level - width / 2;
  for (let i = 0; i < data.length; i++) {
    const g = Math.min(255, Math.max(0, Math.round(((data[i] - low) * 255) / width)));
    out[i] = 0xff000000 | (g << 16) | (g << 8) | g;
  }
}

export type Colour = readonly [number, number, number];
export const colourOf = (hex: string): Colour => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as unknown as Colour;

/** RGBA of classes with one opacity (0 to 1); background and classes without a colour are clear. */
export function tints({ data }: Bitmap, colours: readonly (Colour | undefined)[], opacity: number, out: Uint32Array): void {
  const alpha = Math.round(255 * opacity) * 2 ** 24;
  const table = Uint32Array.from({ length: 256 }, (_, value) => {
    const c = value > 0 ? colours[value] : undefined;
    return c ? alpha + ((c[2] << 16) | (c[1] << 8) | c[0]) : 0;
  });
  for (let i = 0; i < data.length; i++) out[i] = table[data[i]];
}

/**
 * Edges of a class as segments [u1, v1, u2, v2, ...] between pixel corners (pixel (u, v) spans u - 0.5 to u + 0.5); straight runs are one.
 */
export function edges({ width, height, data }: Bitmap, value: number): number[] {
  const is = (u: number, v: number): boolean => u >= 0 && v >= 0 && u < width && v < height && data[v * width + u] === value;
  const out: number[] = [];
  for (let v = 0; v <= height; v++)
    for (let u = 0, from = -1; u <= width; u++) {
      const edge = u < width && is(u, v - 1) !== is(u, v);
      if (edge && from < 0) from = u;
      if (!edge && from >= 0) {
        out.push(from - 0.5, v - 0.5, u - 0.5, v - 0.5);
        from = -1;
      }
    }
  for (let u = 0; u <= width; u++)
    for (let v = 0, from = -1; v <= height; v++) {
      const edge = v < height && is(u - 1, v) !== is(u, v);
      if (edge && from < 0) from = v;
      if (!edge && from >= 0) {
        out.push(u - 0.5, from - 0.5, u - 0.5, v - 0.5);
        from = -1;
      }
    }
  return out;
}
