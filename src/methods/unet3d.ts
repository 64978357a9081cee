// SPDX-License-Identifier: MIT
// A plain residual 3D U-Net of nnU-Net's kind on annotated voxels alone: what SA-Net must be compared with for honesty.
import * as z from 'zod';
import { UNet3D } from '../models/unet3d.ts';
import { integer } from './plan_fields.ts';
import { supervised } from './supervised.ts';

const SIZES = {
  paper: { widths: [32, 64, 128, 256, 320], blocks: [1, 3, 4, 6, 6] },
  base: { widths: [32, 64, 128, 256], blocks: [1, 2, 2, 2] },
  tiny: { widths: [8, 16, 32, 64, 96], blocks: [1, 1, 1, 2, 2] },
  demo: { widths: [8, 16, 32], blocks: [1, 1, 1] },
};

/** Few iterations need large steps: after 150, `tiny` reaches a Dice of 0.46 on phantoms at 1e-3, and 0.80 at 5e-3. */
const RATES = { paper: 1e-3, base: 1e-3, tiny: 5e-3, demo: 5e-3 };

export const unet3d = supervised('unet3d', {
  network: z.strictObject({
    widths: z.array(integer(1, 512)).min(2).max(7).describe('channels of each stage; every one after the first halves the sides'),
    blocks: z.array(integer(1, 16)).min(2).max(7).describe('residual blocks of each stage'),
  }),
  preset: (preset) => ({ network: structuredClone(SIZES[preset]), rate: RATES[preset], decay: 1e-4 }),
  make: ({ widths, blocks }, classes, storage) => new UNet3D({ widths, blocks, inChannels: 1, classes }, storage),
  contradictions({
    data: { roi },
    method: {
      network: { widths, blocks },
    },
  }) {
    const multiple = 2 ** (widths.length - 1);
    return [
      ...(widths.length === blocks.length
        ? []
        : [`method.network.blocks: got ${blocks.length} stages, expected ${widths.length} as in widths`]),
      ...roi.flatMap((n, i) =>
        n % multiple === 0 ? [] : [`data.roi.${i}: got ${n}, expected a multiple of ${multiple} with ${widths.length} stages`],
      ),
    ];
  },
});
