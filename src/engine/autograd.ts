// SPDX-License-Identifier: MIT
// The reverse walk: from a scalar loss back to parameters, over the nodes of the trace being made.
import { expectArguments, instance, iterable, listOf } from '../check.ts';
import { MissingGradientError, ShapeError, VoxelgradError } from '../errors.ts';
import { accumulate } from './pointwise.ts';
import type { Thunk } from './lower.ts';
import { full, Tensor } from './tensor.ts';
import { currentTrace, gradients, named, type Node } from './trace.ts';

/** Gradients by parameter. A parameter that the loss does not depend on has none. */
export type Grads = ReadonlyMap<Tensor, Tensor>;

const aTensor = instance('a tensor', Tensor);

/**
 * Gradients of `loss` (one element) with respect to `params`, as ops appended to the trace.
 * @throws MissingGradientError naming every op on the way that has no gradient.
 */
export function backward(loss: Tensor, params: Iterable<Tensor>): Grads {
  expectArguments('backward', { loss: aTensor, params: iterable }, [loss, params]);
  const wanted = new Set(params);
  expectArguments('backward', { params: listOf(aTensor) }, [[...wanted]]);
  const trace = currentTrace();
  if (!trace)
    throw new VoxelgradError(
      'TRACE',
      'backward: called outside of a traced step.',
      'Call it inside the function given to compile() or evaluate().',
    );
  if (loss.size !== 1)
    throw new ShapeError(`backward: loss has shape [${loss.shape}], expected one element.`, 'Reduce it with sum() or mean().');
  for (const t of [loss, ...wanted]) trace.expectOwn('backward', t);
  const { reached, missing } = dependants(trace.nodes, wanted, loss);
  if (missing.length > 0) {
    throw new MissingGradientError(
      `backward: no gradient for ${missing.join(', ')}.`,
      'Give the op a vjp, or call it inside noGrad(); gradients of gradients are not built.',
    );
  }
  const grads = new Map<Tensor, Tensor>();
  return gradients(() => {
    const seed = full(loss.shape, 1, { dtype: loss.dtype });
    grads.set(loss, seed);
    for (const node of reached) {
      const outGrads = node.outputs.map((t) => grads.get(t) ?? null);
      if (outGrads.every((g) => g === null)) continue;
      for (const t of node.outputs) if (!wanted.has(t)) grads.delete(t);
      const thunks: (Thunk | null)[] = node.op.vjp!({ inputs: node.inputs, outputs: node.outputs, attrs: node.attrs, grads: outGrads });
      node.inputs.forEach((input, i) => {
        const thunk = thunks[i];
        if (!input || !thunk || !(wanted.has(input) || (input.node && onPath.get(node)?.has(input)))) return;
        named(`grad(${node.label})`, () => {
          const g = thunk();
          if (g.size !== input.size)
            throw new ShapeError(`${node.label}: gradient of input ${i} has shape [${g.shape}], expected [${input.shape}].`);
          const before = grads.get(input);
          grads.set(input, before ? accumulate(before, g) : g);
        });
      });
    }
    return new Map([...wanted].filter((p) => grads.has(p)).map((p) => [p, grads.get(p)!]));
  });
}

/** Inputs of each node that depend on a wanted tensor; filled by `dependants`. */
const onPath = new WeakMap<Node, Set<Tensor>>();

/**
 * Where values that a node computes are read from: its outputs but for masks and indices, which are constants almost everywhere, and
 * what an op without a gradient overwrites (one with a gradient overwrites statistics, constants as in PyTorch).
 */
function results({ op, inputs, outputs, attrs }: Node): Tensor[] {
  const made = outputs.filter((t) => t.dtype === 'f32' || t.dtype === 'f16');
  return op.vjp ? made : [...made, ...(op.mutates?.(attrs) ?? []).flatMap((i) => inputs[i] ?? [])];
}

/** Nodes between the wanted tensors and the loss, in reverse order, and the labels of those without a gradient. */
function dependants(nodes: readonly Node[], wanted: ReadonlySet<Tensor>, loss: Tensor): { reached: Node[]; missing: string[] } {
  const active = new Set<Tensor>(wanted);
  const forward: Node[] = [];
  for (const node of nodes) {
    if (node.detached && !node.gradient) continue;
    const inputs = new Set(node.inputs.filter((t): t is Tensor => t !== null && active.has(t)));
    if (inputs.size === 0) continue;
    const made = results(node);
    if (made.length === 0) continue;
    onPath.set(node, inputs);
    forward.push(node);
    for (const t of made) active.add(t);
  }
  const needed = new Set<Tensor>([loss]);
  const reached: Node[] = [];
  const missing: string[] = [];
  for (const node of forward.reverse()) {
    if (!results(node).some((t) => needed.has(t))) continue;
    if (!node.op.vjp || node.gradient) {
      missing.push(node.label);
      continue;
    }
    reached.push(node);
    for (const t of onPath.get(node)!) needed.add(t);
  }
  return { reached, missing };
}
