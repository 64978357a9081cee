// SPDX-License-Identifier: MIT
// Sizes of SAM-Med3D. `sam-b128-w14` fits the released weights; the others use global attention everywhere.

import type { Intensity } from './official.ts';

export interface SamConfig {
  /** Edge of the cubic input in voxels, a multiple of 16. */
  readonly size: number;
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  /** Edge of attention windows in tokens; 0 = global. Blocks 2, 5, 8, 11 are global either way. */
  readonly window: number;
  /**
   * With the weights that its authors released: what their code computes (official.ts), for volumes of these intensities. Default: what is
   * meant.
   */
  readonly official?: Intensity;
}

/** Sizes of SAM-Med3D by name: image encoder (b, s, t), edge of the cube in voxels, windows. */
export const SAM_PRESETS = {
  'sam-b128-w14': { size: 128, dim: 768, depth: 12, heads: 12, window: 14 },
  'sam-b128': { size: 128, dim: 768, depth: 12, heads: 12, window: 0 },
  'sam-s128': { size: 128, dim: 384, depth: 12, heads: 6, window: 0 },
  'sam-s96': { size: 96, dim: 384, depth: 12, heads: 6, window: 0 },
  'sam-t64': { size: 64, dim: 192, depth: 6, heads: 3, window: 0 },
} as const satisfies Record<string, SamConfig>;

export type SamPreset = keyof typeof SAM_PRESETS;

/** Width of the prompt encoder and the mask decoder. */
export const PROMPT_DIM = 384;
