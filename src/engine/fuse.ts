// SPDX-License-Identifier: MIT
// Fusion: neighbouring nodes of a trace replaced by one. The only place where it happens.
// Pointwise chains: a producer read by one pointwise consumer alone is written into the consumer's expression. Products: what one such
// consumer computes of their result, if their kernels have it, they do on their way out. Sums read the two factors of what they add up.
// Pairs: two expressions that stand together.
import { numel } from './dtype.ts';
import type { Op } from './lower.ts';
import { byForm, lowerPointwise, MAX_CONSTS, MAX_INPUTS, type Expression } from './pointwise.ts';
import { knownPlace, mutatedBy, rootOf } from './schedule.ts';
import type { Storage, Tensor } from './tensor.ts';
import type { Node } from './trace.ts';

interface FusedAttrs extends Expression {
  readonly spec: { shape: readonly number[]; dtype: Tensor['dtype'] };
}

const fusedOp = {
  name: 'fused',
  call: () => {
    throw new Error('fused: made by fusion only');
  },
  infer: (_: unknown, a: FusedAttrs) => a.spec,
  lower: (c: Parameters<Op['lower']>[0]) => lowerPointwise(c, c.attrs as FusedAttrs),
  pointwise: (a: FusedAttrs) => a,
} as unknown as Op;

/** What a node overwrites. A producer absorbed over it would read too late. */
interface Write {
  readonly at: number;
  readonly roots: readonly Tensor[];
  readonly places: readonly Storage[];
}

interface Context {
  readonly uses: ReadonlyMap<Tensor, number>;
  /** Output -> the node that now makes it. */
  readonly made: ReadonlyMap<Tensor, Node>;
  readonly positions: ReadonlyMap<Node, number>;
  readonly writes: readonly Write[];
  readonly placed: ReadonlyMap<Tensor, Storage>;
  keep(t: Tensor): boolean;
}

interface Fused {
  readonly node: Node;
  readonly absorbed: Node;
}

/** `results` and `placed` gradients must exist in memory. */
export function fuse(nodes: readonly Node[], results: ReadonlySet<Tensor>, placed: ReadonlyMap<Tensor, Storage>): Node[] {
  const uses = new Map<Tensor, number>();
  for (const node of nodes) for (const t of node.inputs) if (t) uses.set(t, (uses.get(t) ?? 0) + 1);
  const made = new Map<Tensor, Node>();
  const positions = new Map<Node, number>();
  const context: Context = { uses, made, positions, writes: writesOf(nodes, placed), placed, keep: (t) => results.has(t) || placed.has(t) };
  const gone = new Set<Node>();
  const out: Node[] = [];
  for (const [at, original] of nodes.entries()) {
    let node = original;
    for (;;) {
      const next = node.op.pointwise ? (intoProduct(node, at, context) ?? absorbOne(node, at, context)) : intoSum(node, at, context);
      if (!next) break;
      gone.add(next.absorbed);
      node = next.node;
    }
    for (const t of node.outputs) made.set(t, node);
    positions.set(node, at);
    out.push(node);
  }
  return inPairs(
    out.filter((n) => !gone.has(n)),
    placed,
  );
}

function writesOf(nodes: readonly Node[], placed: ReadonlyMap<Tensor, Storage>): Write[] {
  return nodes.flatMap((node, at) => {
    const mutated = mutatedBy(node);
    const places = [...mutated, ...node.outputs.filter((t) => placed.has(t))].flatMap((t) => knownPlace(t, placed) ?? []);
    return mutated.length + places.length > 0 ? [{ at, roots: mutated.map(rootOf), places }] : [];
  });
}

