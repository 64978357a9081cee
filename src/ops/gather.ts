// SPDX-License-Identifier: MIT
// Elements and rows picked by index tensors (u32 or i32). Indices have no gradient. One outside is an IndexError where the host knows it;
// where the device computes it, it picks NaN (0 of integers) and adds nothing.
import { fields, integer, maybe } from '../check.ts';
import { DTypeError, ShapeError } from '../errors.ts';
import { numel, type Spec } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, type Dispatch, type LowerContext, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { gather as gatherKernel, gather_dx } from '../gen/gather.ts';
import { elementLaunch, vector } from './lanes.ts';
import { axisOf } from './layout.ts';

/** x is [outer, k, inner], the result [outer, m, inner], `shape` as the caller sees it; strides of the index list. */
interface Attrs {
  readonly outer: number;
  readonly k: number;
  readonly m: number;
  readonly inner: number;
  readonly strides: readonly [number, number, number];
  readonly shape: readonly number[];
}

function launch(
  { caps, inputs: [from, index], outputs: [to], attrs: { k, m, inner, strides } }: LowerContext<Attrs, readonly [Tensor, Tensor], Spec>,
  width: number,
) {
  const n = numel(to.shape) / width;
  const { overrides, grid } = elementLaunch(caps, n);
  const params = {
    n,
    k,
    m,
    inner: inner / width,
    index_o: strides[0],
    index_m: strides[1],
    index_i: strides[2],
    missing: from.dtype === 'f32' || from.dtype === 'f16' ? 0x7fc00000 : 0,
  }; // NaN, where there is one
  return { params, grid, overrides, J: index.dtype, from, index, to };
}

const picking = (name: string) =>
  defineOp({
    name,
    call: (x: Tensor, index: Tensor, attrs: Attrs) => ({ inputs: [x, index], attrs }),
    infer([x, index], { shape, k }) {
      if (k === 0 && numel(shape) > 0)
        throw new ShapeError(
          `${name}: got an index of ${numel(index.shape)} for the empty axis of [${x.shape}], expected something to index.`,
        );
      if (index.dtype !== 'u32' && index.dtype !== 'i32')
        throw new DTypeError(`${name}: got an index of dtype ${index.dtype}, expected u32 or i32.`, 'Convert with cast().');
      return { shape, dtype: x.dtype };
    },
    indices: (_, { k }) => [{ input: 1, below: k }],
    lower(c): Dispatch[] {
      const width = c.attrs.strides[2] === 0 && c.attrs.inner % 4 === 0 ? 4 : 1;
      const { params, grid, overrides, J, from, index, to } = launch(c, width);
      const T = from.dtype === 'f16' ? 'f16' : 'u32';
      return [
        dispatch(gatherKernel, { x: from, index, y: to }, params, grid, { spec: { T: width === 4 ? `vec4<${T}>` : T, J }, overrides }),
      ];
    },
    vjp: ({ inputs: [x, index], grads: [g], attrs }): (Thunk | null)[] => [() => gatherDx(g, index, { ...attrs, shape: x.shape }), null],
  });
const gatherOp = picking('gather');
const selectOp = picking('index_select');
const rowsOp = picking('gather_rows');
const embeddingOp = picking('embedding');

/** Adjoint: g added up in the rows that it was read from. */
const adding = (name: string) =>
  defineOp({
    name,
    call: (g: Tensor, index: Tensor, attrs: Attrs) => ({ inputs: [g, index], attrs }),
    infer: ([g], { shape }) => ({ shape, dtype: expectDType(name, [g], 'f32', 'f16') }),
    indices: (_, { k }) => (name === 'scatter_add' ? [{ input: 1, below: k }] : []), // a gradient's were looked at forward
    lower(c): Dispatch[] {
      const { V, W } = c.attrs.strides[2] === 0 ? vector(c.inputs[0].dtype, c.attrs.inner) : { V: c.inputs[0].dtype, W: 1 };
      const { params, grid, overrides, J, from, index, to } = launch(c, W);
      return [dispatch(gather_dx, { g: from, index, dx: to }, params, grid, { spec: { V, J }, overrides })];
    },
    vjp: ({ inputs: [g, index], grads: [gg], attrs }): (Thunk | null)[] => [() => gatherOp(gg, index, { ...attrs, shape: g.shape }), null],
    flops: (_, [dx], { m }) => numel(dx.shape) * m,
  });
