// SPDX-License-Identifier: MIT
// Nested objects and arrays with tensors or specs at the leaves: what steps take and return.

export type Tree<L> = L | readonly Tree<L>[] | { readonly [key: string]: Tree<L> };

/** Replaces every leaf, keeping the nesting. `path` names the leaf, e.g. `batch.image`. */
export function mapTree<L, M>(tree: Tree<L>, isLeaf: (x: unknown) => boolean, f: (leaf: L, path: string) => M, path = ''): Tree<M> {
  if (isLeaf(tree)) return f(tree as L, path);
  if (Array.isArray(tree)) return tree.map((t: Tree<L>, i) => mapTree(t, isLeaf, f, `${path}[${i}]`));
  return Object.fromEntries(Object.entries(tree as Record<string, Tree<L>>).map(([k, t]) => [k, mapTree(t, isLeaf, f, path ? `${path}.${k}` : k)]));
}
