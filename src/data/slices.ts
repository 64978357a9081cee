// SPDX-License-Identifier: MIT
// Volumes as stacks of transverse or coronal slices in the shape the 2D networks take (specification 1.2, 1.4), and back.
// transverse: fix z, slice (h, w) = (H, W); coronal: fix y, slice (h, w) = (D, W). Doubling where small, then padding to
// multiples of 32 by repeating edges; the way back crops and resizes. CPU twin of the engine's ops, and their reference.
import type { Triple } from './geometry.ts';
import { applyTaps, applyTapsAdjoint, linearTaps } from './resample.ts';

/** A plane of section. */
export type Plane = 'transverse' | 'coronal';

/** How a volume [D, H, W] becomes slices of one plane. */
export interface SlicePlan {
  readonly plane: Plane;
  readonly size: Triple;
  /** Slices in the stack, S. */
  readonly count: number;
  /** Slice as it lies in the volume, [h, w]. */
  readonly native: readonly [number, number];
  /** After doubling (the same as `native` without). */
  readonly resized: readonly [number, number];
  /** Network input, multiples of 32. */
  readonly padded: readonly [number, number];
  /** Rows and columns of padding before the slice. */
  readonly before: readonly [number, number];
}

const MULTIPLE = 32;
const DOUBLE_BELOW = 96;

/** The plan of a plane. `double`: sides are doubled if the longer one is under 96 (config `rs2d` 2); false never. */
export function planSlices(size: Triple, plane: Plane, double: boolean): SlicePlan {
  const [D, H, W] = size;
  const native: [number, number] = plane === 'transverse' ? [H, W] : [D, W];
  const factor = double && Math.max(...native) < DOUBLE_BELOW ? 2 : 1;
  const resized: [number, number] = [native[0] * factor, native[1] * factor];
  const padded = resized.map((n) => Math.ceil(n / MULTIPLE) * MULTIPLE) as [number, number];
  return { plane, size, count: plane === 'transverse' ? D : H, native, resized, padded, before: [(padded[0] - resized[0]) >> 1, (padded[1] - resized[1]) >> 1] };
}

/** [D, H, W, C] -> [S, h, w, C]: identity for transverse, a swap of the first two axes for coronal. */
export function stackSlices<A extends Float32Array | Uint8Array>(volume: A, { plane, size: [D, H, W] }: SlicePlan, channels = 1): A {
  return plane === 'transverse' ? volume.slice() as A : swapFirstAxes(volume, D, H, W * channels);
}

/** [S, h, w, C] -> [D, H, W, C]: the inverse and adjoint of `stackSlices`. */
export function unstackSlices<A extends Float32Array | Uint8Array>(stack: A, { plane, size: [D, H, W] }: SlicePlan, channels = 1): A {
  return plane === 'transverse' ? stack.slice() as A : swapFirstAxes(stack, H, D, W * channels);
}

function swapFirstAxes<A extends Float32Array | Uint8Array>(data: A, a: number, b: number, inner: number): A {
  const out = new (data.constructor as new (n: number) => A)(data.length);
  for (let i = 0; i < a; i++) for (let j = 0; j < b; j++) out.set(data.subarray((i * b + j) * inner, (i * b + j + 1) * inner) as A, (j * a + i) * inner);
  return out;
}

/** Bilinear resize of the two middle axes of [S, from, C] -> [S, to, C]. */
function resizeSlices(data: Float32Array, S: number, from: readonly [number, number], to: readonly [number, number], C: number): Float32Array {
  if (from[0] === to[0] && from[1] === to[1]) return data;
  const rows = applyTaps(data, S, from[0], from[1] * C, linearTaps(from[0], to[0]));
  return applyTaps(rows, S * to[0], from[1], C, linearTaps(from[1], to[1]));
}

function resizeSlicesAdjoint(data: Float32Array, S: number, from: readonly [number, number], to: readonly [number, number], C: number): Float32Array {
  if (from[0] === to[0] && from[1] === to[1]) return data;
  const columns = applyTapsAdjoint(data, S * to[0], from[1], C, linearTaps(from[1], to[1]));
  return applyTapsAdjoint(columns, S, from[0], from[1] * C, linearTaps(from[0], to[0]));
}

/** The image [D, H, W] as network input [S, h', w'] (padded): stack, resize, repeat edges. */
export function imageToSlices(image: Float32Array, plan: SlicePlan): Float32Array {
  const { count: S, resized: [h, w], padded: [H, W], before: [top, left] } = plan;
  const slices = resizeSlices(stackSlices(image, plan), S, plan.native, plan.resized, 1);
  const out = new Float32Array(S * H * W);
  for (let s = 0; s < S; s++) for (let y = 0; y < H; y++) {
    const source = (s * h + Math.min(h - 1, Math.max(0, y - top))) * w;
    for (let x = 0; x < W; x++) out[(s * H + y) * W + x] = slices[source + Math.min(w - 1, Math.max(0, x - left))];
  }
  return out;
}

/** Network output [S, h', w', C] (padded size) as a volume [D, H, W, C]: crop, resize, unstack. */
export function slicesToVolume(output: Float32Array, plan: SlicePlan, channels: number): Float32Array {
  const { count: S, resized: [h, w], padded: [H, W], before: [top, left] } = plan, row = w * channels;
  const cropped = new Float32Array(S * h * row);
  for (let s = 0; s < S; s++) for (let y = 0; y < h; y++) {
    const source = ((s * H + y + top) * W + left) * channels;
    cropped.set(output.subarray(source, source + row), (s * h + y) * row);
  }
  return unstackSlices(resizeSlices(cropped, S, plan.resized, plan.native, channels), plan, channels);
}

/** The adjoint of `slicesToVolume`: a gradient [D, H, W, C] as gradient [S, h', w', C], 0 in the padding. */
export function slicesToVolumeAdjoint(gradient: Float32Array, plan: SlicePlan, channels: number): Float32Array {
  const { count: S, resized: [h, w], padded: [H, W], before: [top, left] } = plan, row = w * channels;
  const cropped = resizeSlicesAdjoint(stackSlices(gradient, plan, channels), S, plan.resized, plan.native, channels);
  const out = new Float32Array(S * H * W * channels);
  for (let s = 0; s < S; s++) for (let y = 0; y < h; y++) {
    out.set(cropped.subarray((s * h + y) * row, (s * h + y + 1) * row), ((s * H + y + top) * W + left) * channels);
  }
  return out;
}
