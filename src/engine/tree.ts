// SPDX-License-Identifier: MIT
// Nested objects and arrays with tensors or specs at the leaves: what steps take and return.
import { shown } from '../check.ts';
import { VoxelgradError } from '../errors.ts';

export type Tree<L> = L | readonly Tree<L>[] | { readonly [key: string]: Tree<L> };

/** Replaces every leaf, keeping the nesting. `path` names the leaf, e.g. `batch.image`. @throws VoxelgradError USAGE naming `where` */
export function mapTree<L, M>(
  where: string,
  tree: Tree<L>,
  isLeaf: (x: unknown) => boolean,
  f: (leaf: L, path: string) => M,
  path = '',
): Tree<M> {
  if (isLeaf(tree)) return f(tree as L, path);
  if (Array.isArray(tree)) return tree.map((t: Tree<L>, i) => mapTree(where, t, isLeaf, f, `${path}[${i}]`));
  if (typeof tree !== 'object' || tree === null)
    throw new VoxelgradError(
      'USAGE',
      `${where}${path ? ` ${path}` : ''}: got ${shown(tree)}, expected tensors or arrays of numbers, alone or in objects and lists.`,
    );
  return Object.fromEntries(
    Object.entries(tree as Record<string, Tree<L>>).map(([k, t]) => [k, mapTree(where, t, isLeaf, f, path ? `${path}.${k}` : k)]),
  );
}
