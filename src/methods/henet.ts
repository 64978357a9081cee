// SPDX-License-Identifier: MIT
// HENet on annotated voxels alone (specification 9.4).
import * as z from 'zod';
import { HENet } from '../models/henet.ts';
import { integer } from './plan_fields.ts';
import { supervised } from './supervised.ts';

const SIZES = {
  paper: { widths: [32, 64, 128, 256], attention: 128 },
  base: { widths: [16, 32, 64, 128], attention: 64 },
  tiny: { widths: [8, 16, 32, 64], attention: 32 },
  demo: { widths: [4, 8, 16, 32], attention: 16 },
};

/** Few iterations need large steps: after 150, `tiny` at 1e-3 still marks half of a phantom; Dice 0.75 at 5e-3, 0.80 at 7.5e-3. */
const RATES = { paper: 1e-3, base: 1e-3, tiny: 7.5e-3, demo: 7.5e-3 };

export const henet = supervised('henet', {
  network: z.strictObject({
    widths: z.array(integer(1, 512)).min(3).max(7).describe('channels of each level; every one after the first halves the sides'),
    attention: integer(1, 512).describe('channels in which the three deepest levels attend to each other'),
  }),
  preset: (preset) => ({ network: structuredClone(SIZES[preset]), rate: RATES[preset], decay: 1e-4 }),
  make: (network, classes, storage) => new HENet({ ...network, inChannels: 1, classes }, storage),
  contradictions({
    data: { roi },
    method: {
      network: { widths },
    },
  }) {
    const multiple = 2 ** (widths.length - 1);
    return [
      ...roi.flatMap((n, i) =>
        n % multiple === 0 ? [] : [`data.roi.${i}: got ${n}, expected a multiple of ${multiple} with ${widths.length} levels`],
      ),
      ...(roi.some((n) => n > multiple)
        ? []
        : [
            `data.roi: got ${roi}, expected a side above ${multiple} with ${widths.length} levels (instance norm makes 0 of a ` +
              'single voxel)',
          ]),
    ];
  },
});
