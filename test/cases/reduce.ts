// SPDX-License-Identifier: MIT
import * as op from '../../src/ops/reduce.ts';
import { logSoftmax, softmax } from '../../src/ops/softmax.ts';
import { cumprod, cumsum } from '../../src/ops/cumsum.ts';
import { all, any } from '../../src/ops/logic.ts';
import * as moments from '../../src/ops/moments.ts';
import { expand } from '../../src/ops/expand.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { input as x, type Family } from './case.ts';

export const reduce: Family = {
  sum: [
    { name: 'all', inputs: [x([7, 9, 5])], call: (a) => op.sum(a), torch: 'a.sum()' },
    { name: 'last axis', inputs: [x([7, 65])], call: (a) => op.sum(a, { axes: -1 }), torch: 'a.sum(-1)', f16: true },
    { name: 'first axis', inputs: [x([63, 7])], call: (a) => op.sum(a, { axes: 0, keepDims: true }), torch: 'a.sum(0, keepdim=True)' },
    { name: 'outer and inner', inputs: [x([3, 5, 7])], call: (a) => op.sum(a, { axes: [0, 2] }), torch: 'a.sum((0, 2))' },
    { name: 'long', inputs: [x([3, 5000])], call: (a) => op.sum(a, { axes: 1 }), torch: 'a.sum(1)', bench: true },
    { name: 'i32', inputs: [x([7, 65], { below: 1000, dtype: 'i32' })], call: (a) => op.sum(a, { axes: 1 }), torch: 'a.sum(1)', grad: [] },
    { name: 'axis of one', inputs: [x([7, 1])], call: (a) => op.sum(a, { axes: 1 }), torch: 'a.sum(1)' },
  ],
  mean: [
    { name: 'all', inputs: [x([7, 9, 5], { offset: 1 })], call: (a) => op.mean(a), torch: 'a.mean()' },
    { name: 'pixels', inputs: [x([2, 7, 9, 4])], call: (a) => op.mean(a, { axes: [1, 2] }), torch: 'a.mean((1, 2))', f16: true },
  ],
  max: [
    { name: 'last axis', inputs: [x([7, 65])], call: (a) => op.max(a, { axes: -1 }), torch: 'a.amax(-1)', step: 1e-4 },
    { name: 'long', inputs: [x([2, 5000])], call: (a) => op.max(a, { axes: 1 }), torch: 'a.amax(1)', step: 1e-5 },
    { name: 'ties', inputs: [x([63, 7], { below: 4 })], call: (a) => op.max(a, { axes: 0 }), torch: 'a.amax(0)', jumps: true },
  ],
  min: [{ name: 'two axes', inputs: [x([7, 5, 9])], call: (a) => op.min(a, { axes: [0, 1] }), torch: 'a.amin((0, 1))', step: 1e-4 }],
  prod: [{ name: 'last axis', inputs: [x([7, 9], { scale: 0.5, offset: 1 })], call: (a) => op.prod(a, { axes: 1 }), torch: 'a.prod(1)' }],
  sumSquares: [{ name: 'last axis', inputs: [x([7, 65])], call: (a) => op.sumSquares(a, { axes: 1 }), torch: '(a ** 2).sum(1)' }],
  sumAbs: [{ name: 'last axis', inputs: [x([7, 65])], call: (a) => op.sumAbs(a, { axes: 1 }), torch: 'a.abs().sum(1)' }],
  cumsum: [
    { name: 'last axis', inputs: [x([7, 65])], call: (a) => cumsum(a, { axis: -1 }), torch: 'a.cumsum(-1)', f16: true },
    {
      name: 'middle axis from the end',
      inputs: [x([3, 63, 5])],
      call: (a) => cumsum(a, { axis: 1, reverse: true }),
      torch: 'a.flip(1).cumsum(1).flip(1)',
    },
    { name: 'without itself', inputs: [x([9, 4])], call: (a) => cumsum(a, { axis: 0, exclusive: true }), torch: 'a.cumsum(0) - a' },
  ],
  cumprod: [
    { name: 'last axis', inputs: [x([7, 65], { scale: 0.5, offset: 1 })], call: (a) => cumprod(a, { axis: -1 }), torch: 'a.cumprod(-1)' },
    {
      name: 'zeros, from the end',
      inputs: [x([9, 7], { below: 3 })],
      call: (a) => cumprod(a, { axis: 0, reverse: true }),
      torch: 'a.flip(0).cumprod(0).flip(0)',
    },
  ],
  variance: [
    { name: 'all', inputs: [x([7, 9, 5], { offset: 3 })], call: (a) => moments.variance(a), torch: 'a.var()' },
    {
      name: 'pixels, biased',
      inputs: [x([2, 7, 9, 4])],
      call: (a) => moments.variance(a, { axes: [1, 2], correction: 0 }),
      torch: 'a.var((1, 2), correction=0)',
      f16: true,
    },
  ],
  std: [
    {
      name: 'last axis',
      inputs: [x([7, 65], { offset: 100 })],
      call: (a) => moments.std(a, { axes: -1, keepDims: true }),
      torch: 'a.std(-1, keepdim=True)',
    },
    {
      name: 'rows of zeros',
      inputs: [x([7, 9], { zeroRows: 2 })],
      call: (a) => moments.std(a, { axes: 1 }),
      torch: 'a.std(1)',
      jumps: true,
    },
  ],
  norm: [
    { name: 'all', inputs: [x([7, 9, 5])], call: (a) => moments.norm(a), torch: 'torch.linalg.vector_norm(a)' },
    {
      name: 'rows of zeros',
      inputs: [x([7, 65], { zeroRows: 2 })],
      call: (a) => moments.norm(a, { axes: 1 }),
      torch: 'torch.linalg.vector_norm(a, dim=1)',
      f16: true,
      jumps: true,
    },
    ...[0.5, 1.5, 3, -2].map((p) => ({
      name: `p ${p}`,
      inputs: [x([5, 7], { zeroRows: p > 0 ? 1 : 0 })],
      call: (a: Tensor) => moments.norm(a, { p, axes: 1, keepDims: true }),
      torch: `torch.linalg.vector_norm(a, ${p}, dim=1, keepdim=True)`,
      jumps: true,
    })),
    {
      name: 'p 1',
      inputs: [x([5, 7])],
      call: (a) => moments.norm(a, { p: 1, axes: 0 }),
      torch: 'torch.linalg.vector_norm(a, 1, dim=0)',
      step: 1e-4,
    },
    {
      name: 'p 0',
      inputs: [x([5, 7], { below: 3 })],
      call: (a) => moments.norm(a, { p: 0, axes: 0 }),
      torch: 'torch.linalg.vector_norm(a, 0, dim=0)',
      grad: [],
      jumps: true,
    },
    {
      name: 'largest of ties',
      inputs: [x([5, 7], { below: 3 })],
      call: (a) => moments.norm(a, { p: Infinity, axes: 0 }),
      torch: "torch.linalg.vector_norm(a, float('inf'), dim=0)",
      jumps: true,
    },
    {
      name: 'smallest',
      inputs: [x([5, 7])],
      call: (a) => moments.norm(a, { p: -Infinity, axes: 1 }),
      torch: "torch.linalg.vector_norm(a, -float('inf'), dim=1)",
      step: 1e-4,
    },
  ],
  logsumexp: [
    {
      name: 'last axis, far from zero',
      inputs: [x([7, 65], { scale: 4, offset: 500 })],
      call: (a) => moments.logsumexp(a, { axes: -1 }),
      torch: 'a.logsumexp(-1)',
    },
    {
      name: 'two axes',
      inputs: [x([3, 63, 5], { scale: 4 })],
      call: (a) => moments.logsumexp(a, { axes: [0, 2], keepDims: true }),
      torch: 'a.logsumexp((0, 2), keepdim=True)',
      f16: true,
    },
  ],
  any: [
    { name: 'last axis', inputs: [x([63, 7], { below: 1.2 })], call: (a) => any(a, { axes: 1 }), torch: 'a.any(1)', grad: [], jumps: true },
    { name: 'all, i32', inputs: [x([7, 9], { below: 2, dtype: 'i32' })], call: (a) => any(a), torch: 'a.any()', grad: [], jumps: true },
  ],
  all: [
    {
      name: 'last axis',
      inputs: [x([63, 7], { below: 9 })],
      call: (a) => all(a, { axes: 1, keepDims: true }),
      torch: 'a.all(1, keepdim=True)',
      grad: [],
      jumps: true,
    },
    { name: 'all, u32', inputs: [x([7, 9], { below: 99, dtype: 'u32' })], call: (a) => all(a), torch: 'a.all()', grad: [], jumps: true },
  ],
  countNonzero: [
    {
      name: 'last axis',
      inputs: [x([7, 65], { below: 3 })],
      call: (a) => op.countNonzero(a, { axes: 1 }),
      torch: '(a != 0).sum(1).double()',
      grad: [],
      jumps: true,
    },
  ],
  argmax: [
    { name: 'last axis', inputs: [x([7, 65])], call: (a) => op.argmax(a), torch: 'a.argmax(-1)', grad: [], jumps: true },
    {
      name: 'long, first of equals',
      inputs: [x([3, 5000], { below: 900 })],
      call: (a) => op.argmax(a),
      torch: 'first_max(a, -1)',
      grad: [],
      jumps: true,
    },
    {
      name: 'first of equals',
      inputs: [x([7, 65, 3], { below: 4 })],
      call: (a) => op.argmax(a, { axis: 1 }),
      torch: 'first_max(a, 1)',
      grad: [],
      jumps: true,
    },
  ],
  argmin: [
    {
      name: 'first axis',
      inputs: [x([65, 7])],
      call: (a) => op.argmin(a, { axis: 0, keepDims: true }),
      torch: 'a.argmin(0, keepdim=True)',
      grad: [],
      jumps: true,
    },
  ],
  sumTo: [
    { name: 'lead and middle', inputs: [x([2, 3, 5, 7])], call: (a) => op.sumTo(a, [3, 1, 7]), torch: 'a.sum((0, 2)).reshape(3, 1, 7)' },
  ],
  expand: [
    { name: 'lead and middle', inputs: [x([3, 1, 7])], call: (a) => expand(a, [2, 3, 5, 7]), torch: 'a.expand(2, 3, 5, 7)', f16: true },
    {
      name: 'a row and a column of 65',
      inputs: [x([1, 65]), x([65, 1])],
      call: (a, b) => [expand(a, [7, 65]), expand(b, [65, 63])],
      torch: '[a.expand(7, 65), b.expand(65, 63)]',
    },
  ],
  softmax: [
    { name: 'last axis', inputs: [x([7, 65], { scale: 4 })], call: (a) => softmax(a), torch: 'a.softmax(-1)', f16: true, bench: true },
    { name: 'middle axis', inputs: [x([3, 63, 5], { scale: 4 })], call: (a) => softmax(a, 1), torch: 'a.softmax(1)', f16: true },
    { name: 'far from zero', inputs: [x([5, 7], { scale: 4, offset: 500 })], call: (a) => softmax(a), torch: 'a.softmax(-1)' },
    { name: 'axis of one', inputs: [x([7, 1])], call: (a) => softmax(a), torch: 'a.softmax(-1)' },
  ],
  logSoftmax: [
    { name: 'last axis', inputs: [x([7, 65], { scale: 4 })], call: (a) => logSoftmax(a), torch: 'a.log_softmax(-1)', f16: true },
    { name: 'first axis', inputs: [x([63, 4], { scale: 4 })], call: (a) => logSoftmax(a, 0), torch: 'a.log_softmax(0)' },
  ],
};