const gatherDx = adding('gather_dx');
const scatterOp = adding('scatter_add');

const around = (shape: readonly number[], axis: number): { outer: number; k: number; inner: number } => ({
  outer: numel(shape.slice(0, axis)),
  k: shape[axis],
  inner: numel(shape.slice(axis + 1)),
});

/** PyTorch's gather: result[.., j, ..] = x[.., index[.., j, ..], ..] along `axis`; the other axes are the same in both. */
export const gather = door(
  'gather',
  { x: aTensor, index: aTensor, options: fields({ axis: integer() }) },
  (x: Tensor, index: Tensor, { axis }: { axis: number }): Tensor => {
    const at = axisOf('gather', x.shape, axis);
    if (index.shape.length !== x.shape.length || index.shape.some((d, i) => i !== at && d !== x.shape[i])) {
      throw new ShapeError(`gather: got an index [${index.shape}] for [${x.shape}], expected the same shape but for axis ${at}.`);
    }
    const { outer, k, inner } = around(x.shape, at);
    const m = index.shape[at];
    return gatherOp(x, index, { outer, k, m, inner, strides: [m * inner, inner, inner === 1 ? 0 : 1], shape: index.shape });
  },
);

/** g [.., m, ..] added into zeros [.., size, ..] at index [.., m, ..]: the adjoint of gather. */
export const scatterAdd = door(
  'scatterAdd',
  { g: aTensor, index: aTensor, options: fields({ axis: integer(), size: integer(0) }) },
  (g: Tensor, index: Tensor, { axis, size }: { axis: number; size: number }): Tensor => {
    const at = axisOf('scatterAdd', g.shape, axis);
    if (index.shape.join() !== g.shape.join()) throw new ShapeError(`scatterAdd: got index [${index.shape}], expected [${g.shape}].`);
    const { outer, k: m, inner } = around(g.shape, at);
    return scatterOp(g, index, {
      outer,
      k: size,
      m,
      inner,
      strides: [m * inner, inner, inner === 1 ? 0 : 1],
      shape: g.shape.map((d, i) => (i === at ? size : d)),
    });
  },
);

/** Slices of x along `axis` in the order of `index` (any shape, which takes the place of the axis). */
export const indexSelect = door(
  'indexSelect',
  { x: aTensor, index: aTensor, options: maybe(fields({ axis: maybe(integer()) })) },
  (x: Tensor, index: Tensor, { axis = 0 }: { axis?: number } = {}): Tensor => {
    const at = axisOf('indexSelect', x.shape, axis);
    const shape = [...x.shape.slice(0, at), ...index.shape, ...x.shape.slice(at + 1)];
    return selectOp(x, index, { ...around(x.shape, at), m: index.size, strides: [0, 1, 0], shape });
  },
);

/** Rows of each sample's own table: x [B, K, C], index [B, ...] to [B, ..., C]. */
export const gatherRows = door('gatherRows', { x: aTensor, index: aTensor }, (x: Tensor, index: Tensor): Tensor => {
  const [b, k, c] = x.shape as [number, number, number];
  if (x.shape.length !== 3 || index.shape[0] !== b)
    throw new ShapeError(`gatherRows: got [${x.shape}] and an index [${index.shape}], expected [B, K, C] and [B, ...].`);
  const m = numel(index.shape.slice(1));
  return rowsOp(x, index, { outer: b, k, m, inner: c, strides: [m, 1, 0], shape: [...index.shape, c] });
});

/** Rows of a table: index [...], weight [K, C] to [..., C]. */
export const embedding = door('embedding', { index: aTensor, weight: aTensor }, (index: Tensor, weight: Tensor): Tensor =>
  embeddingOp(weight, index, {
    ...around(weight.shape, 0),
    m: index.size,
    strides: [0, 1, 0],
    shape: [...index.shape, ...weight.shape.slice(1)],
  }),
);
