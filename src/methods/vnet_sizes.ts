// SPDX-License-Identifier: MIT
// A VNet's fields and sizes by preset, for the methods that have one: alone, or in the 3D role (specification 9.6).
import * as z from 'zod';
import { integer, number } from './plan_fields.ts';
import type { Preset } from './plan.ts';

const WIDTHS = { paper: 16, base: 16, tiny: 8, demo: 4 } as const;

/** Few iterations need large steps: after 150, `tiny` reaches a Dice of 0.68 on phantoms at 1e-3, and 0.91 at 5e-3. */
const RATES = { paper: 1e-3, base: 1e-3, tiny: 5e-3, demo: 5e-3 };

export const vnetSizes = z.strictObject({
  width: integer(2, 64).describe('channels of the first stage'),
  dropout: number(0, 0.9).describe('of whole channels, after the bottleneck and before the head'),
});

/** Its sizes in a preset, with the rate and decay that suit labels alone. */
export const vnetPreset = (preset: Preset) => ({
  network: { width: WIDTHS[preset], dropout: preset === 'paper' || preset === 'base' ? 0.5 : 0 },
  rate: RATES[preset],
  decay: 1e-4,
});
