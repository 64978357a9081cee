// SPDX-License-Identifier: MIT
// Message passing within and between two graphs of nodes (SA-Net eq. 2 and 3): attention coefficients per relation, then A Z.
import { fields, integer, maybe, scalar } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, grid1d, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { bilateral_adjacency, bilateral_dreceiver, bilateral_dsource } from '../gen/bilateral_graph.ts';
import { concat } from './layout.ts';
import { matmul } from './matmul.ts';

interface Attrs {
  readonly first: number;
  readonly slope: number;
}

const params = ({ shape }: { shape: readonly number[] }, { first, slope }: Attrs) => ({
  rows: shape[0] * shape[1],
  nodes: shape[1],
  first,
  slope,
});

const adjacency = defineOp({
  name: 'bilateral_adjacency',
  call: (terms: Tensor, attrs: Attrs) => ({ inputs: [terms], attrs }),
  infer: ([terms]) => ({
    shape: [terms.shape[0], terms.shape[1], terms.shape[1]],
    dtype: expectDType('bilateralGraphConv', [terms], 'f32', 'f16'),
  }),
  lower(c) {
    const terms = c.inputs[0];
    const p = params(terms, c.attrs);
    return [dispatch(bilateral_adjacency, { terms, y: c.outputs[0] }, p, grid1d(Math.ceil(p.rows / 8)), { spec: { T: terms.dtype } })];
  },
  vjp: ({ inputs: [terms], outputs: [y], grads: [g], attrs }): Thunk[] => [() => adjacencyGrad(terms, y, g, attrs)],
});

const adjacencyGrad = defineOp({
  name: 'bilateral_adjacency_grad',
  call: (terms: Tensor, y: Tensor, dy: Tensor, attrs: Attrs) => ({ inputs: [terms, y, dy], attrs }),
  infer: ([terms]) => terms,
  lower(c) {
    const [terms, y, dy] = c.inputs;
    const p = params(terms, c.attrs);
    const bindings = { terms, adjacency: y, dy, dot: c.scratch([p.rows]), dterms: c.outputs[0] };
    return [bilateral_dreceiver, bilateral_dsource].map((kernel) =>
      dispatch(kernel, bindings, p, grid1d(Math.ceil(p.rows / 8)), { spec: { T: terms.dtype } }),
    );
  },
});

const TAKES = { z: aTensor, p: aTensor, q: aTensor, options: maybe(fields({ slope: maybe(scalar), first: maybe(integer(0)) })) };

/**
 * Adjacency [S, N, N] of nodes z [S, N, d], the first N / 2 (or `first`) of which are graph s, the rest graph b: row i holds the
 * normalised coefficients of node i's sources, e = LeakyReLU(p_r . z_i + q_r . z_j). `p` and `q` are [4, d], one vector for each
 * relation source -> receiver in the order s -> s, b -> s, s -> b, b -> b.
 */
export const bilateralAdjacency = door(
  'bilateralAdjacency',
  TAKES,
  (z: Tensor, p: Tensor, q: Tensor, { slope = 0.2, first = z.shape[1] / 2 }: { slope?: number; first?: number } = {}): Tensor => {
    const d = z.shape.at(-1)!;
    if (
      z.shape.length !== 3 ||
      [p, q].some((t) => t.shape.length !== 2 || t.shape[0] !== 4 || t.shape[1] !== d) ||
      !Number.isInteger(first)
    ) {
      throw new ShapeError(
        `bilateralGraphConv: got nodes [${z.shape}], p [${p.shape}], q [${q.shape}], first ${first}, expected [S, N, ${d}], [4, ` +
          `${d}], [4, ${d}].`,
      );
    }
    return adjacency(matmul(z, concat([p, q], { axis: 0 }), { transB: true }), { first, slope });
  },
);

/** A Z [S, N, d]: every node's sum of its sources' features, weighted by `bilateralAdjacency`. */
export const bilateralGraphConv = door(
  'bilateralGraphConv',
  TAKES,
  (z: Tensor, p: Tensor, q: Tensor, options: { slope?: number; first?: number } = {}): Tensor => {
    return matmul(bilateralAdjacency(z, p, q, options), z);
  },
);
