// SPDX-License-Identifier: MIT
// One row of each kernel file that order.test.ts does not hold; order_rows.full.test.ts runs all rows.
import { expect, it } from 'vitest';
import { rows } from '../cases/case.ts';
import { families } from '../cases/index.ts';
import { orderDoesNotMatter, orderDoesNotMatterInTiles } from './order_rows.ts';

const IDS = [
  'matmul: batch, both transposed', 'matmul: long inner axis', 'conv2d: three groups', 'conv2d: depthwise, two kernels a channel', 'convTranspose2d: 3 x 3 stride 2',
  'attention: heads from channels', 'relativeAttention: grid 2 x 3 x 4', 'tableInterpolate: 7 x 9 pairs, 4 taps', 'fold: overlap-add', 'maxPool2d: 3 stride 2', 'resize: bilinear up',
  'gather: middle axis', 'topk: largest', 'edgeConvGather: 9 nodes, 4 neighbours', 'neighbourMax: 5 neighbours', 'graphConv: an adjacency each', 'pad: crop', 'permute: reversed', 'update: AdamW', 'clipFactor: two ranges',
];

it('workgroups in reverse order give the same bits', async () => {
  const list = Object.values(families).flatMap(rows).filter((c) => IDS.includes(c.id));
  expect(list).toHaveLength(IDS.length);
  await orderDoesNotMatter(list, ['reversed']);
});

it('and those of workgroup tiles', async () => {
  await orderDoesNotMatterInTiles(Object.values(families).flatMap(rows).filter((c) => c.id === 'matmul: batch, both transposed'), ['reversed']);
});
