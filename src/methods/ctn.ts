// SPDX-License-Identifier: MIT
// CTN, the 3D Cross Transformer Network, on annotated voxels alone (specification 9.3).
import * as z from 'zod';
import { CTN } from '../models/ctn/ctn.ts';
import { integer, number, triple } from './plan_fields.ts';
import { supervised } from './supervised.ts';

type Four = [number, number, number, number];
const sizes = (width: number, dim: number, depths: Four, heads: Four, window: [number, number, number], dropout: number) => ({
  width,
  swin: { dim, depths, heads, window },
  dropout,
});
// A map of 8 x 16 x 16 tokens (16 x 64 x 64 voxels) holds whole windows of 2 x 4 x 4 in its first three stages, and of 7 x 7 in none.
const PRESETS = {
  paper: () => sizes(24, 48, [2, 2, 6, 2], [3, 6, 12, 24], [2, 7, 7], 0.05),
  base: () => sizes(24, 24, [2, 2, 2, 2], [3, 6, 12, 24], [2, 7, 7], 0.05),
  tiny: () => sizes(8, 24, [2, 2, 2, 2], [2, 4, 8, 16], [2, 4, 4], 0),
  demo: () => sizes(4, 12, [2, 2, 2, 2], [1, 2, 4, 8], [2, 4, 4], 0),
};

const four = (least: number, most: number) =>
  z.tuple([integer(least, most), integer(least, most), integer(least, most), integer(least, most)]);

export const ctn = supervised('ctn', {
  network: z.strictObject({
    width: integer(2, 128).describe('channels of the first convolutional stage; every stage doubles them'),
    swin: z.strictObject({
      dim: integer(2, 256).describe("channels of the transformer's first stage"),
      depths: four(1, 24).describe('blocks of each stage'),
      heads: four(1, 64),
      window: triple(integer(1, 16)).describe('tokens of 2 x 4 x 4 voxels'),
    }),
    dropout: number(0, 0.9).describe('of whole channels, in the decoder'),
  }),
  preset: (preset) => ({ network: PRESETS[preset](), rate: preset === 'paper' ? 1e-4 : 1e-3, decay: 1e-4 }),
  make: (network, classes, storage) => new CTN({ ...network, inChannels: 1, classes }, storage),
  contradictions: ({
    data: { roi },
    training: { batch },
    method: {
      network: {
        swin: { dim, heads },
      },
    },
  }) => [
    ...heads.flatMap((n, i) =>
      (dim * 2 ** i) % n === 0
        ? []
        : [`method.network.swin.heads.${i}: got ${n}, expected a divisor of the stage's ${dim * 2 ** i} channels`],
    ),
    ...(batch === 1 && roi.every((n) => n <= 16)
      ? [
          `data.roi: got ${roi.join(' x ')}, expected a side above 16 with method "ctn" (its deepest map would be one voxel, of ` +
            'which there is no variance)',
        ]
      : []),
  ],
});
