// SPDX-License-Identifier: MIT
// Windows of maps: overlapping ones with their overlap-add (SA-Net's OCP and OSP, specification 4.2 d and e), and windows
// that tile a volume (SAM's windowed attention).
import { fields, integer, maybe, perAxis, shape as aShape, type Kind } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel, type Spec } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, type Dispatch, type LowerContext, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { fold as foldKernel, unfold as unfoldKernel } from '../gen/windows.ts';
import { elementLaunch, vector } from './lanes.ts';
import { axisOf, pad, slice } from './layout.ts';
import { permute } from './permute.ts';
import { reshape } from './reshape.ts';

type Pair = readonly [number, number];
interface Attrs {
  readonly size: Pair;
  readonly count: Pair;
  readonly window: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
}

/** Params and grid for `written`, one lane each V. */
function launch({
  caps,
  outputs: [written],
  attrs: { size, count, window, stride, padding },
}: LowerContext<Attrs, readonly [Tensor], Spec>) {
  const c = written.shape.at(-1)!;
  const { V, W } = vector(written.dtype, c);
  const n = numel(written.shape) / W;
  const { overrides, grid } = elementLaunch(caps, n);
  const [[h, w], [yn, xn], [kh, kw], [SH, SW], [ph, pw]] = [size, count, window, stride, padding];
  return { params: { n, c: c / W, h, w, yn, xn, kh, kw, ph, pw }, grid, options: { spec: { V }, overrides: { ...overrides, SH, SW } } };
}

const unfoldOp = defineOp({
  name: 'unfold',
  call: (x: Tensor, attrs: Attrs) => ({ inputs: [x], attrs }),
  infer: ([x], { count, window }): Spec => ({
    shape: [x.shape[0], ...count, ...window, x.shape[3]],
    dtype: expectDType('unfold', [x], 'f32', 'f16'),
  }),
  lower(c): Dispatch[] {
    const { params, grid, options } = launch(c);
    return [dispatch(unfoldKernel, { x: c.inputs[0], y: c.outputs[0] }, params, grid, options)];
  },
  vjp: ({ grads: [g], attrs }): Thunk[] => [() => foldOp(g, attrs)],
});

const foldOp = defineOp({
  name: 'fold',
  call: (windows: Tensor, attrs: Attrs) => ({ inputs: [windows], attrs }),
  infer: ([windows], { size }): Spec => ({
    shape: [windows.shape[0], ...size, windows.shape[5]],
    dtype: expectDType('fold', [windows], 'f32', 'f16'),
  }),
  lower(c): Dispatch[] {
    const { params, grid, options } = launch(c);
    return [dispatch(foldKernel, { windows: c.inputs[0], folded: c.outputs[0] }, params, grid, options)];
  },
  vjp: ({ grads: [g], attrs }): Thunk[] => [() => unfoldOp(g, attrs)],
});

const aPair =
  (least: number): Kind =>
  (where, what, v) => {
    perAxis(least)(where, what, v);
    if (Array.isArray(v) && v.length !== 2) throw new ShapeError(`${where}: got ${what} [${v}], expected one integer or two.`);
  };
const pair = (v: number | Pair): Pair => (typeof v === 'number' ? [v, v] : v);

/** Windows of one element each: a map under another shape. */
const single = (window: Pair, stride: Pair, padding: Pair): boolean =>
  [...window, ...stride].every((v) => v === 1) && padding.every((v) => v === 0);

export interface UnfoldOptions<T> {
  window: T;
  stride: T;
  /** Zeros before the first element of each axis (top, left). Default 0. */
  padding?: T;
}

/** Windows that start inside the padded axis and end within it. @throws ShapeError if there is none */
function windowCount(name: string, size: number, window: number, stride: number, padding: number): number {
  const count = Math.floor((size + padding - window) / stride) + 1;
  if (!(count > 0))
    throw new ShapeError(`${name}: got window ${window} over ${size} elements and padding ${padding}, expected one that fits.`);
  return count;
}

/** x [N, H, W, C] to its windows [N, Y, X, KH, KW, C]: window (Y, X) starts at row Y stride - padding. */
export const unfold = door(
  'unfold',
  { x: aTensor, options: fields({ window: aPair(1), stride: aPair(1), padding: maybe(aPair(0)) }) },
  (x: Tensor, { window, stride, padding = 0 }: UnfoldOptions<number | Pair>): Tensor => {
    if (x.shape.length !== 4) throw new ShapeError(`unfold: got [${x.shape}], expected [N, H, W, C].`);
    const [k, s, p] = [pair(window), pair(stride), pair(padding)];
    const size: Pair = [x.shape[1], x.shape[2]];
    const count = size.map((d, i) => windowCount('unfold', d, k[i], s[i], p[i])) as unknown as Pair;
    if (single(k, s, p)) return reshape(x, [x.shape[0], ...size, 1, 1, x.shape[3]]);
    return unfoldOp(x, { size, count, window: k, stride: s, padding: p });
  },
);

export interface FoldOptions<T> {
  /** Of the map. */
  size: T;
  stride: T;
  padding?: T;
}

