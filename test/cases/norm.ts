// SPDX-License-Identifier: MIT
import { batchNorm, type BatchNormOptions } from '../../src/ops/batch_norm.ts';
import { globalResponseNorm } from '../../src/ops/global_response_norm.ts';
import { groupNorm, instanceNorm } from '../../src/ops/group_norm.ts';
import { l2Normalize, layerNorm, rmsNorm } from '../../src/ops/norm.ts';
import { input as x, type Case, type CaseInput, type Family } from './case.ts';

const gamma = (n: number): CaseInput => x([n], { scale: 0.5, offset: 1, wide: true });
const beta = (n: number): CaseInput => x([n], { wide: true });
const layer = (name: string, shape: number[], more: Partial<Case> = {}): Case => ({
  name,
  inputs: [x(shape, { scale: 2, offset: 0.5 }), gamma(shape.at(-1)!), beta(shape.at(-1)!)],
  call: (a, b, c) => layerNorm(a, b, c),
  torch: `F.layer_norm(a, (${shape.at(-1)},), b, c)`,
  ...more,
});

/** In training the running values are outputs too. */
const batch = (name: string, shape: number[], options: BatchNormOptions, more: Partial<Case> = {}): Case => {
  const c = shape.at(-1)!;
  const { training, momentum = 0.1, eps = 1e-5 } = options;
  return {
    name,
    inputs: [x(shape, { scale: 2, offset: 0.5 }), gamma(c), beta(c), x([c], { wide: true }), x([c], { scale: 0.5, offset: 1, wide: true })],
    call: (a, g, b, m, v) => (training ? [batchNorm(a, g, b, m, v, options), m, v] : batchNorm(a, g, b, m, v, options)),
    torch: `batch_norm(a, b, c, d, e, ${training ? 'True' : 'False'}, ${momentum}, ${eps})`,
    grad: [0, 1, 2],
    ...more,
  };
};

