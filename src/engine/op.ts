// SPDX-License-Identifier: MIT
// What an op is: a shape rule, a lowering to kernel dispatches, a gradient, a cost. `defineOp` returns the public function.
import { expectArguments, shown, type Kinds } from '../check.ts';
import { DTypeError, VoxelgradError } from '../errors.ts';
import type { Caps } from '../gpu/device.ts';
import type { KernelDef } from '../gpu/kernel.ts';
import type { Variant } from '../gpu/pipelines.ts';
import { fill } from '../gen/fill.ts';
import { expectSpec, numel, type DType, type Spec } from './dtype.ts';
import { executeNow } from './eager.ts';
import { disposeOthers } from './scope.ts';
import { Tensor } from './tensor.ts';
import { currentTrace } from './trace.ts';

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

export interface LowerContext<A> {
  /** Inputs as given to `call`; null where an optional one was left out. */
  readonly inputs: readonly (Ref | null)[];
  readonly outputs: readonly Ref[];
  readonly attrs: A;
  readonly caps: Caps;
  /** Memory that lives for this op only. */
  scratch(shape: readonly number[], dtype?: DType): Ref;
}

export interface VjpContext<A> {
  readonly inputs: readonly (Tensor | null)[];
  readonly outputs: readonly Tensor[];
  readonly attrs: A;
  /** Gradient of each output; null where none flows. At least one is not null. */
  readonly grads: readonly (Tensor | null)[];
}

/** Makes the gradient of one input when it is wanted, so unused gradients are never built. */
export type Thunk = () => Tensor;

export interface OpDef<Args extends unknown[], A, R> {
  readonly name: string;
  /** Kinds of the public arguments, in order: what is checked before anything else. */
  readonly takes?: Kinds;
  /** Splits the public arguments into tensors and attributes (plain, comparable data). */
  call(...args: Args): { inputs: (Tensor | null | undefined)[]; attrs: A };
  /** Shapes and dtypes of the outputs. @throws ShapeError, DTypeError */
  infer(inputs: readonly (Spec | null)[], attrs: A): Spec | Spec[];
  /** Kernel calls, in order. Pure: touches no GPU object. */
  lower(c: LowerContext<A>): Dispatch[];
  /** One thunk per input, null where an input has no gradient by nature (indices, masks). Absent: the op has no gradient. */
  vjp?(c: VjpContext<A>): (Thunk | null)[];
  /** What the public function returns; the first output unless said otherwise. */
  result?(outputs: Tensor[]): R;
  /** Indices of inputs that the op overwrites (optimiser updates, running statistics). They must own memory. */
  readonly mutates?: (attrs: A) => readonly number[];
  /** Inputs that hold indices, every one of which must lie below a bound: what engine/indices.ts checks. */
  indices?(inputs: readonly (Spec | null)[], attrs: A): readonly { readonly input: number; readonly below: number }[];
  /** The single output is the first input's memory under another shape: no dispatch. */
  readonly view?: boolean;
  /**
   * What outputs with elements hold where an input has none: a number, by default 0, the sum of nothing; or `lower`, where the op's own dispatches make
   * them of what there is. Where all that is written is empty, nothing is dispatched.
   */
  readonly empty?: number | 'lower';
  /** A pointwise op's WGSL expression over a, b, c, d and constants p0...; what fusion composes (engine/pointwise.ts). */
  pointwise?(attrs: A): { expr: string; consts: readonly number[] };
  /** Floating-point operations of one call; for reports and for splitting submits. */
  flops?(inputs: readonly (Spec | null)[], outputs: readonly Spec[], attrs: A): number;
}

/** An op with its types erased, as traces hold it. */
export type Op = OpDef<never[], unknown, unknown>;

export function defineOp<Args extends unknown[], A, R = Tensor>(def: OpDef<Args, A, R>): (...args: Args) => R {
  const op = def as unknown as Op;
  return (...args) => {
    if (def.takes) expectArguments(def.name, def.takes, args);
    const { inputs, attrs } = def.call(...args);
    const outputs = apply(op, inputs.map((t) => t ?? null), attrs);
    const result = def.result ? def.result(outputs) : outputs[0] as R;
    if (outputs.length > 1 && !currentTrace()) disposeOthers(outputs, result); // what only a gradient would read
    return result;
  };
}