/** What makes an input of `node`, if position `end` is as good a place for it: nobody else reads it, and what it reads still holds. */
function producerOf(t: Tensor | null, node: Node, end: number, { uses, made, positions, writes, placed, keep }: Context): Node | null {
  const producer = t && made.get(t);
  if (!producer || uses.get(t) !== 1 || keep(t)) return null;
  const output = node.outputs[0];
  // A smaller producer would be computed again for every element it is broadcast to; integers need their own evaluation type.
  if (numel(t.shape) < numel(output.shape) || [...producer.inputs, ...node.inputs, t, output].some((x) => x && x.dtype !== 'f32'))
    return null;
  // One dispatch must not bind a buffer both for reading and for writing.
  const arena = placed.get(output)?.buffer;
  if (arena && producer.inputs.some((x) => x && knownPlace(x, placed)?.buffer === arena)) return null;
  return overwritten(producer.inputs, positions.get(producer)!, end, writes, placed) ? null : producer;
}

/** Whether a node between two positions overwrites one of the tensors. */
function overwritten(
  tensors: readonly (Tensor | null)[],
  start: number,
  end: number,
  writes: readonly Write[],
  placed: ReadonlyMap<Tensor, Storage>,
): boolean {
  const between = writes.filter((w) => w.at > start && w.at < end);
  return tensors.some((x) => {
    const place = x && knownPlace(x, placed);
    return x && between.some((w) => w.roots.includes(rootOf(x)) || (place && w.places.some((p) => p.overlaps(place))));
  });
}

/** Writes one producer of `node` (position `end`) into its expression, if it may go. */
function absorbOne(node: Node, end: number, context: Context): Fused | null {
  const own = node.op.pointwise!(node.attrs);
  for (const [at, t] of node.inputs.entries()) {
    const producer = producerOf(t, node, end, context);
    const merged = producer?.op.pointwise && merge(node, own, at, producer, producer.op.pointwise(producer.attrs));
    if (merged) return { node: merged, absorbed: producer };
  }
  return null;
}

/** A product that computes what `node` would of its result and of at most one tensor like it; of two products the later one. */
function intoProduct(node: Node, end: number, context: Context): Fused | null {
  const { expr, consts } = node.op.pointwise!(node.attrs);
  if (consts.length > 0 || node.inputs.length > 2) return null;
  const { outputs, detached, gradient } = node;
  if (node.inputs.some((t) => String(t!.shape) !== String(outputs[0].shape))) return null;
  for (const at of [1, 0]) {
    const producer = producerOf(node.inputs[at] ?? null, node, end, context);
    const attrs = producer?.op.epilogue?.(producer.attrs, at === 0 ? expr : renamed(expr, 0, (i) => 'ba'[i]));
    if (!producer || !attrs) continue;
    const inputs = [...producer.inputs.slice(0, -1), node.inputs[1 - at] ?? null];
    return {
      node: { op: producer.op, inputs, outputs, attrs, detached, gradient, label: `${producer.label} + ${node.op.name}` },
      absorbed: producer,
    };
  }
  return null;
}

/** A sum of what two tensors give multiplied, element by element, of these. */
function intoSum(node: Node, end: number, context: Context): Fused | null {
  const [t, ...more] = node.inputs;
  if (!node.op.ofProduct || more.length > 0) return null;
  const absorbed = producerOf(t, node, end, context);
  if (absorbed?.op.pointwise?.(absorbed.attrs).expr !== 'a * b') return null;
  const { inputs } = absorbed;
  if (inputs.some((x) => String(x!.shape) !== String(t!.shape))) return null;
  return { node: { ...node, inputs, attrs: node.op.ofProduct(node.attrs), label: `${node.label} + ${absorbed.op.name}` }, absorbed };
}

