// SPDX-License-Identifier: MIT
// Reductions over any axes. Neighbouring axes of one kind are merged, then each group of reduced axes takes a pass over
// [outer, n, inner], last group first; a pass longer than one run goes on with its partial results.
import { fields, flag, maybe, perAxis } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel, type DType, type Spec } from '../engine/dtype.ts';
import { aTensor } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, type Dispatch, type LowerContext, type Ref, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { convert } from '../gen/cast.ts';
import { reduce_cols, reduce_rows } from '../gen/reduce.ts';
import { sumSplits } from './gemm.ts';
import { elementLaunch, rowLaunch, runs, vector } from './lanes.ts';
import { reshape } from './reshape.ts';

export interface ReduceOptions {
  axes?: number | readonly number[];
  keepDims?: boolean;
}
interface Attrs {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
  /** Of two inputs, multiplied: fusion's. */ readonly product?: boolean;
}

const OP = { sum: 0, max: 1, min: 2, prod: 3 } as const;
const PRE = { none: 0, square: 1, abs: 2, nonzero: 3, product: 4 } as const;
export const LONGEST = 1024; // elements that one lane adds up in f32

export function attrsOf(name: string, x: Tensor, { axes, keepDims = false }: ReduceOptions): Attrs {
  const rank = x.shape.length;
  const list = axes === undefined ? x.shape.map((_, i) => i) : [axes].flat().map((a) => (a < 0 ? a + rank : a));
  if (list.some((a) => !Number.isInteger(a) || a < 0 || a >= rank) || new Set(list).size !== list.length) {
    throw new ShapeError(`${name}: got axes [${axes}] for [${x.shape}], expected distinct axes from ${-rank} to ${rank - 1}.`);
  }
  return { axes: [...list].sort((a, b) => a - b), keepDims };
}

/** An extremum of nothing does not exist. */
export function expectElements(name: string, { shape }: Spec, { axes }: Attrs): void {
  if (axes.some((a) => shape[a] === 0))
    throw new ShapeError(`${name}: got no elements along axes [${axes}] of [${shape}], expected at least one.`);
}

const keptShape = (shape: readonly number[], axes: readonly number[]): number[] => shape.map((d, i) => (axes.includes(i) ? 1 : d));
export const outShape = (shape: readonly number[], { axes, keepDims }: Attrs): number[] =>
  keepDims ? keptShape(shape, axes) : shape.filter((_, i) => !axes.includes(i));

/** Groups of neighbouring axes: [size, reduced], axes of size 1 left out. */
function groups(shape: readonly number[], axes: readonly number[]): { size: number; reduced: boolean }[] {
  const out: { size: number; reduced: boolean }[] = [];
  shape.forEach((size, i) => {
    const reduced = axes.includes(i);
    const last = out.at(-1);
    if (size === 1) return;
    if (last?.reduced === reduced) last.size *= size;
    else out.push({ size, reduced });
  });
  return out.some((g) => g.reduced) ? out : [...out, { size: 1, reduced: true }];
}

const lastReduced = (list: readonly { reduced: boolean }[]): number => list.map((g) => g.reduced).lastIndexOf(true);

