// SPDX-License-Identifier: MIT
// A plan as version 1 wrote it: SA-Net's part at the top, its networks' rates among the optimiser's fields.
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';

export function asVersion1(plan: Omit<SanetPlan, 'prediction' | 'evaluation'>): Record<string, unknown> {
  const {
    method: {
      name: _name,
      network2d: { rate: rate2d, decay: decay2d, ...network2d },
      sam: { rate: rateSam, decay: decaySam, decoderFactor, ...sam },
      cross,
      loss,
    },
    optimiser,
    ...shared
  } = plan;
  return {
    ...shared,
    version: 1,
    network2d,
    sam,
    cross,
    loss,
    optimiser: { rate2d, decay2d, rateSam, decaySam, samDecoderFactor: decoderFactor, ...optimiser },
  };
}
