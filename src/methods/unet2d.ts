// SPDX-License-Identifier: MIT
// U-Net on transverse slices and their annotated voxels alone (specification 9.6).
import * as z from 'zod';
import { UNet2D } from '../models/unet2d.ts';
import { integer } from './plan_fields.ts';
import { supervised } from './supervised.ts';

const WIDTHS = { paper: 64, base: 32, tiny: 16, demo: 8 } as const;

export const unet2d = supervised('unet2d', {
  slices: true,
  network: z.strictObject({ width: integer(2, 128).describe('channels at full resolution') }),
  preset: (preset) => ({
    network: { width: WIDTHS[preset] },
    rate: 1e-3,
    decay: 1e-4,
    slices: preset === 'paper' || preset === 'base' ? 16 : 8,
  }),
  make: ({ width }, classes, storage) => new UNet2D({ width, inChannels: 1, classes }, storage),
  contradictions: ({
    data: {
      roi: [, h, w],
    },
  }) => [h, w].flatMap((n, i) => (n % 16 === 0 ? [] : [`data.roi.${i + 1}: got ${n}, expected a multiple of 16 with method "unet2d"`])),
});
