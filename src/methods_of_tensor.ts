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
    /** 1 where x == other, else 0 (u32). */
    equal(other: Operand): Tensor;
    /** 1 where x > other, else 0 (u32). */
    greater(other: Operand): Tensor;
    /** 1 where x >= other, else 0 (u32). */
    greaterEqual(other: Operand): Tensor;
    /** 1 where x < other, else 0 (u32). */
    less(other: Operand): Tensor;
    /** 1 where x <= other, else 0 (u32). */
    lessEqual(other: Operand): Tensor;
    /** -x. */
    neg(): Tensor;
    /** |x|. */
    abs(): Tensor;
    /** -1, 0 or 1. */
    sign(): Tensor;
    /** Largest whole number that is not above x. */
    floor(): Tensor;
    /** Smallest whole number that is not below x. */
    ceil(): Tensor;
    /** Nearest whole number, ties to even. */
    round(): Tensor;
    /** e to the power x. */
    exp(): Tensor;
    /** Natural logarithm. */
    log(): Tensor;
    /** Square root. */
    sqrt(): Tensor;
    /** 1 / sqrt(x). */
    rsqrt(): Tensor;
    /** 1 / x. */
    reciprocal(): Tensor;
    /** x times x. */
    square(): Tensor;
    /** Sine of x in radians. */
    sin(): Tensor;
    /** Cosine of x in radians. */
    cos(): Tensor;
    /** Hyperbolic tangent. */
    tanh(): Tensor;
    /** 1 / (1 + exp(-x)). */
    sigmoid(): Tensor;
    /** max(x, 0). */
    relu(): Tensor;
    /** x times the normal distribution function of x, exact (erf). */
    gelu(): Tensor;
    /** x / (1 + exp(-x)). */
    silu(): Tensor;
    /** log(1 + exp(x)), without overflow. */
    softplus(): Tensor;
    /** x within `low` and `high`. */
    clamp(low: number, high: number): Tensor;
    /** The same values as another dtype; of floats the whole part where that is one of integers. */
    cast(dtype: DType): Tensor;
    /** The same values, cut off from the gradient. */
    detach(): Tensor;
    /** Sums over `axes` (default: all). */
    sum(options?: ReduceOptions): Tensor;
    /** Means over `axes` (default: all). */
    mean(options?: ReduceOptions): Tensor;
    /** Largest elements over `axes` (default: all). */
    max(options?: ReduceOptions): Tensor;
    /** Smallest elements over `axes` (default: all). */
    min(options?: ReduceOptions): Tensor;
    /** Products over `axes` (default: all). */
    prod(options?: ReduceOptions): Tensor;
    /** Index (u32) of the first largest element along `axis` (default: the last). */
    argmax(options?: Index): Tensor;
    /** Index (u32) of the first smallest element along `axis` (default: the last). */
    argmin(options?: Index): Tensor;
    /** exp(x), divided by its sum along `axis` (default: the last). */
    softmax(axis?: number): Tensor;
    /** The logarithm of `softmax`. */
    logSoftmax(axis?: number): Tensor;
    /** [..., M, K] times [..., K, N]. */
    matmul(other: Tensor): Tensor;
    /** The same values in another shape of as many; -1 stands for what is left. */
    reshape(shape: readonly number[]): Tensor;
    /** Axes in another order: axis i of the result is axis `axes[i]` of x. */
    permute(axes: readonly number[]): Tensor;
    /**
     * Adds to `grad` of everything that this loss, of one element, depends on and that requires a gradient. Once for each loss; outside of
     * a traced step.
     * @throws ShapeError, MissingGradientError; VoxelgradError ORDER for a second time
     */
    backward(): void;
    /** Two axes changed for each other, as the function `transpose`. */
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
