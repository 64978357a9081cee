// SPDX-License-Identifier: MIT
// Slices of a volume as bitmaps, and back. Arrays are [D, H, W] towards Superior, Anterior, Right, as data/orientation.ts makes them.

/** A slice: rows of `width`. Transverse is W x H, coronal W x D, sagittal H x D. */
import type { Plane, Triple } from '../../axes.ts';
export interface Bitmap<A = Uint8Array> {
  readonly width: number;
  readonly height: number;
  readonly data: A;
}

/** Where a slice lies in the array: element (u, v) is `start + u * du + v * dv`. */
interface Walk {
  readonly width: number;
  readonly height: number;
  readonly start: number;
  readonly du: number;
  readonly dv: number;
}

export function walkOf(size: Triple, plane: Plane, index: number): Walk {
  const [D, H, W] = size;
  if (plane === 'transverse') return { width: W, height: H, start: index * H * W, du: 1, dv: W };
  if (plane === 'coronal') return { width: W, height: D, start: index * W, du: 1, dv: H * W };
  return { width: H, height: D, start: index, du: W, dv: H * W };
}

/** Axis of the array [D, H, W] that counts the slices of a plane. */
export const axisOf = (plane: Plane): 0 | 1 | 2 => (plane === 'transverse' ? 0 : plane === 'coronal' ? 1 : 2);

/** Array axes along a slice's rows and columns. */
export const axesAlong = (plane: Plane): readonly [number, number] =>
  plane === 'transverse' ? [2, 1] : plane === 'coronal' ? [2, 0] : [1, 0];

/** Millimetres between the pixels of a plane's slices, [along a row, down a column]. */
export function spacingOf(spacing: Triple, plane: Plane): readonly [number, number] {
  const [u, v] = axesAlong(plane);
  return [spacing[u], spacing[v]];
}

interface Voxels {
  readonly length: number;
  [index: number]: number;
}

/** A copy of one slice, of the array's own type. */
export function slice<A extends Voxels>(data: A, size: Triple, plane: Plane, index: number): Bitmap<A> {
  const { width, height, start, du, dv } = walkOf(size, plane, index);
  const out = new (data.constructor as new (n: number) => A)(width * height);
  for (let v = 0, i = 0; v < height; v++) for (let u = 0, j = start + v * dv; u < width; u++, j += du) out[i++] = data[j];
  return { width, height, data: out };
}

/** Writes a slice back. */
export function putSlice(data: Uint8Array, size: Triple, plane: Plane, index: number, bitmap: Uint8Array): void {
  const { width, height, start, du, dv } = walkOf(size, plane, index);
  for (let v = 0, i = 0; v < height; v++) for (let u = 0, j = start + v * dv; u < width; u++, j += du) data[j] = bitmap[i++];
}
