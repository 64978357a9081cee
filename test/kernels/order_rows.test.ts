// SPDX-License-Identifier: MIT
// A row or two of each kernel file; order_rows.full.test.ts runs all rows.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { linear } from '../../src/ops/matmul.ts';
import { input, rows, type NamedCase } from '../cases/case.ts';
import { elsewhereRows } from '../cases/elsewhere.ts';
import { families } from '../cases/index.ts';
import { orderDoesNotMatter, orderDoesNotMatterInTiles } from './order_rows.ts';

const IDS = [
  'matmul: batch, both transposed',
  'matmul: long inner axis',
  'conv2d: three groups',
  'conv2d: depthwise',
  'conv2d: depthwise, two kernels a channel',
  'convTranspose2d: 3 x 3 stride 2',
  'attention: wide heads',
  'relativeAttention: grid 2 x 3 x 4',
  'tableInterpolate: 7 x 9 pairs, 4 taps',
  'fold: overlap-add',
  'maxPool2d: 3 stride 2',
  'resize: bilinear up',
  'gridSample: bilinear, odd sizes',
  'gather: middle axis',
  'split: parts, one unused',
  'max: ties',
  'topk: largest',
  'sort: last axis',
  'edgeConvGather: 9 nodes, 4 neighbours',
  'neighbourMax: 5 neighbours',
  'graphConv: an adjacency each',
  'pad: crop',
  'permute: reversed',
  'update: AdamW',
  'clipFactor: two ranges',
  'bilateralGraphConv: two graphs',
  'layerNorm: 65 channels',
  'batchNorm: training',
  'groupNorm: four groups',
  'groupNorm: large groups',
  'softmax: last axis',
  'cumsum: last axis',
];
/**
 * Families that software adapters, or some, do not choose: below, and in the full tests. What is one lane, on devices opened with
 * `debug`; and what only empty tensors have (order.test.ts).
 */
const FOR_OTHERS =
  /_(blocks|matrices)\.wgsl$|^attention_(softmax|softmax_grad|narrow|narrow_grad)\.wgsl$|^(check_index|fill|split_finish|transpose)\.wgsl$/;
const named = (ids: readonly string[]) =>
  Object.values(families)
    .flatMap(rows)
    .filter((c) => ids.includes(c.id) || c.id.startsWith('judgeGradients'));

it('workgroups in reversed and interleaved order give the same bits, in every kernel file', async () => {
  const list = named(IDS);
  expect(list.length).toBeGreaterThan(IDS.length);
  const covered = await orderDoesNotMatter([...list, ...elsewhereRows]);
  const files = readdirSync(fileURLToPath(new URL('../../kernels', import.meta.url))).filter(
    (name) => name.endsWith('.wgsl') && !FOR_OTHERS.test(name),
  );
  expect(
    files.filter((name) => !covered.has(name)),
    'add a row of these to IDS',
  ).toEqual([]);
});

it('and those of permutations through squares', async () => {
  const covered = await orderDoesNotMatter(named(['transpose: 63 x 65']), { software: false });
  expect([...covered]).toContain('transpose.wgsl');
});

it('and those of narrow heads of attention', async () => {
  const covered = await orderDoesNotMatter(
    named(['attention: cosine, key bias and temperature, 33 queries, 35 keys', 'attention: bias, key bias and temperature']),
    { driver: 'a fast compiler' },
  );
  expect([...covered]).toEqual(expect.arrayContaining(['attention_narrow.wgsl', 'attention_narrow_grad.wgsl']));
});

it('and those of workgroup tiles, with their reduction cut too', async () => {
  const [row] = named(['matmul: batch, both transposed']);
  const long: NamedCase = {
    ...row,
    id: 'linear: a long reduction, bias and ReLU',
    inputs: [input([3, 600]), input([130, 600]), input([130])],
    call: (x, w, bias) => linear(x, w, { bias, activation: 'relu' }),
  };
  expect([...(await orderDoesNotMatterInTiles([row, long]))]).toContain('split_finish.wgsl');
});
