// SPDX-License-Identifier: MIT
// What an op is: a shape rule, a lowering to kernel dispatches, a gradient, a cost; and the pure half of calling it.
import type { Kinds } from '../check.ts';
import type { Caps } from '../gpu/caps.ts';
import type { KernelDef } from '../gpu/kernel.ts';
import type { Variant } from '../gpu/pipelines.ts';
import { fill } from '../gen/fill.ts';
import { numel, type DType, type Spec } from './dtype.ts';
import type { Tensor } from './tensor.ts';

/** A buffer that a dispatch binds: an input, an output or a scratch of the op. Symbolic, so lowering stays pure. */
export interface Ref extends Spec {
  readonly role: 'input' | 'output' | 'scratch';
  readonly index: number;
}

/** One kernel call: pipeline variant, bindings by name, params by field, workgroups. */
export interface Dispatch extends Variant {
  readonly bindings: Readonly<Record<string, Ref>>;
  readonly params: Readonly<Record<string, number>>;
  readonly grid: readonly [number, number, number];
}

/** What `call` splits off as tensors: null or undefined where an optional one is left out. */
export type Inputs = readonly (Tensor | null | undefined)[];
/** Shapes and dtypes as `infer` gives them: of the one output, or of each of several. */
export type Outputs = Spec | readonly [] | readonly Spec[];
/** A `T` for each input, or null for one that may be left out. */
export type OfInputs<I extends Inputs, T> = { readonly [K in keyof I]: I[K] extends Tensor ? T : T | null };
/** A `T` for each output. */
export type OfOutputs<O extends Outputs, T> = O extends readonly Spec[] ? { readonly [K in keyof O]: T } : readonly [T];

export interface LowerContext<A, I extends Inputs = Inputs, O extends Outputs = Outputs> {
  /** Inputs as given to `call`; null where an optional one was left out. */
  readonly inputs: OfInputs<I, Ref>;
  readonly outputs: OfOutputs<O, Ref>;
  readonly attrs: A;
  readonly caps: Caps;
  /** Memory that lives for this op only. */
  scratch(shape: readonly number[], dtype?: DType): Ref;
}

export interface VjpContext<A, I extends Inputs = Inputs, O extends Outputs = Outputs> {
  readonly inputs: OfInputs<I, Tensor>;
  readonly outputs: OfOutputs<O, Tensor>;
  readonly attrs: A;
  /** Gradient of each output; of several, null where none flows: at least one is not null. */
  readonly grads: OfOutputs<O, O extends readonly Spec[] ? Tensor | null : Tensor>;
}

/** Makes the gradient of one input when it is wanted, so unused gradients are never built. */
export type Thunk = () => Tensor;

/** Types of inputs and outputs are those of what `call` and `infer` return: both come before what uses them. */
export interface OpDef<Args extends unknown[], A, R, I extends Inputs = Inputs, O extends Outputs = Outputs> {
  readonly name: string;
  /** Kinds of the public arguments, in order: what is checked before anything else. */
  readonly takes?: Kinds;
  /** Splits the public arguments into tensors and attributes (plain, comparable data). */
  call(...args: Args): { inputs: readonly [...I]; attrs: A };
  /** Shapes and dtypes of the outputs. @throws ShapeError, DTypeError */
  infer(inputs: OfInputs<I, Spec>, attrs: A): O;
  /** Kernel calls, in order. Pure: touches no GPU object. */
  lower(c: LowerContext<A, I, O>): Dispatch[];
  /** One thunk per input, null where an input has no gradient by nature (indices, masks). Absent: the op has no gradient. */
  vjp?(c: VjpContext<A, I, O>): (Thunk | null)[];
  /** What the public function returns; the first output unless said otherwise. */
  result?(outputs: OfOutputs<O, Tensor>): R;
  /** Indices of inputs that the op overwrites (optimiser updates, running statistics). They must own memory. */
  readonly mutates?: (attrs: A) => readonly number[];
  /** Inputs that hold indices, every one of which must lie below a bound: what engine/indices.ts checks. */
  indices?(inputs: OfInputs<I, Spec>, attrs: A): readonly { readonly input: number; readonly below: number }[];
  /** The single output is the first input's memory under another shape: no dispatch. */
  readonly view?: boolean;
  /**
   * What outputs with elements hold where an input has none: a number, by default 0, the sum of nothing; or `lower`, where the op's own
   * dispatches make them of what there is. Where all that is written is empty, nothing is dispatched.
   */
  readonly empty?: number | 'lower';
  /** A pointwise op's WGSL expression over a, b, c, d and constants p0...; what fusion composes (engine/pointwise.ts). */
  pointwise?(attrs: A): { expr: string; consts: readonly number[] };
  /**
   * Attributes with which the op computes an expression over its result a and an input b like it, its last, besides; null where it
   * cannot. What fusion writes into products.
   */
  epilogue?(attrs: A, expr: string): A | null;
  /** Attributes with which the op reads two tensors like its input, multiplied, instead. What fusion writes into sums. */
  ofProduct?(attrs: A): A;
  /** Floating-point operations of one call; for reports and for splitting submits. */
  flops?(inputs: OfInputs<I, Spec>, outputs: OfOutputs<O, Spec>, attrs: A): number;
}