export const norm: Family = {
  layerNorm: [
    layer('65 channels', [7, 65], { f16: true }),
    layer('64 channels', [3, 5, 64], { bench: true }),
    layer('one row', [1, 63]),
    {
      name: 'no weights, eps',
      inputs: [x([5, 7])],
      call: (a) => layerNorm(a, null, null, { eps: 0.1 }),
      torch: 'F.layer_norm(a, (7,), eps=0.1)',
    },
    { name: 'far from zero', inputs: [x([5, 65], { offset: 100 })], call: (a) => layerNorm(a), torch: 'F.layer_norm(a, (65,))' },
    layer('many rows', [2100, 4]),
    {
      name: 'residual',
      inputs: [x([6, 36], { scale: 2, offset: 0.5 }), gamma(36), beta(36), x([6, 36])],
      call: (a, b, c, d) => layerNorm(a, b, c, { add: d }),
      torch: 'F.layer_norm(a, (36,), b, c) + d',
      f16: true,
    },
    {
      name: 'scale alone',
      inputs: [x([5, 12], { scale: 2, offset: 0.5 }), gamma(12)],
      call: (a, b) => layerNorm(a, b),
      torch: 'F.layer_norm(a, (12,), b)',
      f16: true,
    },
  ],
  rmsNorm: [
    {
      name: '65 channels',
      inputs: [x([7, 65]), gamma(65)],
      call: (a, b) => rmsNorm(a, b),
      torch: 'F.rms_norm(a, (65,), b, eps=1e-5)',
      f16: true,
    },
    {
      name: 'residual',
      inputs: [x([7, 12]), gamma(12)],
      call: (a, b) => rmsNorm(a, b, { add: a }),
      torch: 'F.rms_norm(a, (12,), b, eps=1e-5) + a',
    },
    { name: 'no weights, eps', inputs: [x([63, 8])], call: (a) => rmsNorm(a, null, { eps: 0.1 }), torch: 'F.rms_norm(a, (8,), eps=0.1)' },
  ],
  l2Normalize: [
    { name: '65 channels', inputs: [x([7, 65])], call: (a) => l2Normalize(a), torch: 'F.normalize(a, dim=-1)', f16: true },
    { name: 'rows of zeros', inputs: [x([5, 8], { zeroRows: 2 })], call: (a) => l2Normalize(a), torch: 'unit(a)', jumps: true },
  ],
  batchNorm: [
    batch('training', [2, 5, 7, 7], { training: true }, { f16: true }),
    batch('64 channels', [3, 4, 5, 64], { training: true, momentum: 0.3, eps: 1e-3 }, { bench: true }),
    batch('evaluation', [2, 5, 7, 7], { training: false }, { f16: true }),
    {
      ...batch('summand and ReLU', [2, 3, 5, 8], { training: true }),
      inputs: [...batch('', [2, 3, 5, 8], { training: true }).inputs, x([2, 3, 5, 8])],
      call: (a, g, b, m, v, z) => [batchNorm(a, g, b, m, v, { training: true, add: z, relu: true }), m, v],
      torch: 'batch_norm(a, b, c, d, e, True, 0.1, 1e-5, f, relu=True)',
      grad: [0, 1, 2, 5],
      step: 1e-4,
    },
    {
      ...batch('evaluation, summand and ReLU', [1, 3, 5, 7], { training: false }),
      inputs: [...batch('', [1, 3, 5, 7], { training: false }).inputs, x([1, 3, 5, 7])],
      call: (a, g, b, m, v, z) => batchNorm(a, g, b, m, v, { training: false, add: z, relu: true }),
      torch: 'batch_norm(a, b, c, d, e, False, 0.1, 1e-5, f, relu=True)',
      grad: [0, 1, 2, 5],
      step: 1e-4,
    },
    batch('tokens', [63, 5], { training: true }),
    {
      ...batch('three parts', [6, 5, 7, 8], { training: true, parts: 3 }),
      torch: 'batch_norm(a, b, c, d, e, True, 0.1, 1e-5, parts=3)',
      f16: true,
    },
    {
      ...batch('two parts, summand and ReLU', [4, 3, 5, 7], { training: true }),
      inputs: [...batch('', [4, 3, 5, 7], { training: true }).inputs, x([4, 3, 5, 7])],
      call: (a, g, b, m, v, z) => [batchNorm(a, g, b, m, v, { training: true, add: z, relu: true, parts: 2 }), m, v],
      torch: 'batch_norm(a, b, c, d, e, True, 0.1, 1e-5, f, relu=True, parts=2)',
      grad: [0, 1, 2, 5],
      step: 1e-4,
    },
    {
      ...batch('far from zero', [2, 63, 5], { training: true }),
      inputs: [x([2, 63, 5], { offset: 100 }), ...batch('', [2, 63, 5], { training: true }).inputs.slice(1)],
    },
  ],
  globalResponseNorm: [
    {
      name: 'two volumes',
      inputs: [x([2, 3, 5, 4, 6]), gamma(6), beta(6)],
      call: (a, b, c) => globalResponseNorm(a, b, c),
      torch: 'global_response_norm(a, b, c, 1e-6)',
      f16: true,
    },
    {
      name: 'positions in one axis, eps',
      inputs: [x([3, 7, 5]), gamma(5), beta(5)],
      call: (a, b, c) => globalResponseNorm(a, b, c, { eps: 0.1 }),
      torch: 'global_response_norm(a, b, c, 0.1)',
    },
    {
      name: 'a channel of zeros',
      inputs: [x([1, 4, 3], { values: [0, 1, 2, 0, -1, 0.5, 0, 0.25, -2, 0, 3, 1] }), gamma(3), beta(3)],
      call: (a, b, c) => globalResponseNorm(a, b, c),
      torch: 'global_response_norm(a, b, c, 1e-6)',
      jumps: true,
    },
  ],
  groupNorm: [
    {
      name: 'four groups',
      inputs: [x([2, 5, 7, 12]), gamma(12), beta(12)],
      call: (a, b, c) => groupNorm(a, b, c, { groups: 4 }),
      torch: 'last(F.group_norm(first(a), 4, b, c))',
      f16: true,
    },
    {
      name: 'one group, ReLU',
      inputs: [x([3, 9, 7]), gamma(7), beta(7)],
      call: (a, b, c) => groupNorm(a, b, c, { groups: 1, relu: true }),
      torch: 'last(F.group_norm(first(a), 1, b, c).relu())',
      step: 1e-4,
    },
    {
      name: 'summand, ReLU',
      inputs: [x([2, 5, 7, 12]), gamma(12), beta(12), x([2, 5, 7, 12])],
      call: (a, b, c, d) => groupNorm(a, b, c, { groups: 3, add: d, relu: true }),
      torch: 'last((F.group_norm(first(a), 3, b, c) + first(d)).relu())',
      step: 1e-4,
      f16: true,
    },
    {
      name: 'large groups',
      inputs: [x([2, 23, 25, 6]), gamma(6), beta(6)],
      call: (a, b, c) => groupNorm(a, b, c, { groups: 2 }),
      torch: 'last(F.group_norm(first(a), 2, b, c))',
    },
    {
      name: 'large groups, summand, ReLU',
      inputs: [x([2, 13, 21, 8]), gamma(8), beta(8), x([2, 13, 21, 8])],
      call: (a, b, c, d) => groupNorm(a, b, c, { groups: 2, add: d, relu: true }),
      torch: 'last((F.group_norm(first(a), 2, b, c) + first(d)).relu())',
      step: 1e-4,
    },
    {
      name: 'no weights, eps',
      inputs: [x([2, 3, 4, 5, 6])],
      call: (a) => groupNorm(a, null, null, { groups: 3, eps: 0.1 }),
      torch: 'last(F.group_norm(first(a), 3, eps=0.1))',
    },
  ],
  // Not F.instance_norm: gradcheck finds its gradient wrong for permuted volumes (PyTorch 2.13).
  instanceNorm: [
    {
      name: 'weights',
      inputs: [x([2, 5, 7, 8]), gamma(8), beta(8)],
      call: (a, b, c) => instanceNorm(a, b, c),
      torch: 'last(F.group_norm(first(a), 8, b, c))',
      f16: true,
    },
    { name: 'volume', inputs: [x([1, 3, 5, 7, 3])], call: (a) => instanceNorm(a), torch: 'last(F.group_norm(first(a), 3))' },
    {
      name: '65 channels, one row',
      inputs: [x([7, 1, 63, 65]), gamma(65), beta(65)],
      call: (a, b, c) => instanceNorm(a, b, c),
      torch: 'last(F.group_norm(first(a), 65, b, c))',
    },
    { name: '1 channel', inputs: [x([1, 65, 63, 1])], call: (a) => instanceNorm(a), torch: 'last(F.group_norm(first(a), 1))' },
  ],
};
