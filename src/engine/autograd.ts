// SPDX-License-Identifier: MIT
// The reverse walk: from a scalar loss back to parameters, over the nodes of the trace being made.
import { expectArguments, instance, iterable, listOf } from '../check.ts';
import { MissingGradientError, ShapeError, VoxelgradError } from '../errors.ts';
import { onDevice } from '../gpu/device.ts';
import { accumulate } from './pointwise.ts';
import type { Thunk } from './lower.ts';
import { scope } from './scope.ts';
import { historyOf, type Recorded } from './tape.ts';
import { full, setCreationHook, Tensor } from './tensor.ts';
import { currentTrace, gradients, named, type Node } from './trace.ts';

/** Gradients by parameter. A parameter that the loss does not depend on has none. */
export type Grads = ReadonlyMap<Tensor, Tensor>;

const aTensor = instance('a tensor', Tensor);

/** Gradients of `loss` (one element) by `params`, as ops of the trace. @throws MissingGradientError naming every op that has none */
export function backward(loss: Tensor, params: Iterable<Tensor>): Grads {
  expectArguments('backward', { loss: aTensor, params: iterable }, [loss, params]);
  const wanted = new Set(params);
  expectArguments('backward', { params: listOf(aTensor) }, [[...wanted]]);
  const trace = currentTrace();
  if (!trace)
    throw new VoxelgradError(
      'TRACE',
      'backward: called outside of a traced step.',
      'Call it inside the function given to compile() or evaluate(); of eager tensors it is loss.backward().',
    );
  expectScalar(loss);
  for (const t of [loss, ...wanted]) trace.expectOwn('backward', t);
  return walk(trace.nodes, wanted, loss);
}

/**
 * `loss.backward()` outside of a traced step: adds the gradient of each tensor that requires one to its `grad`, by the same walk, and frees
 * what the calls had saved. @throws VoxelgradError TRACE in a step, ORDER for a second time or where nothing requires a gradient;
 * ShapeError, MissingGradientError
 */
export function backwardNow(loss: Tensor): void {
  const where = `backward: loss${loss.name ? ` ${loss.name}` : ''} [${loss.shape}]`;
  if (currentTrace() ?? loss.node)
    throw new VoxelgradError(
      'TRACE',
      `${where}: loss.backward() is for eager tensors, got it in a traced step.`,
      'There it is backward(loss, net.parameters()).',
    );
  const { device } = loss.storage;
  expectScalar(loss);
  const { calls, leaves } = historyOf(loss);
  if (leaves.size === 0)
    throw new VoxelgradError(
      'ORDER',
      `${where}: depends on no tensor that requires a gradient.`,
      'Set requiresGrad on what goes in, and compute the loss outside of noGrad() and detach().',
    );
  const gone = calls.find((call) => !call.saved);
  if (gone)
    throw new VoxelgradError(
      'ORDER',
      `${where}: got a second backward() through ${gone.label}, expected one, which frees what it needs.`,
      'Compute the loss anew, or add losses that share a part and call backward() of the sum.',
    );
  for (const call of calls) call.retain(); // each stays until it is walked, though the last that needs it may be done before
  try {
    onDevice(device, () => {
      scope(() => {
        const grads = walk(calls, leaves, loss, (call, dropped) => {
          for (const t of dropped) t.dispose();
          (call as Recorded).forget();
        });
        addTo(grads);
      });
    });
  } finally {
    for (const call of calls) {
      call.forget();
      call.release();
    }
  }
}

/** A gradient outlives the scope that backward() is called in, and two of them may be one tensor. */
function addTo(grads: Grads): void {
  const hook = setCreationHook(null);
  try {
    for (const [leaf, g] of grads) {
      const before = leaf.grad;
      const sum = before && gradients(() => accumulate(before, g));
      leaf.grad = new Tensor({ shape: leaf.shape, dtype: g.dtype }, (sum ?? g).storage.retain());
      before?.dispose();
      sum?.dispose();
    }
  } finally {
    setCreationHook(hook);
  }
}

function expectScalar(loss: Tensor): void {
  if (loss.size !== 1)
    throw new ShapeError(`backward: loss has shape [${loss.shape}], expected one element.`, 'Reduce it with sum() or mean().');
}

/** Gradients of `loss` over `nodes`. After each node `done` is told, where memory is not planned, which gradients nothing reads more. */
function walk(
  nodes: readonly Node[],
  wanted: ReadonlySet<Tensor>,
  loss: Tensor,
  done?: (node: Node, dropped: readonly Tensor[]) => void,
): Grads {
  const { reached, missing } = dependants(nodes, wanted, loss);
  if (missing.length > 0) {
    throw new MissingGradientError(
      `backward: no gradient for ${missing.join(', ')}.`,
      'Give the op a vjp, or call it inside noGrad(); gradients of gradients are not built.',
    );
  }
  const grads = new Map<Tensor, Tensor>();
  return gradients(() => {
    grads.set(loss, full(loss.shape, 1, { dtype: loss.dtype }));
    for (const node of reached) {
      const outGrads = node.outputs.map((t) => grads.get(t) ?? null);
      if (outGrads.every((g) => g === null)) continue;
      for (const t of node.outputs) if (!wanted.has(t)) grads.delete(t);
      const read = outGrads.filter((g) => g !== null);
      scope(() => {
        read.push(...addGradients(node, outGrads, wanted, grads));
        return done && [...grads.values()];
      });
      if (!done) continue;
      const held = new Set(grads.values());
      done(
        node,
        read.filter((g) => !held.has(g)),
      );
    }
    return new Map([...wanted].filter((p) => grads.has(p)).map((p) => [p, grads.get(p)!]));
  });
}

/** Adds what a node hands to its inputs. Returns the sums that were replaced. */
function addGradients(node: Node, outGrads: readonly (Tensor | null)[], wanted: ReadonlySet<Tensor>, grads: Map<Tensor, Tensor>): Tensor[] {
  const { inputs, outputs } = node.saved ?? node;
  const thunks: (Thunk | null)[] = node.op.vjp!({ inputs, outputs, attrs: node.attrs, grads: outGrads });
  return node.inputs.flatMap((input, i) => {
    const thunk = thunks[i];
    if (!input || !thunk || !(wanted.has(input) || ((input.node ?? input.history) && onPath.get(node)?.has(input)))) return [];
    return named(`grad(${node.label})`, () => {
      const g = thunk();
      if (g.size !== input.size)
        throw new ShapeError(`${node.label}: gradient of input ${i} has shape [${g.shape}], expected [${input.shape}].`);
      const before = grads.get(input);
      grads.set(input, before ? accumulate(before, g) : g);
      return before ?? [];
    });
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
