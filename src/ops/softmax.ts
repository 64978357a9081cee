// SPDX-License-Identifier: MIT
// softmax and log_softmax along one axis.
import { integer, maybe } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, type Dispatch, type LowerContext, type Ref, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { softmax_cols, softmax_cols_dx, softmax_rows, softmax_rows_dx } from '../gen/softmax.ts';
import { axesOf } from './layout.ts';
import { elementLaunch, rowLaunch, vector } from './lanes.ts';

interface Attrs {
  readonly axis: number;
  readonly log: boolean;
}

/** How a tensor collapses around the axis, and the launch that fits: rows where the axis is the last real one. */
function launch(c: LowerContext<Attrs>, x: Ref) {
  const { axis, log } = c.attrs;
  const outer = numel(x.shape.slice(0, axis));
  const n = x.shape[axis];
  const inner = numel(x.shape.slice(axis + 1));
  const rows = inner === 1;
  const { V, W } = vector(x.dtype, rows ? n : inner);
  const params = rows ? { outer, n: n / W, inner } : { outer, n, inner: inner / W };
  const { grid, overrides } = rows ? rowLaunch(c.caps, outer, params.n) : elementLaunch(c.caps, outer * params.inner);
  return { rows, params, grid, options: { spec: { V }, overrides: { ...overrides, LOG: Number(log) } } };
}

const gradient = defineOp({
  name: 'softmax_dx',
  call: (y: Tensor, dy: Tensor, attrs: Attrs) => ({ inputs: [y, dy], attrs }),
  infer: ([y]) => y,
  lower(c): Dispatch[] {
    const [y, dy] = c.inputs;
    const { rows, params, grid, options } = launch(c, y);
    return [dispatch(rows ? softmax_rows_dx : softmax_cols_dx, { y_in: y, dy, dx: c.outputs[0] }, params, grid, options)];
  },
  flops: ([y]) => 4 * numel(y.shape),
});

function make(name: string, log: boolean) {
  return defineOp({
    name,
    takes: { x: aTensor, axis: maybe(integer()) },
    call(x: Tensor, axis: number = -1) {
      const at = axis < 0 ? axis + x.shape.length : axis;
      if (!(at >= 0 && at < x.shape.length))
        throw new ShapeError(`${name}: got axis ${axis} for [${x.shape}], expected ${axesOf(x.shape)}.`);
      return { inputs: [x], attrs: { axis: at, log } };
    },
    infer: ([x]) => ({ shape: x.shape, dtype: expectDType(name, [x], 'f32', 'f16') }),
    lower(c): Dispatch[] {
      const x = c.inputs[0];
      const { rows, params, grid, options } = launch(c, x);
      return [dispatch(rows ? softmax_rows : softmax_cols, { x, y: c.outputs[0] }, params, grid, options)];
    },
    vjp: ({ outputs: [y], grads: [g], attrs }): Thunk[] => [() => gradient(y, g, attrs)],
    flops: ([x]) => 5 * numel(x.shape),
  });
}

/** exp(x) / sum exp(x) along `axis` (default: the last). */
export const softmax = make('softmax', false);
/** log(softmax(x)) without losing small probabilities. */
export const logSoftmax = make('log_softmax', true);