/** Calls an op: recorded inside a trace, executed at once outside. */
export function apply(op: Op, inputs: readonly (Tensor | null)[], attrs: unknown): Tensor[] {
  inputs.forEach((t, i) => { if (t !== null && !(t instanceof Tensor)) throw new VoxelgradError('USAGE', `${op.name}: got ${shown(t)} as input ${i}, expected a tensor.`); });
  const inferred = op.infer(inputs, attrs);
  const specs = Array.isArray(inferred) ? inferred : [inferred];
  for (const s of specs) expectSpec(op.name, s);
  const trace = currentTrace();
  if (trace) return trace.add(op, inputs, specs, attrs);
  for (const t of inputs) {
    if (t?.isSymbolic) throw new VoxelgradError('TRACE', `${op.name}: got a tensor of a traced step outside of it.`, 'Return it from the step instead.');
  }
  return executeNow(op, inputs, specs, attrs);
}

/** The pure half of `lower`: symbolic buffers in, dispatches and scratch sizes out. */
export function lowerCall(op: Op, inputs: readonly (Spec | null)[], outputs: readonly Spec[], attrs: unknown, caps: Caps): { dispatches: Dispatch[]; scratch: Spec[] } {
  const written = [...outputs, ...(op.mutates?.(attrs) ?? []).flatMap((i) => inputs[i] ?? [])];
  if (written.every(isEmpty)) return { dispatches: [], scratch: [] };
  const { empty = 0 } = op;
  if (empty !== 'lower' && inputs.some((s) => s !== null && isEmpty(s))) {
    return { dispatches: outputs.flatMap((s, index) => isEmpty(s) ? [] : [filled({ shape: s.shape, dtype: s.dtype, role: 'output', index }, empty)]), scratch: [] };
  }
  const scratch: Spec[] = [];
  const dispatches = op.lower({
    inputs: inputs.map((s, index) => s && { shape: s.shape, dtype: s.dtype, role: 'input' as const, index }),
    outputs: outputs.map((s, index) => ({ shape: s.shape, dtype: s.dtype, role: 'output' as const, index })),
    attrs, caps,
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
  def: K, bindings: Record<Names<K>['b'], Ref>, params: Record<Names<K>['p'], number>, grid: readonly [number, number, number],
  options: { spec?: Partial<Record<Names<K>['s'], string>>; overrides?: Partial<Record<Names<K>['o'], number>> } = {},
): Dispatch {
  return {
    def: def as KernelDef, bindings, params, grid,
    spec: (options.spec ?? {}) as Record<string, string>, overrides: (options.overrides ?? {}) as Record<string, number>,
  };
}

/** A grid for `workgroups` one-dimensional workgroups, folded so that no dimension passes 65,535. */
export function grid1d(workgroups: number): [number, number, number] {
  const max = 65535;
  if (workgroups <= max) return [Math.max(1, workgroups), 1, 1];
  const y = Math.ceil(workgroups / max);
  return [Math.ceil(workgroups / y), y, 1];
}

/** @throws DTypeError unless every tensor has one of the dtypes, and all the same one. */
export function expectDType(name: string, inputs: readonly (Spec | null)[], ...allowed: DType[]): DType {
  const present = inputs.filter((s): s is Spec => s !== null);
  const dtype = present[0]!.dtype;
  for (const s of present) {
    if (!allowed.includes(s.dtype)) throw new DTypeError(`${name}: got dtype ${s.dtype}, expected ${allowed.join(' or ')}.`, 'Convert with cast().');
    if (s.dtype !== dtype) throw new DTypeError(`${name}: got dtypes ${present.map((p) => p.dtype).join(', ')}, expected one.`, 'There is no implicit promotion: convert with cast().');
  }
  return dtype;
}

/** Calls `make` once, whoever asks first: for kernels that compute several gradients together. */
export function once<T>(make: () => T): () => T {
  let value: { v: T } | null = null;
  return () => (value ??= { v: make() }).v;
}
