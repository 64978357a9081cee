// SPDX-License-Identifier: MIT
// `defineOp` makes the public function of an op: checked, recorded inside a trace, executed at once outside.
import { expectArguments, shown } from '../check.ts';
import { DTypeError, VoxelgradError } from '../errors.ts';
import { expectSpec, type DType, type Spec } from './dtype.ts';
import { executeNow } from './eager.ts';
import type { Inputs, Op, OpDef, Outputs } from './lower.ts';
import { disposeOthers } from './scope.ts';
import { note } from './tape.ts';
import { Tensor } from './tensor.ts';
import { currentTrace } from './trace.ts';

// All that an op's file needs comes from here; what executes it needs the other half alone.
export {
  dispatch,
  grid1d,
  type Dispatch,
  type LowerContext,
  type OfInputs,
  type Op,
  type OpDef,
  type Ref,
  type Thunk,
  type VjpContext,
} from './lower.ts';

/**
 * The public function of an op, traced, planned, fused around and differentiated as ours are: docs/custom_ops.md, field by field.
 * @throws what `call` and `infer` throw; MissingGradientError where a loss needs a gradient and `vjp` is left out
 */
export function defineOp<Args extends unknown[], A, R = Tensor, I extends Inputs = Inputs, O extends Outputs = Outputs>(
  def: OpDef<Args, A, R, I, O>,
): (...args: Args) => R {
  const op = def as unknown as Op;
  return (...args) => {
    if (def.takes) expectArguments(def.name, def.takes, args);
    const { inputs, attrs } = def.call(...args);
    const outputs = apply(
      op,
      inputs.map((t) => t ?? null),
      attrs,
    );
    const result = def.result ? def.result(outputs as never) : (outputs[0] as R);
    if (outputs.length > 1 && !currentTrace()) disposeOthers(outputs, result); // what only a gradient would read
    return result;
  };
}

/** Calls an op: recorded inside a trace, executed at once outside. */
export function apply(op: Op, inputs: readonly (Tensor | null)[], attrs: unknown): Tensor[] {
  inputs.forEach((t, i) => {
    if (t !== null && !(t instanceof Tensor))
      throw new VoxelgradError('USAGE', `${op.name}: got ${shown(t)} as input ${i}, expected a tensor.`);
  });
  const inferred = op.infer(inputs, attrs);
  const specs = Array.isArray(inferred) ? inferred : [inferred];
  for (const s of specs) expectSpec(op.name, s);
  const trace = currentTrace();
  if (trace) return trace.add(op, inputs, specs, attrs);
  for (const t of inputs) {
    if (t?.isSymbolic)
      throw new VoxelgradError('TRACE', `${op.name}: got a tensor of a traced step outside of it.`, 'Return it from the step instead.');
  }
  const outputs = executeNow(op, inputs, specs, attrs);
  note(op, inputs, outputs, attrs);
  return outputs;
}

/** @throws DTypeError unless every tensor has one of the dtypes, and all the same one. */
export function expectDType(name: string, inputs: readonly (Spec | null)[], ...allowed: DType[]): DType {
  const present = inputs.filter((s): s is Spec => s !== null);
  const dtype = present[0].dtype;
  for (const s of present) {
    if (!allowed.includes(s.dtype))
      throw new DTypeError(`${name}: got dtype ${s.dtype}, expected ${allowed.join(' or ')}.`, 'Convert with cast().');
    if (s.dtype !== dtype)
      throw new DTypeError(
        `${name}: got dtypes ${present.map((p) => p.dtype).join(', ')}, expected one.`,
        'There is no implicit promotion: convert with cast().',
      );
  }
  return dtype;
}

/** Calls `make` once, whoever asks first: for kernels that compute several gradients together. */
export function once<T>(make: () => T): () => T {
  let value: { v: T } | null = null;
  return () => (value ??= { v: make() }).v;
}