function merge(node: Node, own: Expression, at: number, producer: Node, inner: Expression): Node | null {
  if (mentions(own.expr, at) > 1 && !/^[a-d]$/.test(inner.expr)) return null; // would be computed twice
  const inputs: (Tensor | null)[] = node.inputs.filter((_, i) => i !== at);
  const indexOf = (t: Tensor): number => {
    const found = inputs.indexOf(t);
    return found >= 0 ? found : inputs.push(t) - 1;
  };
  const innerAt = producer.inputs.map((t) => indexOf(t!));
  const ownAt = node.inputs.map((t, i) => (i === at ? -1 : inputs.indexOf(t)));
  const consts = [...own.consts, ...inner.consts];
  if (inputs.length > MAX_INPUTS || consts.length > MAX_CONSTS) return null;
  const shifted = renamed(inner.expr, own.consts.length, (i) => 'abcd'[innerAt[i]]);
  const expr = renamed(own.expr, 0, (i) => (i === at ? `(${shifted})` : 'abcd'[ownAt[i]]));
  const output = node.outputs[0];
  return {
    op: fusedOp,
    inputs,
    outputs: node.outputs,
    detached: node.detached,
    gradient: node.gradient,
    label: `${node.label} + ${producer.op.name}`,
    attrs: { expr, consts, spec: { shape: output.shape, dtype: output.dtype } } satisfies FusedAttrs,
  };
}

/** An expression with other names of its inputs, and its constants behind `shift` others. */
function renamed(expr: string, shift: number, nameOf: (input: number) => string): string {
  const constants = expr.replace(/\bp(\d)\b/g, (_, k: string) => `p${Number(k) + shift}`);
  return constants.replace(/\b[abcd]\b/g, (c) => nameOf('abcd'.indexOf(c)));
}

/** Nodes between two of a pair at most: the second result lives from the first one's place on. */
const NEAR = 16;

/** Two expressions of one shape over few tensors are one dispatch: the later one is computed where the earlier one is. */
function inPairs(nodes: readonly Node[], placed: ReadonlyMap<Tensor, Storage>): Node[] {
  const out = [...nodes];
  const madeAt = new Map<Tensor, number>(nodes.flatMap((node, at) => (node.op.view ? [] : node.outputs.map((t) => [t, at] as const))));
  const writes = writesOf(nodes, placed);
  const single = nodes.map(
    ({ op, inputs, outputs: [y, ...more] }) =>
      op.pointwise !== undefined &&
      more.length === 0 &&
      [...inputs, y].every((t) => t?.dtype === 'f32') &&
      byForm(inputs as Tensor[], y) &&
      !placed.has(y),
  );
  for (const [at, node] of nodes.entries()) {
    const [y] = node.outputs;
    for (let before = at - 1; single[at] && before >= Math.max(0, at - NEAR); before--) {
      const first = out[before];
      const [r] = first.outputs;
      if (!single[before] || String(r.shape) !== String(y.shape)) continue;
      if (node.inputs.some((t) => t !== r && (madeAt.get(rootOf(t!)) ?? -1) >= before)) continue;
      const [own, later] = [first.op.pointwise!(first.attrs), node.op.pointwise!(node.attrs)];
      const inputs = [...new Set([...first.inputs, ...node.inputs.filter((t) => t !== r)])];
      const consts = [...own.consts, ...later.consts];
      if (inputs.length > MAX_INPUTS || consts.length > MAX_CONSTS || overwritten(node.inputs, before, at, writes, placed)) continue;
      const expr = renamed(own.expr, 0, (i) => 'abcd'[inputs.indexOf(first.inputs[i])]);
      const second = renamed(later.expr, own.consts.length, (i) => (node.inputs[i] === r ? 'r' : 'abcd'[inputs.indexOf(node.inputs[i])]));
      const attrs = { expr, second, consts, spec: { shape: r.shape, dtype: r.dtype } } satisfies FusedAttrs;
      out[before] = { ...first, op: fusedOp, inputs, outputs: [r, y], attrs, label: `${first.label} | ${node.op.name}` };
      out[at] = { ...node, outputs: [] };
      madeAt.set(y, before);
      single[before] = single[at] = false;
    }
  }
  return out.filter((node, at) => node.outputs.length > 0 || nodes[at].outputs.length === 0);
}

function mentions(expr: string, input: number): number {
  return [...expr.matchAll(/\b[abcd]\b/g)].filter((m) => m[0] === 'abcd'[input]).length;
}
