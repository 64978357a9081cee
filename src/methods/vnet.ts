// SPDX-License-Identifier: MIT
// VNet on annotated voxels alone (specification 9.6).
import * as z from 'zod';
import { VNet } from '../models/vnet.ts';
import { integer, number } from './plan_fields.ts';
import { supervised } from './supervised.ts';

const WIDTHS = { paper: 16, base: 16, tiny: 8, demo: 4 } as const;

/** Few iterations need large steps: after 150, `tiny` reaches a Dice of 0.68 on phantoms at 1e-3, and 0.91 at 5e-3. */
const RATES = { paper: 1e-3, base: 1e-3, tiny: 5e-3, demo: 5e-3 };

export const vnet = supervised('vnet', {
  network: z.strictObject({
    width: integer(2, 64).describe('channels of the first stage'),
    dropout: number(0, 0.9).describe('of whole channels, after the bottleneck and before the head'),
  }),
  preset: (preset) => ({
    network: { width: WIDTHS[preset], dropout: preset === 'paper' || preset === 'base' ? 0.5 : 0 },
    rate: RATES[preset],
    decay: 1e-4,
  }),
  pretrains: true,
  make: ({ width, dropout }, classes, storage) => new VNet({ width, dropout, inChannels: 1, classes }, storage),
  contradictions: ({ data: { roi } }) =>
    roi.flatMap((n, i) => (n % 16 === 0 ? [] : [`data.roi.${i}: got ${n}, expected a multiple of 16 with method "vnet"`])),
});
