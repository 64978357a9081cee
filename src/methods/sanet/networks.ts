// SPDX-License-Identifier: MIT
// The three networks of SA-Net, the 3D one being SAM or a VNet, and how each one's parameters are updated.
import type { SlicePlane } from '../../axes.ts';
import { Net2D } from '../../models/sanet/net2d.ts';
import { SamMed3D } from '../../models/sam_med3d/sam.ts';
import { VNet } from '../../models/vnet.ts';
import { decayGroups } from '../../optim/optimiser.ts';
import type { NetworkGroups } from '../method.ts';
import { storageOf } from '../precision.ts';
import { hounsfield, narrowed } from './intensities.ts';
import type { SanetPlan } from './plan.ts';

export type NetworkName = 'sam' | 'vnet' | SlicePlane;

/** Those that a plan has. */
export type SanetNetworks = { readonly sam?: SamMed3D; readonly vnet?: VNet; readonly transverse?: Net2D; readonly coronal?: Net2D };

export function sanetNetworks(plan: SanetPlan): SanetNetworks {
  const {
    classes,
    data,
    method: { volume, network2d, sam, vnet },
  } = plan;
  const storage = storageOf(plan);
  const net2d = (): Net2D =>
    new Net2D({
      stem: network2d.stem,
      blocks: network2d.blocks,
      width: network2d.width,
      recovery: network2d.recoveryWidth,
      classes: classes.length,
      useMSA: network2d.useMSA,
      useBGC: network2d.useBGC,
      useRM: network2d.useRM,
      rates: network2d.rates,
      foregroundPrior: network2d.foregroundPrior,
      zeroInitLastGamma: network2d.zeroInitLastGamma,
      groupNorm: network2d.norm === 'gn',
      attention: { learnedTemperature: network2d.recovery.temperature === 'learned', interiorBias: network2d.recovery.interiorBias },
      ...(network2d.window !== 'data' && { intensity: narrowed(data, network2d.window) }),
      storage,
    });
  return {
    ...(volume === 'vnet' && {
      vnet: new VNet({ width: vnet.width, dropout: vnet.dropout, inChannels: 1, classes: classes.length }, storage),
    }),
    ...(volume === 'sam' &&
      sam.enabled && {
        sam: new SamMed3D(
          {
            size: sam.size,
            dim: sam.width,
            depth: sam.depth,
            heads: sam.heads,
            window: sam.window,
            ...(sam.compatibility === 'official' && { official: hounsfield(data) }),
          },
          storage,
        ),
      }),
    ...(network2d.enabled && { transverse: net2d(), coronal: net2d() }),
  };
}

/** Adam with decoupled decay for the 2D networks; AdamW for SAM, prompt encoder and decoder at a fraction of the rate. */
export function sanetGroups({ method: { network2d, sam, vnet } }: SanetPlan, nets: SanetNetworks): Record<string, NetworkGroups> {
  const groups: Record<string, NetworkGroups> = {};
  if (nets.sam && sam.trainable) {
    const { image_encoder, prompt_encoder, mask_decoder } = nets.sam;
    const rest = [...prompt_encoder.parameters(), ...mask_decoder.parameters()];
    groups.sam = {
      groups: [{ params: image_encoder.parameters() }, { params: rest, lrScale: sam.decoderFactor }],
      rate: sam.rate,
      decay: sam.decay,
    };
  }
  if (nets.vnet) groups.vnet = { groups: decayGroups(nets.vnet.parameters(), vnet.decay), rate: vnet.rate };
  for (const plane of ['transverse', 'coronal'] as const) {
    const net = nets[plane];
    if (net) groups[plane] = { groups: decayGroups(net.parameters(), network2d.decay), rate: network2d.rate };
  }
  return groups;
}
