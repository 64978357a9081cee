// SPDX-License-Identifier: MIT
// EoFormer on annotated voxels alone (specification 9.1).
import * as z from 'zod';
import { EoFormer } from '../models/eoformer/eoformer.ts';
import { integer, number } from './plan_fields.ts';
import { supervised } from './supervised.ts';

const SIZES = {
  paper: { widths: [32, 64, 128, 256], blocks: 2, dropPath: 0.1 },
  base: { widths: [16, 32, 64, 128], blocks: 2, dropPath: 0.1 },
  tiny: { widths: [16, 32, 64, 128], blocks: 2, dropPath: 0 },
  demo: { widths: [8, 16, 32], blocks: 2, dropPath: 0 },
};

export const eoformer = supervised('eoformer', {
  network: z.strictObject({
    widths: z
      .array(integer(2, 512))
      .min(2)
      .max(6)
      .describe('channels of each stage, which halves the sides; the second half attends, in heads of 32'),
    blocks: integer(1, 16).describe('blocks of each stage'),
    dropPath: number(0, 0.9).describe('share of samples that skip the branches of the deepest block, less towards the ends'),
  }),
  preset: (preset) => ({ network: structuredClone(SIZES[preset]), rate: preset === 'paper' ? 2e-4 : 1e-3, decay: 1e-5 }),
  make: (network, classes, storage) => new EoFormer({ ...network, inChannels: 1, classes }, storage),
  contradictions({
    data: { roi },
    method: {
      network: { widths },
    },
  }) {
    const multiple = 2 ** widths.length;
    return [
      ...(widths[0] % 2 === 0 ? [] : [`method.network.widths.0: got ${widths[0]}, expected an even number: the last map has half of it`]),
      ...widths.flatMap((n, i) =>
        i < widths.length / 2 || n < 64 || n % 32 === 0
          ? []
          : [`method.network.widths.${i}: got ${n}, expected less than 64 or a multiple of 32, the channels of a head`],
      ),
      ...roi.flatMap((n, i) =>
        n % multiple === 0 ? [] : [`data.roi.${i}: got ${n}, expected a multiple of ${multiple} with ${widths.length} stages`],
      ),
    ];
  },
});
