// SPDX-License-Identifier: MIT
// A trace is the list of op calls of one step, in program order. Tensors made in it have shapes but no values.
import { VoxelgradError } from '../errors.ts';
import type { DType, HostArray, Spec } from './dtype.ts';
import type { Op } from './op.ts';
import { Tensor, tensor, zeros, type Storage } from './tensor.ts';

/** One op call. */
export interface Node {
  readonly op: Op;
  readonly inputs: readonly (Tensor | null)[];
  readonly outputs: Tensor[];
  readonly attrs: unknown;
  /** `conv2d#17 encoder.layer1.0.conv1`: op, position, module path. */
  readonly label: string;
  /** Inside noGrad(): the reverse walk treats the outputs as constants. */
  readonly detached: boolean;
  /** Made by the reverse walk: it depends on the parameters, but second derivatives are not built. */
  readonly gradient: boolean;
}

export class Trace {
  readonly nodes: Node[] = [];
  /** Where a tensor's values must land instead of a slot, e.g. a gradient in the optimiser's arena. */
  readonly placed = new Map<Tensor, Storage>();
  /** Values that the host computes anew before every run, e.g. the learning rate. */
  readonly scalars: { tensor: Tensor; values: () => HostArray }[] = [];
  /** Constants made for this trace alone: they go when it goes. */
  readonly owned: Tensor[] = [];

  add(op: Op, inputs: readonly (Tensor | null)[], specs: readonly Spec[], attrs: unknown): Tensor[] {
    const path = scopes.join('.');
    const node: Node = {
      op, inputs, outputs: [], attrs, detached: gradOff > 0, gradient: walking > 0,
      label: `${op.name}#${this.nodes.length}${path ? ` ${path}` : ''}`,
    };
    for (const s of specs) node.outputs.push(new Tensor(s, null, node));
    this.nodes.push(node);
    return node.outputs;
  }
}

let current: Trace | null = null;
let gradOff = 0;
let walking = 0;
const scopes: string[] = [];

export function currentTrace(): Trace | null { return current; }

/** Runs `step` with every op call recorded instead of executed. Traces do not nest. */
export function record<T>(step: () => T): { trace: Trace; result: T } {
  if (current) throw new VoxelgradError('TRACE', 'compile: called while another step is being traced.', 'Compile the inner step first and call run() outside.');
  const trace = new Trace();
  current = trace;
  try {
    return { trace, result: step() };
  } catch (e) {
    for (const t of trace.owned) t.dispose();
    throw e;
  } finally {
    current = null;
  }
}

/** Ops inside are constants to the reverse walk. */
export function noGrad<T>(f: () => T): T {
  gradOff++;
  try { return f(); } finally { gradOff--; }
}

/** Ops inside are gradients: constants to this reverse walk, and an error to one that meets them. */
export function gradients<T>(f: () => T): T {
  walking++;
  try { return noGrad(f); } finally { walking--; }
}

/** Names the ops made inside, for labels and profiles; nested names are joined by dots. */
export function named<T>(name: string, f: () => T): T {
  scopes.push(name);
  try { return f(); } finally { scopes.pop(); }
}

/**
 * A small tensor whose values the host computes before every run of the program being traced: learning rates, random
 * counters. `name` shows in the program. Outside a trace its values are computed once.
 */
export function hostScalars(count: number, dtype: DType, values: () => HostArray, name = 'scalars'): Tensor {
  if (!current) return tensor(values(), { shape: [count], dtype, name });
  const made = zeros([count], { dtype, name });
  current.scalars.push({ tensor: made, values });
  current.owned.push(made);
  return made;
}
