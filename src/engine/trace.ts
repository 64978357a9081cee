// SPDX-License-Identifier: MIT
// A trace is the list of op calls of one step, in program order. Tensors made in it have shapes but no values.
import { callable, dtype as aDType, expectArguments, integer, text } from '../check.ts';
import { VoxelgradError } from '../errors.ts';
import type { DType, HostArray, Spec } from './dtype.ts';
import type { Op } from './lower.ts';
import { currentDevice, onDevice, type Device } from '../gpu/device.ts';
import { setCreationHook, Tensor, tensor, zeros, type Storage } from './tensor.ts';

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
  /** Where the gradient reads values of an eager call (tape.ts); null once they are gone. In a trace: from inputs and outputs. */
  readonly saved?: { readonly inputs: readonly (Tensor | null)[]; readonly outputs: readonly Tensor[] } | null;
}

export class Trace {
  readonly nodes: Node[] = [];
  /** Constants are made on it, whichever device is current. */
  readonly device: Device;
  /** Where a tensor's values must land instead of a slot, e.g. a gradient in the optimiser's arena. */
  readonly placed = new Map<Tensor, Storage>();
  /** Values that the host computes anew before every run, e.g. the learning rate. */
  readonly scalars: { tensor: Tensor; values: () => HostArray }[] = [];
  /** What every run writes to the console (print.ts). */
  readonly printed: { tensor: Tensor; label: string }[] = [];
  /** Its program could not be made, so nothing in it will ever run. */
  abandoned = false;
  /** Tensors with memory that the step makes, constants of this trace alone. */
  private readonly constants: Tensor[] = [];
  private readonly made = new WeakSet<Tensor>();

  constructor(device: Device) {
    this.device = device;
  }

  /** @throws VoxelgradError TRACE for a tensor that another step made. */
  expectOwn(where: string, t: Tensor): void {
    if (t.node && !this.made.has(t))
      throw new VoxelgradError(
        'TRACE',
        `${where}: got a tensor that another traced step made, [${t.shape}] of ${t.node.label}.`,
        'Return it from that step, and give this one the result.',
      );
  }

  /** Notes a constant; a tensor of `tensor()` and the like comes here by itself. */
  keep(t: Tensor): void {
    this.constants.push(t);
  }

  /** Gives back constants and placed ranges, but for `kept`. */
  release(kept?: ReadonlySet<Tensor>): void {
    for (const t of this.constants) if (!kept?.has(t)) t.dispose();
    for (const storage of this.placed.values()) storage.release();
  }

  add(op: Op, inputs: readonly (Tensor | null)[], specs: readonly Spec[], attrs: unknown): Tensor[] {
    for (const t of inputs) if (t) this.expectOwn(op.name, t);
    const path = scopes.join('.');
    const node: Node = {
      op,
      inputs,
      outputs: [],
      attrs,
      detached: gradOff > 0,
      gradient: walking > 0,
      label: `${op.name}#${this.nodes.length}${path ? ` ${path}` : ''}`,
    };
    for (const s of specs) {
      const t = new Tensor(s, null, node);
      this.made.add(t);
      node.outputs.push(t);
    }
    this.nodes.push(node);
    return node.outputs;
  }
}

let current: Trace | null = null;
let gradOff = 0;
let walking = 0;
const scopes: string[] = [];

export function currentTrace(): Trace | null {
  return current;
}

/** @throws VoxelgradError USAGE for what an asynchronous function returns: work that goes on later would be no part of what is done now. */
export function expectSync<T>(where: string, result: T): T {
  if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function') return result;
  (result as PromiseLike<unknown>).then(undefined, () => undefined); // it fails as soon as it meets a tensor
  throw new VoxelgradError(
    'USAGE',
    `${where}: got an asynchronous function, expected one that returns at once.`,
    'Await its inputs before and read its results after.',
  );
}

/** Runs `step` with every op call recorded instead of executed, on behalf of `device`. Traces do not nest. */
export function record<T>(step: () => T, device: Device = currentDevice()): { trace: Trace; result: T } {
  if (current)
    throw new VoxelgradError(
      'TRACE',
      'compile: called while another step is being traced.',
      'Compile the inner step first and call run() outside.',
    );
  const trace = new Trace(device);
  current = trace;
  const outer = setCreationHook((t) => {
    trace.keep(t);
  });
  try {
    return { trace, result: expectSync('compile', onDevice(device, step)) };
  } catch (e) {
    trace.abandoned = true;
    trace.release();
    throw e;
  } finally {
    current = null;
    setCreationHook(outer);
  }
}

/** False inside noGrad(). */
export const takesGrad = (): boolean => gradOff === 0;

/** Ops inside are constants to the reverse walk. */
export function noGrad<T>(f: () => T): T {
  expectArguments('noGrad', { f: callable }, [f]);
  gradOff++;
  try {
    return expectSync('noGrad', f());
  } finally {
    gradOff--;
  }
}

/** Ops inside are gradients: constants to this reverse walk, and an error to one that meets them. */
export function gradients<T>(f: () => T): T {
  walking++;
  try {
    return noGrad(f);
  } finally {
    walking--;
  }
}

/** Names the ops made inside, for labels and profiles; nested names are joined by dots. */
export function named<T>(name: string, f: () => T): T {
  expectArguments('named', { name: text, f: callable }, [name, f]);
  scopes.push(name);
  try {
    return expectSync('named', f());
  } finally {
    scopes.pop();
  }
}

/**
 * A small tensor whose values the host computes before every run of the program being traced: learning rates, random
 * counters. `name` shows in the program. Outside a trace its values are computed once.
 */
export function hostScalars(count: number, dtype: DType, values: () => HostArray, name = 'scalars'): Tensor {
  expectArguments('hostScalars', { count: integer(0), dtype: aDType, values: callable, name: text }, [count, dtype, values, name]);
  if (!current) return tensor(values(), { shape: [count], dtype, name });
  const made = zeros([count], { dtype, name });
  current.scalars.push({ tensor: made, values });
  return made;
}
