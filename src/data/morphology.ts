// SPDX-License-Identifier: MIT
// Masks on slices and volumes: 3x3 dilation and erosion, boundary targets (specification section 6), connected components.

/**
 * A maximum (dilation) or minimum (erosion) over (2 radius + 1)^2 neighbourhoods of each slice [S, h, w]; what lies outside a slice is
 * ignored.
 */
function extremum(slices: Uint8Array, [S, h, w]: Triple, radius: number, pick: (a: number, b: number) => number): Uint8Array {
  const rows = new Uint8Array(slices.length),
    out = new Uint8Array(slices.length);
  for (let s = 0; s < S * h; s++)
    for (let x = 0; x < w; x++) {
      let v = slices[s * w + x];
      for (let k = Math.max(0, x - radius); k <= Math.min(w - 1, x + radius); k++) v = pick(v, slices[s * w + k]);
      rows[s * w + x] = v;
    }
  for (let s = 0; s < S; s++)
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        let v = rows[(s * h + y) * w + x];
        for (let k = Math.max(0, y - radius); k <= Math.min(h - 1, y + radius); k++) v = pick(v, rows[(s * h + k) * w + x]);
        out[(s * h + y) * w + x] = v;
      }
  return out;
}

/** Dilation of each slice of [S, h, w] by a square of side 2 radius + 1. */
import type { Triple } from '../axes.ts';
export const dilate = (slices: Uint8Array, shape: Triple, radius = 1): Uint8Array => extremum(slices, shape, radius, Math.max);
/** Erosion of each slice of [S, h, w] by a square of side 2 radius + 1; the slice's edge does not erode. */
export const erode = (slices: Uint8Array, shape: Triple, radius = 1): Uint8Array => extremum(slices, shape, radius, Math.min);

/** Radius of the boundary target: 1 where the longer side of the native slice is at most 128, else 2. */
export const boundaryRadius = (h: number, w: number): number => (Math.max(h, w) <= 128 ? 1 : 2);

/**
 * Boundary target of label slices [S, h, w] with classes 0..classes-1: the union over foreground classes of
 * dilate(class) - erode(class). `valid` is 1 where every voxel of the (2 radius + 1)^2 neighbourhood has weight > 0.
 */
export function boundaryTarget(
  label: Uint8Array,
  weight: ArrayLike<number>,
  shape: Triple,
  classes: number,
  radius = boundaryRadius(shape[1], shape[2]),
): { target: Uint8Array; valid: Uint8Array } {
  const target = new Uint8Array(label.length),
    mask = new Uint8Array(label.length);
  for (let c = 1; c < classes; c++) {
    for (let i = 0; i < label.length; i++) mask[i] = label[i] === c ? 1 : 0;
    const outer = dilate(mask, shape, radius),
      inner = erode(mask, shape, radius);
    for (let i = 0; i < label.length; i++) target[i] |= outer[i] & (inner[i] ^ 1);
  }
  for (let i = 0; i < mask.length; i++) mask[i] = weight[i] > 0 ? 1 : 0;
  return { target, valid: erode(mask, shape, radius) };
}

/** Components of a mask [D, H, W] joined by faces (6 neighbours): labels 1..n (0 outside) and voxels of each, `sizes[0]` unused. */
export function connectedComponents(mask: ArrayLike<number>, [D, H, W]: Triple): { labels: Int32Array; sizes: number[] } {
  const labels = new Int32Array(D * H * W),
    sizes = [0],
    plane = H * W;
  const queue = new Int32Array(D * H * W);
  for (let seed = 0; seed < labels.length; seed++) {
    if (!mask[seed] || labels[seed]) continue;
    const name = sizes.length;
    let head = 0,
      tail = 0;
    queue[tail++] = seed;
    labels[seed] = name;
    const visit = (i: number): void => {
      if (mask[i] && !labels[i]) {
        labels[i] = name;
        queue[tail++] = i;
      }
    };
    while (head < tail) {
      const i = queue[head++],
        w = i % W,
        h = Math.floor(i / W) % H;
      if (w > 0) visit(i - 1);
      if (w < W - 1) visit(i + 1);
      if (h > 0) visit(i - W);
      if (h < H - 1) visit(i + W);
      if (i >= plane) visit(i - plane);
      if (i < labels.length - plane) visit(i + plane);
    }
    sizes.push(tail);
  }
  return { labels, sizes };
}

/** The mask [D, H, W] reduced to its largest component (the first of equals); empty stays empty. */
export function largestComponent(mask: ArrayLike<number>, size: Triple): Uint8Array {
  const { labels, sizes } = connectedComponents(mask, size);
  let best = 0;
  for (let k = 1; k < sizes.length; k++) if (best === 0 || sizes[k] > sizes[best]) best = k;
  return Uint8Array.from(labels, (v) => (best > 0 && v === best ? 1 : 0));
}
