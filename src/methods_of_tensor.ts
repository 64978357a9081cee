// SPDX-License-Identifier: MIT
// The ops as methods of tensors, where a chain reads better than a nest, with numbers for operands: `x.add(1).relu()`. Each is a call of
// the function of that name; there is no second implementation. The entry point installs them, for ops know tensors and not the other way
// round.
import { backwardNow } from './engine/autograd.ts';
import { scope } from './engine/scope.ts';
import { tensor, Tensor } from './engine/tensor.ts';
import type { DType } from './engine/dtype.ts';
import { matmul } from './ops/matmul.ts';
import { permute, transpose } from './ops/permute.ts';
import * as op from './ops/pointwise.ts';
import { argmax, argmin, max, mean, min, prod, sum, type ReduceOptions } from './ops/reduce.ts';
import { reshape } from './ops/reshape.ts';
import { logSoftmax, softmax } from './ops/softmax.ts';

const TWO = {
  add: op.add,
  sub: op.sub,
  mul: op.mul,
  div: op.div,
  pow: op.pow,
  mod: op.mod,
  maximum: op.maximum,
  minimum: op.minimum,
  equal: op.equal,
  greater: op.greater,
  greaterEqual: op.greaterEqual,
  less: op.less,
  lessEqual: op.lessEqual,
};
const REST = {
  neg: op.neg,
  abs: op.abs,
  sign: op.sign,
  floor: op.floor,
  ceil: op.ceil,
  round: op.round,
  exp: op.exp,
  log: op.log,
  sqrt: op.sqrt,
  rsqrt: op.rsqrt,
  reciprocal: op.reciprocal,
  square: op.square,
  sin: op.sin,
  cos: op.cos,
  tanh: op.tanh,
  sigmoid: op.sigmoid,
  relu: op.relu,
  gelu: op.gelu,
  silu: op.silu,
  softplus: op.softplus,
  clamp: op.clamp,
  cast: op.cast,
  detach: op.detach,
  sum,
  mean,
  max,
  min,
  prod,
  argmax,
  argmin,
  softmax,
  logSoftmax,
  matmul,
  reshape,
  permute,
  transpose,
};

/** A number as a scalar of x's dtype. */
type Operand = Tensor | number;
type Index = { axis?: number; keepDims?: boolean };

declare module './engine/tensor.ts' {
  interface Tensor {
    /** x + other, a tensor that broadcasts or a number. */
    add(other: Operand): Tensor;
    /** x - other. */
    sub(other: Operand): Tensor;
    /** x times other, element by element. */
    mul(other: Operand): Tensor;
    /** x / other; of integers the quotient's whole part. */
    div(other: Operand): Tensor;
    /** x to the power other. */
    pow(other: Operand): Tensor;
    /** The remainder with the sign of other, as Python's %. */
    mod(other: Operand): Tensor;
    /** The larger of x and other. */
    maximum(other: Operand): Tensor;
    /** The smaller of x and other. */
    minimum(other: Operand): Tensor;
    /** 1 where x == other, else 0 (u32), and so on. */
    equal(other: Operand): Tensor;
    greater(other: Operand): Tensor;
    greaterEqual(other: Operand): Tensor;
    less(other: Operand): Tensor;
    lessEqual(other: Operand): Tensor;
    neg(): Tensor;
    abs(): Tensor;
    sign(): Tensor;
    floor(): Tensor;
    ceil(): Tensor;
    round(): Tensor;
    exp(): Tensor;
    log(): Tensor;
    sqrt(): Tensor;
    rsqrt(): Tensor;
    reciprocal(): Tensor;
    square(): Tensor;
    sin(): Tensor;
    cos(): Tensor;
    tanh(): Tensor;
    sigmoid(): Tensor;
    relu(): Tensor;
    gelu(): Tensor;
    silu(): Tensor;
    softplus(): Tensor;
    clamp(low: number, high: number): Tensor;
    cast(dtype: DType): Tensor;
    detach(): Tensor;
    sum(options?: ReduceOptions): Tensor;
    mean(options?: ReduceOptions): Tensor;
    max(options?: ReduceOptions): Tensor;
    min(options?: ReduceOptions): Tensor;
    prod(options?: ReduceOptions): Tensor;
    argmax(options?: Index): Tensor;
    argmin(options?: Index): Tensor;
    softmax(axis?: number): Tensor;
    logSoftmax(axis?: number): Tensor;
    /** [..., M, K] times [..., K, N]. */
    matmul(other: Tensor): Tensor;
    reshape(shape: readonly number[]): Tensor;
    permute(axes: readonly number[]): Tensor;
    /**
     * Adds to `grad` of everything that this loss, of one element, depends on and that requires a gradient. Once for each loss; outside of
     * a traced step.
     * @throws ShapeError, MissingGradientError; VoxelgradError ORDER for a second time
     */
    backward(): void;
    transpose(...axes: Parameters<typeof transpose> extends [Tensor, ...infer Rest] ? Rest : never): Tensor;
  }
}

function install(name: string, call: (x: Tensor, ...rest: unknown[]) => Tensor): void {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return call(this, ...rest);
    },
    configurable: true,
    writable: true,
  });
}
for (const [name, call] of Object.entries(TWO)) {
  install(name, (x, other) =>
    typeof other === 'number' ? scope(() => call(x, tensor([other], { shape: [], dtype: x.dtype }))) : call(x, other as Tensor),
  );
}
for (const [name, call] of Object.entries(REST)) install(name, call as (x: Tensor, ...rest: unknown[]) => Tensor);
install('backward', backwardNow as (x: Tensor) => never);
