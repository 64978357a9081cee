// SPDX-License-Identifier: MIT
// VNet on annotated voxels alone (specification 9.6).
import { VNet } from '../models/vnet.ts';
import { supervised } from './supervised.ts';
import { vnetPreset, vnetSizes } from './vnet_sizes.ts';

export const vnet = supervised('vnet', {
  network: vnetSizes,
  preset: vnetPreset,
  pretrains: true,
  make: ({ width, dropout }, classes, storage) => new VNet({ width, dropout, inChannels: 1, classes }, storage),
  contradictions: ({ data: { roi } }) =>
    roi.flatMap((n, i) => (n % 16 === 0 ? [] : [`data.roi.${i}: got ${n}, expected a multiple of 16 with method "vnet"`])),
});
