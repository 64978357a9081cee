// SPDX-License-Identifier: MIT
// A learned table [entries, heads] sampled at constant fractional places: relative-position biases between token windows of
// different sizes (specification 4.2f). The plan holds the taps and their inverse; make it once per token layout.
import { expectArguments, integer, shape as aShape, shown, values as aList, type Kind } from '../check.ts';
import { ShapeError, VoxelgradError } from '../errors.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, grid1d, type Thunk } from '../engine/op.ts';
import { tensor, type Tensor } from '../engine/tensor.ts';
import { table_interpolate, table_interpolate_dtable } from '../gen/table_interpolate.ts';

/** Tensors that describe which entries every pair reads. */
export interface InterpolationPlan extends Disposable {
  readonly entries: number;
  /** Shape of the pairs, e.g. [T, T]. */
  readonly shape: readonly number[];
  readonly taps: number;
  /** index, weight, and the inverse: starts, pair, share. */
  readonly tensors: readonly [Tensor, Tensor, Tensor, Tensor, Tensor];
}

/** `index`, `weight`: `taps` values a pair, pairs row-major in `shape`. @throws ShapeError for wrong counts or an index past the table */
export function interpolationPlan(
  entries: number,
  shape: readonly number[],
  index: ArrayLike<number>,
  weight: ArrayLike<number>,
): InterpolationPlan {
  expectArguments('interpolationPlan', { entries: integer(0), shape: aShape, index: aList, weight: aList }, [
    entries,
    shape,
    index,
    weight,
  ]);
  const pairs = shape.reduce((a, b) => a * b, 1);
  const taps = index.length / pairs;
  if (!Number.isInteger(taps) || taps < 1 || weight.length !== index.length) {
    throw new ShapeError(
      `interpolationPlan: got ${index.length} indices and ${weight.length} weights, expected as many of each, a multiple of ` +
        `${pairs} pairs.`,
    );
  }
  const starts = new Uint32Array(entries + 1);
  for (let i = 0; i < index.length; i++) {
    if (!(Number.isInteger(index[i]) && index[i] >= 0 && index[i] < entries))
      throw new ShapeError(`interpolationPlan: index ${index[i]}, expected below ${entries}.`);
    starts[index[i] + 1]++;
  }
  for (let e = 0; e < entries; e++) starts[e + 1] += starts[e];
  const next = starts.slice();
  const pair = new Uint32Array(index.length);
  const share = new Float32Array(index.length);
  for (let i = 0; i < index.length; i++) {
    const at = next[index[i]]++;
    pair[at] = Math.floor(i / taps);
    share[at] = weight[i];
  }
  const tensors = [
    tensor(index, { shape: [...shape, taps], dtype: 'u32' }),
    tensor(weight, { shape: [...shape, taps] }),
    tensor(starts, { dtype: 'u32' }),
    tensor(pair, { dtype: 'u32' }),
    tensor(share),
  ] as const;
  return {
    entries,
    shape,
    taps,
    tensors,
    [Symbol.dispose]: () => {
      for (const t of tensors) t.dispose();
    },
  };
}

const aPlan: Kind = (where, what, v) => {
  if (!Array.isArray((v as InterpolationPlan | null | undefined)?.tensors))
    throw new VoxelgradError('USAGE', `${where}: got ${what} ${shown(v)}, expected one of interpolationPlan().`);
};

interface Attrs {
  readonly shape: readonly number[];
}

const op = defineOp({
  name: 'table_interpolate',
  call: (table: Tensor, plan: InterpolationPlan) => ({ inputs: [table, ...plan.tensors], attrs: { shape: plan.shape } as Attrs }),
  infer([table, , , starts], { shape }) {
    const dtype = expectDType('tableInterpolate', [table], 'f32', 'f16');
    const entries = starts.shape[0] - 1;
    if (table.shape.length !== 2 || table.shape[0] !== entries)
      throw new ShapeError(`tableInterpolate: table has shape [${table.shape}], expected [${entries}, heads].`);
    return { shape: [table.shape[1], ...shape], dtype };
  },
  lower(c) {
    const [table, index, weight] = c.inputs;
    const pairs = c.attrs.shape.reduce((a, b) => a * b, 1);
    return [
      dispatch(
        table_interpolate,
        { table, index, weight, y: c.outputs[0] },
        { n: pairs, pairs, taps: index.shape.at(-1)!, heads: table.shape[1] },
        grid1d(Math.ceil(pairs / 64)),
        { spec: { T: table.dtype } },
      ),
    ];
  },
  vjp: ({ inputs: [table, , , ...inverse], grads: [g] }): (Thunk | null)[] => [
    () => tableGrad(g, inverse, table.shape),
    null,
    null,
    null,
    null,
    null,
  ],
});

const tableGrad = defineOp({
  name: 'table_interpolate_dtable',
  call: (dy: Tensor, inverse: readonly Tensor[], shape: readonly number[]) => ({ inputs: [dy, ...inverse], attrs: { shape } }),
  infer: ([dy], { shape }) => ({ shape, dtype: dy.dtype }),
  lower(c) {
    const [dy, starts, pair, share] = c.inputs;
    const [entries, heads] = c.attrs.shape as [number, number];
    const n = entries * heads;
    return [
      dispatch(
        table_interpolate_dtable,
        { dy, starts, pair, share, dtable: c.outputs[0] },
        { n, pairs: dy.shape.slice(1).reduce((a, b) => a * b, 1), taps: 0, heads },
        grid1d(Math.ceil(n / 64)),
        { spec: { T: dy.dtype } },
      ),
    ];
  },
});

/** Gives [heads, ...plan.shape], the sum over taps of weight x table entry. */
export const tableInterpolate = door(
  'tableInterpolate',
  { table: aTensor, plan: aPlan },
  (table: Tensor, plan: InterpolationPlan): Tensor => op(table, plan),
);
