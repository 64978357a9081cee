// SPDX-License-Identifier: MIT
import { bilateralAdjacency, bilateralGraphConv } from '../../src/ops/bilateral_graph.ts';
import { edgeConvGather, neighbourMax } from '../../src/ops/edge_conv.ts';
import * as op from '../../src/ops/gather.ts';
import { graphConv } from '../../src/ops/graph_conv.ts';
import { oneHot } from '../../src/ops/one_hot.ts';
import { maxWithIndex, minWithIndex, topk } from '../../src/ops/topk.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { argsort, bincount, sort } from '../../src/ops/sort.ts';
import { input as x, type CaseInput, type Family } from './case.ts';

const index = (shape: number[], below: number, dtype: 'u32' | 'i32' = 'u32'): CaseInput => x(shape, { below, dtype });
const both = ({ values, indices }: { values: Tensor; indices: Tensor }): Tensor[] => [values, indices];
const step = 1e-4;

export const gathers: Family = {
  gather: [
    {
      name: 'middle axis',
      inputs: [x([3, 7, 5]), index([3, 4, 5], 7)],
      call: (a, i) => op.gather(a, i, { axis: 1 }),
      torch: 'a.gather(1, b)',
      f16: true,
    },
    {
      name: 'last axis, i32',
      inputs: [x([7, 9]), index([7, 13], 9, 'i32')],
      call: (a, i) => op.gather(a, i, { axis: -1 }),
      torch: 'a.gather(1, b)',
    },
  ],
  scatterAdd: [
    {
      name: 'first axis',
      inputs: [x([9, 7]), index([9, 7], 5)],
      call: (a, i) => op.scatterAdd(a, i, { axis: 0, size: 5 }),
      torch: 'torch.zeros(5, 7).double().scatter_add(0, b, a)',
      f16: true,
    },
  ],
  indexSelect: [
    { name: 'rows', inputs: [x([7, 8]), index([13], 7)], call: (a, i) => op.indexSelect(a, i), torch: 'a[b]' },
    {
      name: 'middle axis by a table',
      inputs: [x([2, 7, 5]), index([3, 4], 7)],
      call: (a, i) => op.indexSelect(a, i, { axis: 1 }),
      torch: 'a[:, b]',
    },
  ],
  gatherRows: [
    {
      name: 'a table each',
      inputs: [x([3, 7, 5]), index([3, 4, 2], 7)],
      call: op.gatherRows,
      torch: 'torch.stack([t[i] for t, i in zip(a, b)])',
      f16: true,
    },
  ],
  embedding: [{ name: '65 rows', inputs: [index([3, 5], 65), x([65, 7])], call: op.embedding, torch: 'F.embedding(a, b)' }],
  oneHot: [{ name: '7 classes', inputs: [index([3, 5], 7)], call: (i) => oneHot(i, { classes: 7 }), torch: 'F.one_hot(a, 7).double()' }],
  topk: [
    { name: 'largest', inputs: [x([7, 65])], call: (a) => both(topk(a, 9)), torch: 'first_topk(a, 9, -1)', step, f16: true },
    {
      name: 'smallest, middle axis',
      inputs: [x([3, 9, 5])],
      call: (a) => both(topk(a, 4, { axis: 1, largest: false })),
      torch: 'first_topk(a, 4, 1, largest=False)',
      step,
    },
  ],
  maxWithIndex: [
    {
      name: 'first of equals',
      inputs: [x([7, 9], { below: 4 })],
      call: (a) => both(maxWithIndex(a, { axis: 1 })),
      torch: '[a.gather(1, first_max(a, 1)[:, None])[:, 0], first_max(a, 1)]',
      jumps: true,
    },
  ],
  minWithIndex: [
    {
      name: 'middle axis',
      inputs: [x([3, 7, 5])],
      call: (a) => both(minWithIndex(a, { axis: 1, keepDims: true })),
      torch: 'list(a.min(1, keepdim=True))',
      step,
    },
  ],
  edgeConvGather: [
    {
      name: '9 nodes, 4 neighbours',
      inputs: [x([2, 9, 5]), x([2, 7, 5]), index([2, 7, 4], 9)],
      call: edgeConvGather,
      torch: 'torch.stack([u[i] for u, i in zip(a, c)]) + b[:, :, None]',
      f16: true,
    },
  ],
  neighbourMax: [{ name: '5 neighbours', inputs: [x([2, 7, 5, 3])], call: neighbourMax, torch: 'a.amax(-2)', f16: true, step }],
  bilateralAdjacency: [
    {
      name: 'two graphs',
      inputs: [x([2, 14, 9]), x([4, 9]), x([4, 9])],
      call: (z, p, q) => bilateralAdjacency(z, p, q),
      torch: 'bilateral(a, b, c, 7, 0.2)',
      step: 1e-3,
    },
  ],
  bilateralGraphConv: [
    {
      name: 'two graphs',
      inputs: [x([2, 14, 9]), x([4, 9]), x([4, 9])],
      call: (z, p, q) => bilateralGraphConv(z, p, q),
      torch: 'bilateral(a, b, c, 7, 0.2) @ a',
      f16: true,
      step: 1e-3,
    },
    {
      name: 'graphs of different sizes',
      inputs: [x([1, 5, 3]), x([4, 3]), x([4, 3])],
      call: (z, p, q) => bilateralGraphConv(z, p, q, { first: 1, slope: 0.1 }),
      torch: 'bilateral(a, b, c, 1, 0.1) @ a',
      step: 1e-3,
    },
  ],
  sort: [
    {
      name: 'last axis',
      inputs: [x([7, 65])],
      call: (a) => {
        const { values, indices } = sort(a);
        return [values, indices];
      },
      torch: 'a.sort(stable=True)',
      f16: true,
      step: 1e-5,
    },
    {
      name: 'ties, descending',
      inputs: [x([3, 9, 5], { below: 4 })],
      call: (a) => sort(a, { axis: 1, descending: true }).values,
      torch: 'a.sort(stable=True, dim=1, descending=True).values',
      jumps: true,
    },
    { name: 'long', inputs: [x([2, 3000])], call: (a) => sort(a, { axis: 1 }).values, torch: 'a.sort(1).values', jumps: true },
  ],
  argsort: [
    {
      name: 'ties',
      inputs: [x([63, 7], { below: 5 })],
      call: (a) => argsort(a, { axis: 0 }),
      torch: 'a.argsort(dim=0, stable=True)',
      grad: [],
      jumps: true,
    },
    {
      name: 'i32, descending',
      inputs: [x([3, 33], { below: 9, dtype: 'i32' })],
      call: (a) => argsort(a, { descending: true }),
      torch: 'a.argsort(dim=1, descending=True, stable=True)',
      grad: [],
      jumps: true,
    },
    {
      name: 'u32, one element',
      inputs: [x([5, 1], { below: 9, dtype: 'u32' })],
      call: (a) => argsort(a),
      torch: 'a.argsort(1)',
      grad: [],
      jumps: true,
    },
  ],
  bincount: [
    {
      name: 'counts',
      inputs: [x([9, 65], { below: 7, dtype: 'u32' })],
      call: (a) => bincount(a, { length: 9 }),
      torch: 'a.reshape(-1).bincount(minlength=9)',
      grad: [],
      jumps: true,
    },
    {
      name: 'weights, prime',
      inputs: [x([67], { below: 7, dtype: 'i32' }), x([67])],
      call: (a, b) => bincount(a, { length: 8, weights: b }),
      torch: 'torch.zeros(8, dtype=b.dtype).index_add(0, a, b)',
      grad: [1],
    },
  ],
  graphConv: [
    { name: 'one adjacency', inputs: [x([7, 9]), x([3, 9, 5]), x([4, 5])], call: graphConv, torch: 'a @ b @ c.mT', f16: true },
    { name: 'an adjacency each', inputs: [x([2, 65, 63]), x([2, 63, 7]), x([9, 7])], call: graphConv, torch: 'a @ b @ c.mT' },
  ],
};
