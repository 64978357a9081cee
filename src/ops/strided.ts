// SPDX-License-Identifier: MIT
// Strided views of a tensor's memory and the one dispatch that copies one view onto another (kernels/layout.wgsl).
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { dispatch, grid1d, type Dispatch, type Ref } from '../engine/op.ts';
import { copy } from '../gen/layout.ts';
import { transpose } from '../gen/transpose.ts';
import type { Caps } from '../gpu/caps.ts';
import { elementLaunch } from './lanes.ts';

/** Element (i0, i1, ...) is memory[offset + i0 strides[0] + i1 strides[1] + ...]; strides may be 0 or negative. */
export interface View {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

const AXES = 7;

export function contiguous(shape: readonly number[]): View {
  return { shape, strides: shape.map((_, i) => numel(shape.slice(i + 1))), offset: 0 };
}

/** Every `step`-th element from `start` along each axis: `shape` of them. */
export function sliced(v: View, start: readonly number[], shape: readonly number[], step?: readonly number[]): View {
  return {
    shape,
    strides: v.strides.map((s, i) => s * (step?.[i] ?? 1)),
    offset: v.strides.reduce((at, s, i) => at + s * start[i], v.offset),
  };
}

export function permuted(v: View, order: readonly number[]): View {
  return { shape: order.map((a) => v.shape[a]), strides: order.map((a) => v.strides[a]), offset: v.offset };
}

interface Axis {
  size: number;
  x: number;
  y: number;
}

/** Axes of both views, last first: those of size 1 left out, neighbours that are one run on both sides merged. */
function collapse(from: View, to: View): Axis[] {
  const axes: Axis[] = [];
  for (let i = from.shape.length - 1; i >= 0; i--) {
    const axis = { size: from.shape[i], x: from.strides[i], y: to.strides[i] };
    const below = axes.at(-1);
    if (axis.size === 1) continue;
    if (below && axis.x === below.x * below.size && axis.y === below.y * below.size) below.size *= axis.size;
    else axes.push(axis);
  }
  return axes;
}

/** In groups of four elements, where all starts and steps fall on such groups. */
function vectorised(axes: readonly Axis[], from: View, to: View): Axis[] | null {
  const [last, ...others] = axes;
  if (!last || last.x !== 1 || last.y !== 1) return null;
  if ([last.size, from.offset, to.offset, ...others.flatMap((a) => [a.x, a.y])].some((k) => k % 4 !== 0)) return null;
  return [{ size: last.size / 4, x: 1, y: 1 }, ...others.map((a) => ({ size: a.size, x: a.x / 4, y: a.y / 4 }))].filter(
    (a) => a.size !== 1,
  );
}

const SIDE = 32; // of a square of `transpose`

/**
 * Squares that the axes make, once those along which y and x are contiguous go first: what a GPU needs to touch both sides in runs. 0 where
 * that is one axis, or one of them so short that squares would be half empty.
 */
function squares(axes: Axis[]): number {
  const fast = axes.findIndex(({ x }) => x === 1);
  if (fast < 1 || axes[0].y !== 1 || Math.min(axes[0].size, axes[fast].size) < SIDE / 2) return 0;
  axes.splice(1, 0, ...axes.splice(fast, 1));
  if (axes.length === 2) axes.push({ size: 1, x: 0, y: 0 });
  return axes.reduce((n, { size }, i) => n * Math.ceil(size / (i < 2 ? SIDE : 1)), 1);
}

/** Copies view `from` of x onto view `to` of y, of the same shape; nothing if it is empty. @throws ShapeError past seven separate axes. */
export function copyView(caps: Caps, x: Ref, from: View, y: Ref, to: View = contiguous(from.shape)): Dispatch[] {
  if (numel(from.shape) === 0) return [];
  const single = collapse(from, to);
  const fours = vectorised(single, from, to);
  const axes = fours ?? single;
  const width = fours ? 4 : 1;
  if (axes.length > AXES)
    throw new ShapeError(`copy: [${from.shape}] has ${axes.length} separate axes, expected at most ${AXES}.`, 'Rearrange in two steps.');
  const tiles = caps.software ? 0 : squares(axes);
  const n = tiles || numel(from.shape) / width;
  const params: Record<string, number> = { n, x_offset: from.offset / width, y_offset: to.offset / width };
  for (let k = 0; k < AXES; k++) {
    const axis = k === AXES - 1 ? axes[axes.length - 1] : k < axes.length - 1 ? axes[k] : undefined; // the first axis goes last
    if (k < AXES - 1) params[`size${k}`] = axis?.size ?? 1;
    params[`x${k}`] = (axis?.x ?? 0) >>> 0;
    params[`y${k}`] = (axis?.y ?? 0) >>> 0;
  }
  const T = x.dtype === 'f16' ? 'f16' : 'u32';
  const spec = { T: fours ? `vec4<${T}>` : T };
  const RANK = Math.max(1, axes.length);
  if (tiles) return [dispatch(transpose, { x, y }, params as never, grid1d(tiles), { spec, overrides: { RANK } })];
  const { overrides, grid } = elementLaunch(caps, n);
  return [dispatch(copy, { x, y }, params as never, grid, { spec, overrides: { ...overrides, RANK } })];
}
