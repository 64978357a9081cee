// SPDX-License-Identifier: MIT
// What an eager `backward` walks: op calls on tensors that require gradients, noted as they run, each with the memory that its gradient may
// read. Tensors hold the call that made them and calls those that made their inputs, by counts: what no living tensor depends on goes at
// once.
import { VoxelgradError } from '../errors.ts';
import type { Op } from './lower.ts';
import { Tensor, type Storage } from './tensor.ts';
import { takesGrad, type Node } from './trace.ts';

/** A tensor as it was when a call read or made it, whoever disposes it since. */
class Saved extends Tensor {
  private readonly kept: Storage;
  private readonly version: number;
  private readonly call: string;

  constructor(of: Tensor, call: string) {
    super(of, null, null, of.name);
    this.kept = of.storage.retain();
    this.version = this.kept.version;
    this.call = call;
  }

  /** Only a gradient that reads the values meets this: what it does not read may have changed. */
  protected override materialise(): Storage {
    if (this.kept.version !== this.version)
      throw new VoxelgradError(
        'ORDER',
        `backward: ${this.name ?? 'a tensor'} [${this.shape}] was overwritten after ${this.call} had read or made it, expected its ` +
          'values as they were.',
        'Call backward() before an optimiser steps, write() or the next run() of a program.',
      );
    return this.kept.retain();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    super.dispose();
    this.kept.release();
  }
}

/** One call. Inputs and outputs are the caller's tensors, which say what depends on what; `saved` are their values. */
export class Recorded implements Node {
  readonly op: Op;
  readonly inputs: readonly (Tensor | null)[];
  readonly outputs: Tensor[];
  readonly attrs: unknown;
  readonly label: string;
  readonly detached = false;
  readonly gradient = false;
  /** Calls are walked in the order they were made in. */
  readonly order = ++made;
  saved: { readonly inputs: readonly (Tensor | null)[]; readonly outputs: readonly Tensor[] } | null;
  private users = 0;

  constructor(op: Op, inputs: readonly (Tensor | null)[], outputs: Tensor[], attrs: unknown) {
    this.op = op;
    this.inputs = inputs;
    this.outputs = outputs;
    this.attrs = attrs;
    this.label = op.name;
    this.saved = { inputs: inputs.map((t) => t && new Saved(t, op.name)), outputs: outputs.map((t) => new Saved(t, op.name)) };
    for (const t of inputs) t?.history?.retain();
    for (const t of outputs.filter(isFloat)) t.madeBy(this.retain());
  }

  retain(): this {
    this.users++;
    return this;
  }
  release(): void {
    if (--this.users === 0) this.forget();
  }

  /** Frees what was saved, and what only this call still needed of those before it. */
  forget(): void {
    if (!this.saved) return;
    for (const t of [...this.saved.inputs, ...this.saved.outputs]) t?.dispose();
    this.saved = null;
    for (const t of this.inputs) t?.history?.release();
  }
}
let made = 0;

const isFloat = ({ dtype }: Tensor): boolean => dtype === 'f32' || dtype === 'f16';

/** Notes an eager call, where a gradient could go through it. */
export function note(op: Op, inputs: readonly (Tensor | null)[], outputs: Tensor[], attrs: unknown): void {
  if (takesGrad() && inputs.some((t) => t?.requiresGrad) && outputs.some(isFloat)) void new Recorded(op, inputs, outputs, attrs);
}

/** All calls that a tensor depends on, in the order they were made in, and the tensors of the caller's that require gradients. */
export function historyOf(loss: Tensor): { calls: Recorded[]; leaves: Set<Tensor> } {
  const calls = new Set<Recorded>();
  const leaves = new Set<Tensor>();
  const open = [loss];
  for (let t = open.pop(); t; t = open.pop()) {
    if (t.history) {
      if (calls.has(t.history)) continue;
      calls.add(t.history);
      for (const input of t.history.inputs) if (input?.requiresGrad) open.push(input);
    } else if (t.requiresGrad) leaves.add(t);
  }
  return { calls: [...calls].sort((a, b) => a.order - b.order), leaves };
}
