// SPDX-License-Identifier: MIT
// Side effects as early as they can be, so that what they read need not be kept.
import { knownPlace, mutatedBy, rootOf } from './schedule.ts';
import type { Storage, Tensor } from './tensor.ts';
import type { Node } from './trace.ts';

/**
 * Moves ops that only overwrite memory (a gradient added to the optimiser's arena) to where what they read is complete. Whatever else
 * touches that memory keeps its side of them, so the bits stay those of the order given.
 */
export function hoist(nodes: readonly Node[], placed: ReadonlyMap<Tensor, Storage>): Node[] {
  /** Memory of a node's tensors that somebody writes during the step, temporaries apart. */
  const shared = new Set(
    [...placed.values(), ...nodes.flatMap(mutatedBy).flatMap((t) => knownPlace(t, placed) ?? [])].map((s) => s.buffer),
  );
  const memoryOf = (node: Node): Storage[] =>
    [...node.inputs, ...node.outputs].flatMap((t) => (t && knownPlace(t, placed)) ?? []).filter((s) => shared.has(s.buffer));

  const places: Node[][] = [[]]; // a node that stays, and behind it those that moved there; before the first, nobody
  const madeAt = new Map<Tensor, number>();
  const touches = new Map<GPUBuffer, { readonly storage: Storage; readonly at: number }[]>();
  for (const node of nodes) {
    const memory = memoryOf(node);
    let at = places.length;
    if (node.outputs.length > 0) {
      places.push([node]);
      if (!node.op.view) for (const t of node.outputs) madeAt.set(t, at);
    } else {
      at = Math.max(0, ...node.inputs.map((t) => (t && madeAt.get(rootOf(t))) ?? 0));
      for (const storage of memory)
        for (const t of touches.get(storage.buffer) ?? []) if (t.storage.overlaps(storage)) at = Math.max(at, t.at);
      places[at].push(node);
    }
    for (const storage of memory) {
      const list = touches.get(storage.buffer);
      if (list) list.push({ storage, at });
      else touches.set(storage.buffer, [{ storage, at }]);
    }
  }
  return places.flat();
}
