// SPDX-License-Identifier: MIT
// Swin-SMT on annotated voxels alone (specification 9.5).
import * as z from 'zod';
import { SwinSMT } from '../models/swin_smt/swin_smt.ts';
import { integer } from './plan_fields.ts';
import { supervised } from './supervised.ts';

// Three stages where a depth of 16 has no fourth and fifth half; windows of 4 tile its 8 x 32 x 32 tokens.
const SIZES = {
  paper: { width: 48, depths: [2, 2, 2, 2], heads: [3, 6, 12, 24], window: 7, experts: 4, expertStages: 3 },
  base: { width: 24, depths: [2, 2, 2, 2], heads: [3, 6, 12, 24], window: 7, experts: 4, expertStages: 2 },
  tiny: { width: 8, depths: [2, 2, 2], heads: [1, 2, 4], window: 4, experts: 4, expertStages: 2 },
  demo: { width: 4, depths: [2, 2], heads: [1, 2], window: 4, experts: 2, expertStages: 1 },
};

/** Few iterations need large steps: after 150, `tiny` reaches a Dice of 0.20 on phantoms at 1e-3, and 0.83 at 5e-3. */
const RATES = { paper: 1e-4, base: 1e-3, tiny: 5e-3, demo: 5e-3 };

export const swinSmt = supervised('swin_smt', {
  network: z.strictObject({
    width: integer(2, 192).describe('channels of the first stage; every stage doubles them and halves the sides'),
    depths: z.array(integer(1, 24)).min(1).max(5).describe('blocks of each stage'),
    heads: z.array(integer(1, 64)).min(1).max(5),
    window: integer(1, 16).describe('side, in tokens of 2 x 2 x 2 voxels'),
    experts: integer(1, 64),
    expertStages: integer(0, 5).describe('so many of the last stages have experts'),
  }),
  preset: (preset) => ({ network: structuredClone(SIZES[preset]), rate: RATES[preset], decay: 1e-5 }),
  make: (network, classes, storage) => new SwinSMT({ ...network, inChannels: 1, classes }, storage),
  contradictions({
    data: { roi },
    method: {
      network: { width, depths, heads, expertStages },
    },
  }) {
    const stages = depths.length;
    const multiple = 2 ** (stages + 1);
    return [
      ...(heads.length === stages ? [] : [`method.network.heads: got ${heads.length} stages, expected ${stages} as in depths`]),
      ...heads.flatMap((n, i) =>
        (width * 2 ** i) % n === 0
          ? []
          : [`method.network.heads.${i}: got ${n}, expected a divisor of the stage's ${width * 2 ** i} channels`],
      ),
      ...(expertStages <= stages
        ? []
        : [`method.network.expertStages: got ${expertStages}, expected at most the ${stages} stages that there are`]),
      ...roi.flatMap((n, i) =>
        n % multiple === 0 ? [] : [`data.roi.${i}: got ${n}, expected a multiple of ${multiple} with ${stages} stages`],
      ),
      ...(roi.every((n) => n === multiple)
        ? [
            `data.roi: got ${roi.join(' x ')}, expected a side above ${multiple} with ${stages} stages (the deepest map would be ` +
              'one voxel, of which there is no variance)',
          ]
        : []),
    ];
  },
});