/** Dispatches that reduce `x` into `y`, times z where `pre` says so. `scale` multiplies float sums. */
export function lowerReduce(
  c: Pick<LowerContext<unknown>, 'caps' | 'scratch'>,
  x: Ref,
  y: Ref,
  axes: readonly number[],
  op: keyof typeof OP,
  pre: keyof typeof PRE = 'none',
  scale = 1,
  z: Ref = x,
): Dispatch[] {
  const list: Dispatch[] = [];
  const left = groups(x.shape, axes);
  const wide: DType = x.dtype === 'f16' ? 'f32' : x.dtype;
  let from = x;
  for (let at = lastReduced(left); at >= 0; at = lastReduced(left)) {
    const outer = numel(left.slice(0, at).map((g) => g.size));
    const inner = numel(left.slice(at + 1).map((g) => g.size));
    const rows = inner === 1;
    const { V, W } = vector(from.dtype, rows ? left[at].size : inner);
    const n = rows ? left[at].size / W : left[at].size;
    const others = rows ? outer : outer * Math.ceil(inner / W / c.caps.subgroupSize);
    // Few rows are one run: what would start a second dispatch takes no longer.
    const plain = op === 'sum' && outer * scale === 1 && from.dtype === 'f32' && (pre === 'none' || from !== x) && !rows;
    const few = plain && n <= 256 && n * inner <= 1 << 18;
    const { chunk, parts } = few ? { chunk: n, parts: 1 } : runs(c.caps, n, others, rows ? (LONGEST * c.caps.subgroupSize) / W : LONGEST);
    left[at].size = parts;
    if (parts === 1) left.splice(at, 1);
    const last = !left.some((g) => g.reduced);
    const to = last && y.dtype === wide ? y : c.scratch([outer * parts * inner], wide);
    const overrides = { OP: OP[op], PRE: from === x ? PRE[pre] : 0 };
    const read = { x: from, z: from === x ? z : from };
    const params = { outer, n, inner: rows ? 1 : inner / W, chunk, parts, scale: last ? scale : 1 };
    if (rows) {
      const { grid, overrides: lanes } = rowLaunch(c.caps, outer * parts, chunk);
      list.push(dispatch(reduce_rows, { ...read, y_rows: to }, params, grid, { spec: { V }, overrides: { ...overrides, ...lanes } }));
    } else if (plain && parts === 1 && (few || from.role === 'scratch')) {
      list.push(sumSplits(c.caps, from, to, inner, n));
    } else {
      const { grid, overrides: lanes } = elementLaunch(c.caps, outer * parts * params.inner);
      list.push(dispatch(reduce_cols, { ...read, y: to }, params, grid, { spec: { V }, overrides: { ...overrides, ...lanes } }));
    }
    from = to;
  }
  if (from !== y) {
    const { grid, overrides } = elementLaunch(c.caps, numel(y.shape));
    list.push(dispatch(convert, { x: from, y }, { n: numel(y.shape) }, grid, { spec: { FROM: wide, TO: y.dtype }, overrides }));
  }
  return list;
}

interface Row {
  op: keyof typeof OP;
  pre?: keyof typeof PRE;
  mean?: boolean;
  dtypes: DType[];
  vjp?(x: Tensor, y: Tensor, g: Tensor, count: number): Tensor;
}

/** `vjp` gets y and g with the reduced axes kept, so that they broadcast against x. */
export function reduction(name: string, { op, pre, mean, dtypes, vjp }: Row) {
  return defineOp({
    name,
    takes: { x: aTensor, options: maybe(fields({ axes: maybe(perAxis()), keepDims: maybe(flag) })) },
    empty: mean ? NaN : op === 'prod' ? 1 : 0,
    call: (x: Tensor, options: ReduceOptions = {}) => ({ inputs: [x], attrs: attrsOf(name, x, options) }),
    infer([x], attrs) {
      const shape = outShape(x.shape, attrs);
      if (op === 'max' || op === 'min') expectElements(name, x, attrs);
      return { shape, dtype: expectDType(name, [x], ...dtypes) };
    },
    lower(c) {
      const [x, z] = c.inputs as readonly [Ref, Ref?];
      const { axes, product } = c.attrs;
      const count = numel(axes.map((a) => x.shape[a]));
      return lowerReduce(c, x, c.outputs[0], axes, op, product ? 'product' : pre, mean ? 1 / count : 1, z);
    },
    vjp:
      vjp &&
      (({ inputs: [x], outputs: [y], grads: [g], attrs }): Thunk[] => {
        const kept = keptShape(x.shape, attrs.axes);
        const count = numel(attrs.axes.map((a) => x.shape[a]));
        return [() => vjp(x, reshape(y, kept), reshape(g, kept), count)];
      }),
    ...(op === 'sum' && !pre && { ofProduct: (attrs: Attrs) => ({ ...attrs, product: true }) }),
    flops: ([x]) => numel(x.shape),
  });
}

export const FLOATS: DType[] = ['f32', 'f16'];
export const ALL: DType[] = ['f32', 'f16', 'i32', 'u32'];
