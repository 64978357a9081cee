// SPDX-License-Identifier: MIT
// A row of the table of elementwise ops: a WGSL expression over the inputs a, b, c, d and constants p0...; gradients are written with
// other rows. Everything else (broadcasting, dispatch, fusion) is engine/pointwise.ts.
import { scalar } from '../check.ts';
import { DTypeError } from '../errors.ts';
import type { DType, Spec } from '../engine/dtype.ts';
import { aTensor } from '../engine/door.ts';
import { defineOp, type Thunk } from '../engine/op.ts';
import { broadcast, lowerPointwise } from '../engine/pointwise.ts';
import type { Tensor } from '../engine/tensor.ts';
import { sumTo } from './expand.ts';

// Rows whose expression WGSL has for integers too; -u32 and sign(u32) it has not.
const INTEGERS = new Set(
  `add sub mul div indicator equal not_equal greater greater_equal neg abs sign square
   add_scalar mul_scalar equal_scalar greater_scalar`.split(/\s+/),
);
const SIGNED = new Set(['neg', 'sign']);

/** An expression for floats, or one that holds for integers too (INTEGERS), or one for each. */
type Expr = string | { readonly float: string; readonly integer: string };
const takes = (name: string, expr: Expr, dtype: DType): boolean =>
  dtype === 'f32' || dtype === 'f16' || ((typeof expr !== 'string' || INTEGERS.has(name)) && (dtype === 'i32' || !SIGNED.has(name)));

/** Gradients of a row: g is dLoss/dOutput, y the output. One thunk per input; broadcast axes are summed by the caller. */
export type RowGrad = (g: Tensor, inputs: readonly Tensor[], y: Tensor, consts: readonly number[]) => (Thunk | null)[];

export function row(name: string, arity: number, expr: Expr, grad: RowGrad | null, out?: DType) {
  const { float, integer } = typeof expr === 'string' ? { float: expr, integer: expr } : expr;
  return defineOp({
    name,
    call(inputs: Tensor[], consts: readonly number[] = []) {
      for (const t of inputs) aTensor(name, 'an input', t);
      for (const k of consts) scalar(name, 'a constant', k);
      return { inputs, attrs: { consts } };
    },
    infer(inputs): Spec {
      const dtypes = new Set(inputs.map((s) => s.dtype));
      if (inputs.length !== arity || dtypes.size !== 1) {
        throw new DTypeError(
          `${name}: got dtypes ${inputs.map((s) => s.dtype).join(', ')}, expected ${arity} of one dtype.`,
          'There is no implicit promotion: convert with cast().',
        );
      }
      const { dtype } = inputs[0];
      if (!takes(name, expr, dtype))
        throw new DTypeError(
          `${name}: got dtype ${dtype}, expected ${SIGNED.has(name) ? 'f32, f16 or i32' : 'f32 or f16'}.`,
          'Convert with cast().',
        );
      return { shape: broadcast(name, inputs), dtype: out ?? dtype };
    },
    lower: (c) => lowerPointwise(c, { expr: /[iu]32/.test(c.inputs[0].dtype) ? integer : float, consts: c.attrs.consts }),
    pointwise: (a) => ({ expr: float, consts: a.consts }),
    vjp: grad
      ? ({ inputs, outputs: [y], grads: [g], attrs }) =>
          grad(g, inputs, y, attrs.consts).map((thunk, i) => thunk && (() => sumTo(thunk(), inputs[i].shape)))
      : undefined,
  });
}

type Row = ReturnType<typeof row>;
// Declarations, like `row`: this file, reduce.ts and pointwise.ts import each other, and rows are made while they are loaded.
export function one(r: Row) {
  return (a: Tensor): Tensor => r([a]);
}
export function two(r: Row) {
  return (a: Tensor, b: Tensor): Tensor => r([a, b]);
}
