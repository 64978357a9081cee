// SPDX-License-Identifier: MIT
// How neighbouring parts of a tensor along an axis are joined and split: several in one dispatch (kernels/parts.wgsl).
import { numel } from '../engine/dtype.ts';
import { dispatch, type Dispatch, type LowerContext, type Ref } from '../engine/op.ts';
import { join, split } from '../gen/parts.ts';
import { elementLaunch } from './lanes.ts';

type Context = Pick<LowerContext<unknown>, 'caps' | 'scratch'>;
type Four<T> = [T, T, T, T];

/** Parts in one dispatch: the default limit of storage buffers is eight. */
const JOINED = 6;
const SPLIT = 4;

/** Parts with elements, `most` neighbours at a time, and how a kernel is launched for those: `sizes` of the axis each, zeros for null. */
function batches<P>({ caps }: Context, whole: Ref, axis: number, parts: readonly P[], sizes: readonly number[], most: number) {
  const inner = numel(whole.shape.slice(axis + 1));
  const row = whole.shape[axis] * inner;
  const ends = sizes.map((_, i) => sizes.slice(0, i + 1).reduce((a, b) => a + b, 0) * inner);
  const some = sizes.flatMap((size, i) => (size * inner > 0 ? [i] : []));
  return Array.from({ length: Math.ceil(some.length / most) }, (_, b) => {
    const own = some.slice(b * most, (b + 1) * most);
    const first = ends[own[0]] - sizes[own[0]] * inner;
    const width = [row, first, ...own.map((i) => ends[i])].every((k) => k % 4 === 0) ? 4 : 1;
    const columns = (ends[own.at(-1)!] - first) / width;
    const end = (k: number): number => (k < own.length ? (ends[own[k]] - first) / width : columns);
    const n = numel(whole.shape.slice(0, axis)) * columns;
    const missing = own.reduce((bits, i, k) => bits | (parts[i] === null ? 1 << k : 0), 0);
    const params = { n, columns, row: row / width, first: first / width, missing };
    const { grid, overrides } = elementLaunch(caps, n);
    const T = whole.dtype === 'f16' ? 'f16' : 'u32';
    return {
      parts: own.map((i) => parts[i]),
      params: { ...params, end0: end(0), end1: end(1), end2: end(2), end3: end(3), end4: end(4) },
      grid,
      options: { spec: { T: width === 4 ? `vec4<${T}>` : T }, overrides },
    };
  });
}

/** `parts` one after another along `axis` of `whole`, `sizes` of it each; zeros for null. */
export function lowerJoin(c: Context, parts: readonly (Ref | null)[], sizes: readonly number[], whole: Ref, axis: number): Dispatch[] {
  const some = parts.find((part) => part !== null)!;
  return batches(c, whole, axis, parts, sizes, JOINED).map(({ parts: own, params, grid, options }) => {
    const [x0, x1, x2, x3, x4, x5] = Array.from({ length: JOINED }, (_, k) => own[k] ?? some) as [...Four<Ref>, Ref, Ref];
    return dispatch(join, { x0, x1, x2, x3, x4, x5, y: whole }, params, grid, options);
  });
}

/** The same parts of `whole`, each written into its own. */
export function lowerSplit(c: Context, whole: Ref, axis: number, parts: readonly Ref[], sizes: readonly number[]): Dispatch[] {
  return batches(c, whole, axis, parts, sizes, SPLIT).map(({ parts: own, params, grid, options }) => {
    const [y0, y1, y2, y3] = Array.from({ length: SPLIT }, (_, k) => own[k] ?? c.scratch([4], whole.dtype)) as Four<Ref>;
    return dispatch(split, { x: whole, y0, y1, y2, y3 }, params, grid, options);
  });
}
