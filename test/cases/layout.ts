// SPDX-License-Identifier: MIT
import { squeeze, unsqueeze } from '../../src/ops/axes.ts';
import { tril, triu } from '../../src/ops/create.ts';
import * as op from '../../src/ops/layout.ts';
import { permute, transpose } from '../../src/ops/permute.ts';
import * as re from '../../src/ops/rearrange.ts';
import { reshape } from '../../src/ops/reshape.ts';
import * as win from '../../src/ops/windows.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { input as x, type Case, type Family } from './case.ts';

const one = (name: string, shape: number[], call: (a: Tensor) => Tensor | Tensor[], torch: string, more: Partial<Case> = {}): Case => ({
  name,
  inputs: [x(shape)],
  call,
  torch,
  ...more,
});
const int = { grad: [], jumps: true } as const;

export const layout: Family = {
  reshape: [
    one('rows', [7, 9], (a) => op.concat([reshape(a, [-1]), reshape(a, [63])], { axis: 0 }), 'torch.cat([a.reshape(-1), a.reshape(-1)])', {
      f16: true,
    }),
  ],
  permute: [
    one('reversed', [3, 5, 7], (a) => permute(a, [2, 1, 0]), 'a.permute(2, 1, 0)', { f16: true }),
    one('channels first', [2, 5, 7, 8], (a) => permute(a, [0, 3, 1, 2]), 'a.permute(0, 3, 1, 2)', { bench: true }),
    one('last axis stays', [3, 5, 7, 4], (a) => permute(a, [1, 2, 0, 3]), 'a.permute(1, 2, 0, 3)'),
    one('six axes', [2, 3, 2, 3, 2, 5], (a) => permute(a, [4, 1, 3, 0, 5, 2]), 'a.permute(4, 1, 3, 0, 5, 2)'),
    { name: 'u32', inputs: [x([7, 9], { below: 99, dtype: 'u32' })], call: (a) => permute(a, [1, 0]), torch: 'a.mT', ...int },
  ],
  transpose: [
    one('63 x 65', [63, 65], (a) => transpose(a), 'a.mT'),
    one('outer axes', [3, 5, 7], (a) => transpose(a, 0, 1), 'a.transpose(0, 1)'),
  ],
  slice: [
    one('middle', [5, 7, 9], (a) => op.slice(a, { axis: 1, start: 2, end: -1 }), 'a[:, 2:-1]', { f16: true }),
    one('steps', [7, 9], (a) => op.slice(a, { axis: [0, 1], start: [1, 0], end: [7, 9], step: [3, 2] }), 'a[1:7:3, 0:9:2]'),
    one('backwards', [7, 9], (a) => op.slice(a, { axis: 1, start: 7, end: 1, step: -2 }), 'a.flip(1)[:, 1:7:2]'),
    one('one element', [5, 8], (a) => op.slice(a, { axis: 0, start: -1 }), 'a[-1:]'),
  ],
  flip: [one('two axes', [3, 5, 7], (a) => op.flip(a, { axis: [0, 2] }), 'a.flip(0, 2)')],
  pad: [
    one(
      'constant',
      [3, 5, 7],
      (a) => op.pad(a, { axes: [1, 2], before: [1, 2], after: [2, 0], value: 0.5 }),
      'F.pad(a, (2, 0, 1, 2), value=0.5)',
      { f16: true },
    ),
    one('channels stay', [2, 5, 7, 4], (a) => op.pad(a, { axes: [1, 2], before: 1, after: 1 }), 'F.pad(a, (0, 0, 1, 1, 1, 1))'),
    one('crop', [7, 9], (a) => op.pad(a, { before: [-1, 2], after: [-2, -3] }), 'F.pad(a, (2, -3, -1, -2))'),
    ...(['reflect', 'replicate', 'circular'] as const).map((mode) =>
      one(
        mode,
        [2, 5, 7, 3],
        (a) => op.pad(a, { axes: [1, 2], before: [2, 1], after: [1, 3], mode }),
        `last(F.pad(first(a), (1, 3, 2, 1), mode='${mode}'))`,
      ),
    ),
  ],
  roll: [one('two axes', [5, 7, 3], (a) => op.roll(a, { shift: [2, -3], axis: [0, 1] }), 'a.roll((2, -3), (0, 1))', { f16: true })],
  concat: [
    {
      name: 'channels',
      inputs: [x([3, 5, 7]), x([3, 5, 1]), x([3, 5, 4])],
      call: (a, b, c) => op.concat([a, b, c], { axis: -1 }),
      torch: 'torch.cat([a, b, c], -1)',
      f16: true,
    },
    { name: 'rows', inputs: [x([3, 8]), x([5, 8])], call: (a, b) => op.concat([a, b], { axis: 0 }), torch: 'torch.cat([a, b])' },
    {
      name: '63, 1, 65 and 7 columns',
      inputs: [x([7, 63]), x([7, 1]), x([7, 65]), x([7, 7])],
      call: (...all) => op.concat(all, { axis: 1 }),
      torch: 'torch.cat([a, b, c, d], 1)',
    },
    { name: 'one tensor twice', inputs: [x([7, 9])], call: (a) => op.concat([a, a], { axis: 1 }), torch: 'torch.cat([a, a], 1)' },
  ],
  split: [
    one('sizes', [5, 9], (a) => op.split(a, [2, 3, 4], { axis: 1 }), 'a.split([2, 3, 4], 1)', { f16: true }),
    one('63, 1, 65 and 7 columns', [7, 136], (a) => op.split(a, [63, 1, 65, 7], { axis: 1 }), 'a.split([63, 1, 65, 7], 1)'),
    one('parts, one unused', [6, 5], (a) => op.split(a, 3, { axis: 0 }).slice(1), 'a.chunk(3)[1:]'),
  ],
  stack: [
    {
      name: 'middle',
      inputs: [x([5, 7]), x([5, 7])],
      call: (a, b) => op.stack([a, b], { axis: 1 }),
      torch: 'torch.stack([a, b], 1)',
      f16: true,
    },
  ],
  spaceToDepth: [
    one('CRD', [2, 4, 6, 3], (a) => re.spaceToDepth(a, { factor: 2 }), 'last(F.pixel_unshuffle(first(a), 2))', { f16: true }),
    one(
      'DCR',
      [1, 6, 9, 2],
      (a) => re.spaceToDepth(a, { factor: 3, mode: 'DCR' }),
      'a.reshape(1, 2, 3, 3, 3, 2).permute(0, 1, 3, 2, 4, 5).reshape(1, 2, 3, 18)',
    ),
    one(
      'volume',
      [1, 2, 4, 2, 3],
      (a) => re.spaceToDepth(a, { factor: 2 }),
      'a.reshape(1, 1, 2, 2, 2, 1, 2, 3).permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(1, 1, 2, 1, 24)',
    ),
    one('one channel, factor 7', [1, 7, 63, 1], (a) => re.spaceToDepth(a, { factor: 7 }), 'last(F.pixel_unshuffle(first(a), 7))'),
  ],
  depthToSpace: [
    one('CRD', [2, 3, 2, 12], (a) => re.depthToSpace(a, { factor: 2 }), 'last(F.pixel_shuffle(first(a), 2))', { f16: true }),
    one(
      'DCR',
      [1, 2, 3, 18],
      (a) => re.depthToSpace(a, { factor: 3, mode: 'DCR' }),
      'a.reshape(1, 2, 3, 3, 3, 2).permute(0, 1, 3, 2, 4, 5).reshape(1, 6, 9, 2)',
    ),
    one('63 channels, one row', [1, 1, 7, 63], (a) => re.depthToSpace(a, { factor: 3 }), 'last(F.pixel_shuffle(first(a), 3))'),
  ],
  channelShuffle: [
    one('three groups', [2, 3, 5, 6], (a) => re.channelShuffle(a, { groups: 3 }), 'last(F.channel_shuffle(first(a).contiguous(), 3))'),
    one(
      '63 channels, seven groups',
      [1, 1, 7, 63],
      (a) => re.channelShuffle(a, { groups: 7 }),
      'last(F.channel_shuffle(first(a).contiguous(), 7))',
    ),
  ],
  volumeToSlices: [
    ...(
      [
        ['transverse', '0, 1, 2, 3, 4'],
        ['coronal', '0, 2, 1, 3, 4'],
        ['sagittal', '0, 3, 1, 2, 4'],
      ] as const
    ).map(([plane, order]) => one(plane, [2, 3, 4, 5, 3], (a) => re.volumeToSlices(a, { plane }), `a.permute(${order}).flatten(0, 1)`)),
    one(
      'one plane of 7 x 65',
      [1, 1, 7, 65, 1],
      (a) => re.volumeToSlices(a, { plane: 'sagittal' }),
      'a.permute(0, 3, 1, 2, 4).flatten(0, 1)',
    ),
  ],
  slicesToVolume: [
    one(
      'sagittal',
      [10, 3, 4, 3],
      (a) => re.slicesToVolume(a, { plane: 'sagittal', batch: 2 }),
      'a.unflatten(0, (2, 5)).permute(0, 2, 3, 1, 4)',
    ),
    one('coronal', [4, 3, 5, 2], (a) => re.slicesToVolume(a, { plane: 'coronal' }), 'a[None].permute(0, 2, 1, 3, 4)'),
    one('63 slices of one row', [63, 1, 7, 1], (a) => re.slicesToVolume(a, { plane: 'sagittal' }), 'a[None].permute(0, 2, 3, 1, 4)'),
  ],
  tile: [
    one('a new axis', [3, 5], (a) => re.tile(a, [2, 1, 3]), 'a.tile(2, 1, 3)'),
    one('three axes apart', [3, 2, 5, 2], (a) => re.tile(a, [1, 2, 3, 2]), 'a.tile(1, 2, 3, 2)'),
    one('a column of 65', [65, 1], (a) => re.tile(a, [1, 7]), 'a.tile(1, 7)'),
  ],
  repeatInterleave: [one('middle axis', [3, 5, 7], (a) => re.repeatInterleave(a, { repeats: 3, axis: 1 }), 'a.repeat_interleave(3, 1)')],
  unfold: [
    one('overlapping', [2, 7, 9, 3], (a) => win.unfold(a, { window: 3, stride: 2 }), 'windows(a, (3, 3), (2, 2), (0, 0))', { f16: true }),
    one(
      'padding, by axis',
      [1, 8, 7, 4],
      (a) => win.unfold(a, { window: [4, 3], stride: [2, 1], padding: [2, 1] }),
      'windows(a, (4, 3), (2, 1), (2, 1))',
    ),
    one('one row of 65', [1, 1, 65, 7], (a) => win.unfold(a, { window: [1, 7], stride: 7 }), 'windows(a, (1, 7), (7, 7), (0, 0))'),
  ],
  fold: [
    one('overlap-add', [2, 3, 4, 3, 3, 3], (a) => win.fold(a, { size: [7, 9], stride: 2 }), 'overlap_add(a, (7, 9), (2, 2), (0, 0))', {
      f16: true,
    }),
    one(
      'padding, elements past the windows',
      [1, 3, 2, 4, 3, 4],
      (a) => win.fold(a, { size: [8, 6], stride: [2, 2], padding: [1, 1] }),
      'overlap_add(a, (8, 6), (2, 2), (1, 1))',
    ),
    one('one row of 63', [1, 1, 9, 1, 7, 7], (a) => win.fold(a, { size: [1, 63], stride: 7 }), 'overlap_add(a, (1, 63), (7, 7), (0, 0))'),
  ],
  unfoldAxis: [
    one(
      'middle axis',
      [2, 9, 5],
      (a) => win.unfoldAxis(a, { axis: 1, window: 4, stride: 2, padding: 1 }),
      'F.pad(a, (0, 0, 1, 0)).unfold(1, 4, 2).movedim(-1, 2)',
      { f16: true },
    ),
    one('last axis, 65 by 7', [7, 65], (a) => win.unfoldAxis(a, { axis: 1, window: 7, stride: 2 }), 'a.unfold(1, 7, 2)'),
  ],
  foldAxis: [
    one(
      'middle axis',
      [2, 4, 3, 5],
      (a) => win.foldAxis(a, { axis: 1, size: 9, stride: 2 }),
      'overlap_add(a[:, :, None, :, None], (9, 1), (2, 1), (0, 0))[:, :, 0]',
      { f16: true },
    ),
    one(
      'last axis, 65 by 7',
      [7, 30, 7],
      (a) => win.foldAxis(a, { axis: 1, size: 65, stride: 2 }),
      'overlap_add(a[:, :, None, :, None, None], (65, 1), (2, 1), (0, 0))[:, :, 0, 0]',
    ),
  ],
  windowPartition: [
    one(
      'padded',
      [2, 5, 7, 3],
      (a) => win.windowPartition(a, { window: 4 }),
      'F.pad(a, (0, 0, 0, 1, 0, 3)).reshape(2, 2, 4, 2, 4, 3).permute(0, 1, 3, 2, 4, 5).reshape(8, 4, 4, 3)',
      { f16: true },
    ),
    one(
      'volume',
      [1, 4, 2, 6, 4],
      (a) => win.windowPartition(a, { window: 2 }),
      'a.reshape(1, 2, 2, 1, 2, 3, 2, 4).permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(6, 2, 2, 2, 4)',
    ),
    one(
      'one row of 65',
      [1, 1, 65, 7],
      (a) => win.windowPartition(a, { window: 7 }),
      'F.pad(a, (0, 0, 0, 5, 0, 6)).reshape(1, 1, 7, 10, 7, 7).permute(0, 1, 3, 2, 4, 5).reshape(10, 7, 7, 7)',
    ),
  ],
  squeeze: [
    one('all', [1, 7, 1, 9, 1], (a) => squeeze(a), 'a.squeeze()'),
    one('some', [1, 7, 1, 9], (a) => squeeze(a, { axes: [0, 1] }), 'a.squeeze((0, 1))', { f16: true }),
  ],
  unsqueeze: [
    one('in front', [7, 9], (a) => unsqueeze(a, { axis: 0 }), 'a.unsqueeze(0)'),
    one('last', [7, 9], (a) => unsqueeze(a, { axis: -1 }), 'a.unsqueeze(-1)', { f16: true }),
  ],
  tril: [
    one('square', [7, 7], (a) => tril(a), 'a.tril()'),
    one('below the diagonal, batched', [2, 9, 65], (a) => tril(a, { diagonal: -1 }), 'a.tril(-1)', { f16: true }),
  ],
  triu: [one('above the diagonal, batched', [2, 65, 9], (a) => triu(a, { diagonal: 2 }), 'a.triu(2)', { f16: true })],
  repeat: [one('as tile', [3, 5], (a) => re.repeat(a, [2, 1, 3]), 'a.repeat(2, 1, 3)')],
  windowReverse: [
    one(
      'cropped',
      [8, 4, 4, 3],
      (a) => win.windowReverse(a, { window: 4, shape: [2, 5, 7, 3] }),
      'a.reshape(2, 2, 2, 4, 4, 3).permute(0, 1, 3, 2, 4, 5).reshape(2, 8, 8, 3)[:, :5, :7]',
      { f16: true },
    ),
  ],
};
