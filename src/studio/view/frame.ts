// SPDX-License-Identifier: MIT
// Where a slice lies on its canvas, to scale in millimetres, as radiologists look: the patient's right and front are on the left, head and
// front up. Arrays grow towards Superior, Anterior and Right, so that every axis runs against the screen's.
import type { Plane, Triple } from '../../axes.ts';
import type { Point } from '../annotate/brush.ts';
import { axesAlong, spacingOf } from '../annotate/planes.ts';

/** How a plane is looked at: 1 fits the slice into its canvas; the shift is in CSS pixels. */
export interface Zoom {
  readonly factor: number;
  readonly shift: Point;
}
export const FITTED: Zoom = { factor: 1, shift: [0, 0] };
export const MOST_ZOOM = 32;

export interface Frame {
  /** CSS pixels a millimetre. */
  readonly scale: number;
  /** Pixels of the slice. */
  readonly size: readonly [number, number];
  readonly spacing: readonly [number, number];
  /** Middle of the slice, CSS pixels. */
  readonly middle: Point;
}

export function frameOf(size: Triple, spacing: Triple, plane: Plane, canvas: readonly [number, number], zoom: Zoom): Frame {
  const [u, v] = axesAlong(plane);
  const mm = spacingOf(spacing, plane);
  const pixels: [number, number] = [size[u], size[v]];
  const fit = Math.min((canvas[0] - 8) / (pixels[0] * mm[0]), (canvas[1] - 8) / (pixels[1] * mm[1]));
  return {
    scale: Math.max(1e-6, fit) * zoom.factor,
    size: pixels,
    spacing: mm,
    middle: [canvas[0] / 2 + zoom.shift[0], canvas[1] / 2 + zoom.shift[1]],
  };
}

/** CSS position of a point of the slice; pixel centres are whole numbers. */
export function toScreen({ scale, size, spacing, middle }: Frame, [u, v]: Point): Point {
  return [middle[0] - (u - (size[0] - 1) / 2) * spacing[0] * scale, middle[1] - (v - (size[1] - 1) / 2) * spacing[1] * scale];
}

/** The point of the slice under a CSS position. */
export function toSlice({ scale, size, spacing, middle }: Frame, [x, y]: Point): Point {
  return [(size[0] - 1) / 2 - (x - middle[0]) / (spacing[0] * scale), (size[1] - 1) / 2 - (y - middle[1]) / (spacing[1] * scale)];
}

/** Zoomed by a factor about a CSS position, which stays over the same point of the slice. */
export function zoomedAt(zoom: Zoom, by: number, [x, y]: Point, canvas: readonly [number, number]): Zoom {
  const factor = Math.min(MOST_ZOOM, Math.max(0.5, zoom.factor * by)),
    ratio = factor / zoom.factor;
  const from = (at: number, shift: number, extent: number): number => at - extent / 2 - (at - extent / 2 - shift) * ratio;
  return { factor, shift: [from(x, zoom.shift[0], canvas[0]), from(y, zoom.shift[1], canvas[1])] };
}

export interface Letters {
  readonly left: string;
  readonly right: string;
  readonly top: string;
  readonly bottom: string;
}

/** Letters at the edges of a plane's picture. */
export const LETTERS: Readonly<Record<Plane, Letters>> = {
  transverse: { left: 'R', right: 'L', top: 'A', bottom: 'P' },
  coronal: { left: 'R', right: 'L', top: 'S', bottom: 'I' },
  sagittal: { left: 'A', right: 'P', top: 'S', bottom: 'I' },
};

/** The slice of each plane that a voxel [d, h, w] lies in, and where in it. */
export function onPlane(voxel: Triple, plane: Plane): Point {
  const [u, v] = axesAlong(plane);
  return [voxel[u], voxel[v]];
}

/** A round length in millimetres that takes at most `most` CSS pixels. */
export function scaleBar(scale: number, most: number): { readonly mm: number; readonly pixels: number } {
  const lengths = [500, 200, 100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1];
  const mm = lengths.find((l) => l * scale <= most) ?? 0.1;
  return { mm, pixels: mm * scale };
}
