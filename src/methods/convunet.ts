// SPDX-License-Identifier: MIT
// ConvUNET on annotated voxels alone (specification 9.2).
import * as z from 'zod';
import { ConvUNET } from '../models/convunet.ts';
import { integer, number } from './plan_fields.ts';
import { supervised } from './supervised.ts';

const SIZES = {
  paper: { width: 36, stages: 4, blocks: 3, dropPath: 0 },
  base: { width: 20, stages: 4, blocks: 2, dropPath: 0 },
  tiny: { width: 8, stages: 4, blocks: 1, dropPath: 0 },
  demo: { width: 4, stages: 3, blocks: 1, dropPath: 0 },
};

/** Few iterations need large steps. */
const RATES = { paper: 3e-4, base: 1e-3, tiny: 5e-3, demo: 5e-3 };

export const convunet = supervised('convunet', {
  network: z.strictObject({
    width: integer(2, 128).describe('channels at full resolution and of the first stage'),
    stages: integer(2, 6).describe('stages of the backbone, each of which halves the sides'),
    blocks: integer(1, 16).describe('blocks of each stage'),
    dropPath: number(0, 0.9).describe('share of samples that skip the deepest block, less towards the first'),
  }),
  preset: (preset) => ({ network: { ...SIZES[preset] }, rate: RATES[preset], decay: 1e-5 }),
  make: (network, classes, storage) => new ConvUNET({ ...network, inChannels: 1, classes }, storage),
  contradictions({
    data: { roi },
    method: {
      network: { stages },
    },
  }) {
    const multiple = 2 ** stages;
    return [
      ...roi.flatMap((n, i) =>
        n % multiple === 0 ? [] : [`data.roi.${i}: got ${n}, expected a multiple of ${multiple} with ${stages} stages`],
      ),
      ...(roi.some((n) => n > multiple)
        ? []
        : [`data.roi: got ${roi}, expected a side above ${multiple} with ${stages} stages (instance norm makes 0 of a single voxel)`]),
    ];
  },
});