/** Adjoint of unfold: windows [N, Y, X, KH, KW, C] added up in a map [N, H, W, C] (overlaps summed, not averaged). */
export const fold = door(
  'fold',
  { windows: aTensor, options: fields({ size: aPair(0), stride: aPair(1), padding: maybe(aPair(0)) }) },
  (windows: Tensor, { size, stride, padding = 0 }: FoldOptions<number | Pair>): Tensor => {
    if (windows.shape.length !== 6) throw new ShapeError(`fold: got [${windows.shape}], expected [N, Y, X, KH, KW, C].`);
    const [n, yn, xn, kh, kw, c] = windows.shape as [number, number, number, number, number, number];
    if (single([kh, kw], pair(stride), pair(padding)) && pair(size).join() === `${yn},${xn}`) return reshape(windows, [n, yn, xn, c]);
    return foldOp(windows, { size: pair(size), count: [yn, xn], window: [kh, kw], stride: pair(stride), padding: pair(padding) });
  },
);

/** Windows along one axis: [..., L, ...] to [..., groups, window, ...]. */
export const unfoldAxis = door(
  'unfoldAxis',
  { x: aTensor, options: fields({ axis: integer(), window: integer(1), stride: integer(1), padding: maybe(integer(0)) }) },
  (x: Tensor, { axis, window, stride, padding = 0 }: UnfoldOptions<number> & { axis: number }): Tensor => {
    const at = axisOf('unfoldAxis', x.shape, axis);
    const [before, after] = [x.shape.slice(0, at), x.shape.slice(at + 1)];
    const windows = unfold(reshape(x, [numel(before), x.shape[at], 1, numel(after)]), {
      window: [window, 1],
      stride: [stride, 1],
      padding: [padding, 0],
    });
    return reshape(windows, [...before, windows.shape[1], window, ...after]);
  },
);

/** Overlap-add along one axis: [..., groups, window, ...] to [..., size, ...]; `axis` is that of the groups. */
export const foldAxis = door(
  'foldAxis',
  { windows: aTensor, options: fields({ axis: integer(), size: integer(0), stride: integer(1), padding: maybe(integer(0)) }) },
  (windows: Tensor, { axis, size, stride, padding = 0 }: FoldOptions<number> & { axis: number }): Tensor => {
    const at = axisOf('foldAxis', windows.shape, axis);
    const [before, after] = [windows.shape.slice(0, at), windows.shape.slice(at + 2)];
    const flat = reshape(windows, [numel(before), windows.shape[at], 1, windows.shape[at + 1], 1, numel(after)]);
    return reshape(fold(flat, { size: [size, 1], stride: [stride, 1], padding: [padding, 0] }), [...before, size, ...after]);
  },
);

type PerAxis = number | readonly number[];
const spread = (v: PerAxis, n: number): number[] => (typeof v === 'number' ? new Array<number>(n).fill(v) : [...v]);
const cells = (shape: readonly number[], window: readonly number[]): number[] => window.map((k, i) => Math.ceil(shape[i + 1] / k));

/** [0, 1, 3, 5, 2, 4, 6, 7] for three axes: cells first, then what lies within one. */
const cellsFirst = (n: number): number[] => [
  0,
  ...Array.from({ length: n }, (_, i) => 2 * i + 1),
  ...Array.from({ length: n }, (_, i) => 2 * i + 2),
  2 * n + 1,
];

/** x [N, (D,) H, W, C], padded with zeros at its end to whole windows, as [N * windows, (KD,) KH, KW, C]. */
export const windowPartition = door(
  'windowPartition',
  { x: aTensor, options: fields({ window: perAxis(1) }) },
  (x: Tensor, { window }: { window: PerAxis }): Tensor => {
    const n = x.shape.length - 2;
    const k = spread(window, n);
    const count = cells(x.shape, k);
    const full = pad(x, { axes: k.map((_, i) => i + 1), after: k.map((w, i) => w * count[i] - x.shape[i + 1]) });
    const apart = reshape(full, [x.shape[0], ...k.flatMap((w, i) => [count[i], w]), x.shape.at(-1)!]);
    return reshape(permute(apart, cellsFirst(n)), [x.shape[0] * numel(count), ...k, x.shape.at(-1)!]);
  },
);

/** Inverse of windowPartition: `shape` [N, (D,) H, W, C] is the partitioned tensor's (of C only y's own counts). The padding is cut off. */
export const windowReverse = door(
  'windowReverse',
  { y: aTensor, options: fields({ window: perAxis(1), shape: aShape }) },
  (y: Tensor, { window, shape }: { window: PerAxis; shape: readonly number[] }): Tensor => {
    const n = y.shape.length - 2;
    const k = spread(window, n);
    const count = cells(shape, k);
    const channels = y.shape.at(-1)!;
    const order = cellsFirst(n);
    const together = permute(
      reshape(y, [shape[0], ...count, ...k, channels]),
      order.map((_, i) => order.indexOf(i)),
    );
    const full = reshape(together, [shape[0], ...k.map((w, i) => w * count[i]), channels]);
    return slice(full, { axis: k.map((_, i) => i + 1), end: shape.slice(1, -1) });
  },
);
