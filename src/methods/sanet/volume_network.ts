// SPDX-License-Identifier: MIT
// The network in the 3D role: SAM, which clicks prompt, or a VNet, which looks once and needs none (`method.volume`).
import type { Tensor } from '../../engine/tensor.ts';
import type { Present } from '../../losses/segmentation.ts';
import { sharingStatistics } from '../../nn/layers.ts';
import { reshape } from '../../ops/reshape.ts';
import { promptedDecodes, type ClickInputs, type Consensus } from './clicks.ts';
import type { SparseLabels } from './cross.ts';
import type { SanetNetworks } from './networks.ts';

/** Which network has the 3D role; null where only slices are looked at. */
export const volumeNetwork = ({ sam, vnet }: SanetNetworks): 'sam' | 'vnet' | null => (sam ? 'sam' : vnet ? 'vnet' : null);

/**
 * Class logits [B, D, H, W, K] of volumes [B, D, H, W]: SAM's after each of `count` clicks, a VNet's only ones, with the statistics of one
 * volume. None without such a network. `track`: running statistics move.
 */
export function volumeLogits(
  { sam, vnet }: SanetNetworks,
  volumes: Tensor,
  clicks: ClickInputs,
  count: number,
  truth: SparseLabels,
  consensus: Consensus | null,
  present: Present,
  { track = true }: { track?: boolean } = {},
): Tensor[] {
  if (sam) return promptedDecodes(sam, volumes, clicks, count, truth, consensus, present);
  return vnet ? [sharingStatistics(vnet, 1, () => vnet.forward(reshape(volumes, [...volumes.shape, 1])), { track })] : [];
}
