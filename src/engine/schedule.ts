// SPDX-License-Identifier: MIT
// From a trace to an ordered list of kernel calls over abstract memory: dead nodes dropped, views resolved, lifetimes found.
import type { Caps } from '../gpu/caps.ts';
import { byteSize, type Spec } from './dtype.ts';
import { lowerCall, type Dispatch } from './lower.ts';
import type { Lifetime } from './plan.ts';
import { alike, AT_ONCE, isSum, straight, together, type Waiting } from './sums.ts';
import { Storage, type Tensor } from './tensor.ts';
import type { Node, Trace } from './trace.ts';

/** Memory of one binding: a fixed range, or a lifetime that the plan puts into a slot. */
export type Place = Storage | { readonly life: number };

export interface Step {
  readonly label: string;
  readonly dispatches: readonly Dispatch[];
  readonly flops: number;
  /** Touched, where that is less than what is bound. */
  readonly bytes?: number;
  place(dispatch: Dispatch, binding: string): Place;
  /** The dispatches of which steps it does, where that is not all of its own op's (beside.ts). */
  readonly calls?: readonly { readonly step: Step; readonly dispatch: Dispatch }[];
}

export interface Schedule {
  readonly steps: readonly Step[];
  readonly lifetimes: readonly Lifetime[];
  /** What each lifetime holds, for the report. */
  readonly names: readonly string[];
  placeOf(t: Tensor): Place;
}

/** Partial results that may wait for their sum, in bytes: adding up more takes longer than starting a dispatch. */
const MOST = 4 << 20;

/** The tensor whose memory a chain of views shares. */
export function rootOf(t: Tensor): Tensor {
  let root = t;
  while (root.node?.op.view) root = root.node.inputs[0]!;
  return root;
}

/** The memory a tensor is known to have before planning: its own, or where a gradient was placed. */
export function knownPlace(t: Tensor, placed: ReadonlyMap<Tensor, Storage>): Storage | undefined {
  const root = rootOf(t);
  return root.node ? placed.get(root) : root.storage;
}

/** Inputs that a node overwrites. */
export function mutatedBy(node: Node): Tensor[] {
  return (node.op.mutates?.(node.attrs) ?? []).flatMap((i) => node.inputs[i] ?? []);
}

/** Nodes that a result, a placed gradient or a side effect depends on, in program order. */
export function liveNodes(nodes: readonly Node[], results: Iterable<Tensor>, placed: ReadonlyMap<Tensor, Storage>): Node[] {
  const wanted = new Set<Tensor>(results);
  const live: Node[] = [];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    const acts = mutatedBy(node).length > 0;
    if (!acts && !node.outputs.some((t) => wanted.has(t) || placed.has(t))) continue;
    live.push(node);
    for (const t of node.inputs) if (t) wanted.add(t);
  }
  return live.reverse();
}

/** `fixed` gives results their own buffers; placed gradients come with the trace. */
export function schedule(trace: Trace, nodes: readonly Node[], fixed: ReadonlyMap<Tensor, Storage>, caps: Caps): Schedule {
  const lives: { bytes: number; first: number; last: number; name: string }[] = [];
  const places = new Map<Tensor, Place>();
  const placeOf = (t: Tensor): Place => {
    const root = rootOf(t);
    if (!root.node) return root.storage;
    const known = places.get(root);
    if (!known) throw new Error(`schedule: ${root.node.label} has no place`);
    return known;
  };
  const claim = (s: Spec, at: number, name: string): Place => {
    lives.push({ bytes: byteSize(s), first: at, last: at, name });
    return { life: lives.length - 1 };
  };
  // A placed view places its root: the producer writes straight into the range.
  const given = new Map<Tensor, Storage>(fixed);
  for (const [t, storage] of trace.placed) given.set(rootOf(t), storage);

  const steps: Step[] = [];
  let waiting: Waiting<Place>[] = [];
  const addWaiting = (): void => {
    if (waiting.length === 0) return;
    const { dispatch, bytes, place } = together(waiting);
    for (const { from } of waiting) if ('life' in from) lives[from.life].last = steps.length;
    steps.push({ label: 'sums of gradients', dispatches: [dispatch], bytes, flops: 0, place: (_, binding) => place(binding) });
    waiting = [];
  };
  const lower = (node: Node) => lowerCall(node.op, node.inputs, node.outputs, node.attrs, caps);
  const readers = new Map<Tensor, Node[]>();
  for (const node of nodes)
    for (const t of node.op.view ? [] : node.inputs) if (t) readers.set(rootOf(t), [...(readers.get(rootOf(t)) ?? []), node]);
  /** Whether a gradient is only added to others, which hoist() has put right behind what makes it. */
  const isAdded = (t: Tensor): boolean => {
    const [reader, ...others] = readers.get(t) ?? [];
    return others.length === 0 && reader?.outputs.length === 0 && isSum(lower(reader).dispatches[0]);
  };
  /** Sums that are left to the one that adds them to others, by the lifetime which they would fill. */
  const left = new Map<number, { sum: Dispatch; from: { readonly life: number } }>();
  for (const node of nodes) {
    if (node.op.view) continue;
    const read = node.inputs.flatMap((t) => (t ? placeOf(t) : []));
    if (waiting.some(({ to }) => read.some((place) => place instanceof Storage && place.overlaps(to)))) addWaiting();
    const at = steps.length;
    const { dispatches: all, scratch } = lower(node);
    const inputs = node.inputs.map((t) => {
      const place = t && placeOf(t);
      if (place && 'life' in place) lives[place.life].last = at;
      return place;
    });
    const outputs = node.outputs.map((t) => {
      const place = given.get(t) ?? claim(t, at, node.label);
      places.set(t, place);
      return place;
    });
    const temporaries = scratch.map((s) => claim(s, at, `${node.label} scratch`));
    const dispatches = [...all];
    const step: Step = {
      label: node.label,
      dispatches,
      flops: (all.length > 0 && node.op.flops?.(node.inputs, node.outputs, node.attrs)) || 0,
      place(d, binding) {
        const ref = d.bindings[binding];
        const found = ref && (ref.role === 'input' ? inputs : ref.role === 'output' ? outputs : temporaries)[ref.index];
        if (!found) throw new Error(`${node.label}: ${d.def.entry} needs binding ${binding}`);
        return found;
      },
    };
    steps.push(step);
    while (isSum(dispatches.at(-1))) {
      let sum = dispatches.at(-1)!;
      let [from, to] = [step.place(sum, 'x0'), step.place(sum, 'y')];
      if (!('life' in from) || lives[from.life].bytes > MOST) break;
      if ('life' in to) {
        if (sum.bindings.y.role !== 'output' || !isAdded(node.outputs[sum.bindings.y.index])) break;
        left.set(to.life, { sum, from });
        lives[to.life].bytes = 4; // nobody writes it
        dispatches.pop();
        continue;
      }
      const before = left.get(from.life);
      if (before) [sum, from] = [straight(before.sum, sum), before.from];
      dispatches.pop();
      const own = { sum, from, to };
      if (waiting.length === AT_ONCE || !waiting.every((w) => alike(w, own))) addWaiting();
      waiting.push(own);
    }
  }
  addWaiting();
  return { steps, lifetimes: lives, names: lives.map((l) => l.name), placeOf };
}
