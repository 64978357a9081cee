// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest';
import { VNet } from '../../src/models/vnet.ts';
import { networkSizes } from '../../src/train/cost.ts';
import { presetPlan } from '../../src/train/presets.ts';

it('has the parameters of the specification (E.1), and in tiny at most 2.5 million', () => {
  expect(new VNet({ width: 16, inChannels: 1, classes: 2, dropout: 0.5 }).countParameters()).toBe(9_448_866);
  expect(networkSizes(presetPlan('tiny', 'vnet')).vnet!.total).toBeLessThan(2.5e6);
});