/** An op with its types erased, as traces hold it. */
export type Op = OpDef<never[], unknown, unknown>;

/** The pure half of `lower`: symbolic buffers in, dispatches and scratch sizes out. */
export function lowerCall(
  op: Op,
  inputs: readonly (Spec | null)[],
  outputs: readonly Spec[],
  attrs: unknown,
  caps: Caps,
): { dispatches: Dispatch[]; scratch: Spec[] } {
  const written = [...outputs, ...(op.mutates?.(attrs) ?? []).flatMap((i) => inputs[i] ?? [])];
  if (written.every(isEmpty)) return { dispatches: [], scratch: [] };
  const { empty = 0 } = op;
  if (empty !== 'lower' && inputs.some((s) => s !== null && isEmpty(s))) {
    return {
      dispatches: outputs.flatMap((s, index) =>
        isEmpty(s) ? [] : [filled({ shape: s.shape, dtype: s.dtype, role: 'output', index }, empty)],
      ),
      scratch: [],
    };
  }
  const scratch: Spec[] = [];
  const dispatches = op.lower({
    inputs: inputs.map((s, index) => s && { shape: s.shape, dtype: s.dtype, role: 'input' as const, index }),
    outputs: outputs.map((s, index) => ({ shape: s.shape, dtype: s.dtype, role: 'output' as const, index })),
    attrs,
    caps,
    scratch(shape, dtype = 'f32') {
      scratch.push({ shape, dtype });
      return { shape, dtype, role: 'scratch', index: scratch.length - 1 };
    },
  });
  return { dispatches, scratch };
}

const isEmpty = ({ shape }: Spec): boolean => numel(shape) === 0;

function filled(y: Ref, value: number): Dispatch {
  const n = numel(y.shape);
  return dispatch(fill, { y }, { n, value }, grid1d(Math.ceil(n / 64)), { spec: { T: y.dtype } });
}

type Names<T> = T extends KernelDef<infer B, infer P, infer O, infer S> ? { b: B; p: P; o: O; s: S } : never;

/** A kernel call; wrong binding, field, override and spec names are TypeScript errors. */
export function dispatch<K extends KernelDef<never, never, never, never> | KernelDef>(
  def: K,
  bindings: Record<Names<K>['b'], Ref>,
  params: Record<Names<K>['p'], number>,
  grid: readonly [number, number, number],
  options: { spec?: Partial<Record<Names<K>['s'], string>>; overrides?: Partial<Record<Names<K>['o'], number>> } = {},
): Dispatch {
  return {
    def: def,
    bindings,
    params,
    grid,
    spec: (options.spec ?? {}) as Record<string, string>,
    overrides: (options.overrides ?? {}) as Record<string, number>,
  };
}

/** A grid for `workgroups` one-dimensional workgroups, folded so that no dimension passes 65,535. */
export function grid1d(workgroups: number): [number, number, number] {
  const max = 65535;
  if (workgroups <= max) return [Math.max(1, workgroups), 1, 1];
  const y = Math.ceil(workgroups / max);
  return [Math.ceil(workgroups / y), y, 1];
}
