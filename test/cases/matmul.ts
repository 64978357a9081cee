// SPDX-License-Identifier: MIT
import { linear, matmul, type MatmulOptions } from '../../src/ops/matmul.ts';
import { einsum } from '../../src/ops/einsum.ts';
import { input as x, type Case, type Family } from './case.ts';

const product = (name: string, a: number[], b: number[], torch: string, options: MatmulOptions = {}, more: Partial<Case> = {}): Case => ({
  name,
  inputs: [x(a), x(b)],
  call: (p, q) => matmul(p, q, options),
  torch,
  ...more,
});
const sums = (name: string, equation: string, a: number[], b: number[], more: Partial<Case> = {}): Case => ({
  name,
  inputs: [x(a), x(b)],
  call: (p, q) => einsum(equation, p, q),
  torch: `torch.einsum('${equation}', a, b)`,
  ...more,
});
const ACTIVATIONS = { relu: 'F.relu', gelu: 'F.gelu', sigmoid: 'torch.sigmoid', silu: 'F.silu' } as const;

export const products: Family = {
  matmul: [
    product('7 x 63 x 65', [7, 63], [63, 65], 'a @ b', {}, { f16: true }),
    product('left transposed', [63, 7], [63, 65], 'a.mT @ b', { transA: true }, { f16: true }),
    product('right transposed', [7, 63], [65, 63], 'a @ b.mT', { transB: true }, { f16: true }),
    product('both transposed', [63, 7], [65, 63], 'a.mT @ b.mT', { transA: true, transB: true }),
    product('one by one', [1, 1], [1, 1], 'a @ b'),
    product('a row and a column', [1, 65], [65, 1], 'a @ b'),
    product('a column and a row', [65, 1], [1, 63], 'a @ b'),
    product('long inner axis', [3, 5000], [5000, 5], 'a @ b'),
    product('batch', [3, 7, 9], [3, 9, 5], 'a @ b'),
    product('batch, both transposed', [3, 9, 7], [3, 5, 9], 'a.mT @ b.mT', { transA: true, transB: true }),
    product('one right matrix', [2, 3, 7, 9], [9, 5], 'a @ b'),
    product('one left matrix, transposed', [9, 7], [3, 9, 5], 'a.mT @ b', { transA: true }),
    product('crossed batches', [3, 1, 7, 9], [4, 9, 5], 'a @ b'),
    product('three batch strides', [2, 1, 3, 4, 5], [1, 4, 1, 5, 3], 'a @ b'),
    product('three batch strides, the smaller one whole', [5, 1, 7, 3], [2, 5, 4, 3, 1], 'a @ b'),
    product('128 cubed', [128, 128], [128, 128], 'a @ b', {}, { bench: true }),
    { name: 'bias', inputs: [x([7, 9]), x([9, 5]), x([5])], call: (a, b, c) => matmul(a, b, { bias: c }), torch: 'a @ b + c', f16: true },
    ...Object.entries(ACTIVATIONS).map(([activation, f]): Case => ({
      name: `bias and ${activation}`,
      inputs: [x([7, 9]), x([9, 5]), x([5])],
      call: (a, b, c) => matmul(a, b, { bias: c, activation: activation as keyof typeof ACTIVATIONS }),
      torch: `${f}(a @ b + c)`,
      step: 2e-4,
    })),
  ],
  einsum: [
    sums('product of matrices', 'bij,bjk->bik', [2, 5, 7], [2, 7, 9], { f16: true }),
    sums('transposed result', 'bij,bjk->kbi', [2, 5, 7], [2, 7, 9]),
    sums('heads', 'bthd,bshd->bhts', [2, 9, 3, 4], [2, 7, 3, 4]),
    sums('outer', 'i,j', [7], [9]),
    sums('elementwise, summed', 'ij,ij->i', [7, 9], [7, 9]),
    sums('implicit order', 'ba,bc', [7, 5], [7, 3]),
    sums('ellipsis broadcasts', '...ij,...jk->...ik', [3, 1, 5, 7], [2, 7, 4]),
    sums('axes of one broadcast', 'ij,jk->ik', [5, 1], [7, 3]),
    sums('a label of one operand', 'ij,k->k', [5, 7], [3]),
    { name: 'trace', inputs: [x([7, 7])], call: (a) => einsum('ii->', a), torch: "torch.einsum('ii->', a)" },
    { name: 'diagonals', inputs: [x([3, 7, 7])], call: (a) => einsum('bii->bi', a), torch: "torch.einsum('bii->bi', a)" },
    { name: 'transposed', inputs: [x([7, 9])], call: (a) => einsum('ij->ji', a), torch: "torch.einsum('ij->ji', a)" },
    {
      name: 'three operands',
      inputs: [x([5, 7]), x([7, 3, 4]), x([4, 5])],
      call: (a, b, c) => einsum('ij,jkl,li->ik', a, b, c),
      torch: "torch.einsum('ij,jkl,li->ik', a, b, c)",
    },
  ],
  linear: [
    {
      name: 'tokens',
      inputs: [x([2, 5, 63]), x([65, 63]), x([65])],
      call: (a, b, c) => linear(a, b, { bias: c }),
      torch: 'F.linear(a, b, c)',
      f16: true,
    },
    {
      name: 'no bias, GELU',
      inputs: [x([7, 8]), x([4, 8])],
      call: (a, b) => linear(a, b, { activation: 'gelu' }),
      torch: 'F.gelu(F.linear(a, b))',
    },
  ],
};
