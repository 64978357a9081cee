// SPDX-License-Identifier: MIT
// Which slices are annotated throughout, from the voxels that are: what others wrote need not come in slices.

import type { Triple } from '../../axes.ts';
export interface Found {
  readonly transverse: number[];
  readonly coronal: number[];
  /** Annotated voxels lie on other slices, too. */
  readonly more: boolean;
}

/** `weight` [D, H, W]: 1 where annotated. Where all of it is, the transverse slices say so alone. */
export function annotatedSlices(weight: Uint8Array, [D, H, W]: Triple): Found {
  const slices = new Float64Array(D),
    rows = new Float64Array(H);
  for (let d = 0, i = 0; d < D; d++)
    for (let h = 0; h < H; h++)
      for (let w = 0; w < W; w++, i++) {
        slices[d] += weight[i];
        rows[h] += weight[i];
      }
  const full = (sums: Float64Array, voxels: number): number[] => [...sums.keys()].filter((k) => sums[k] === voxels);
  const transverse = full(slices, H * W),
    coronal = transverse.length === D ? [] : full(rows, D * W);
  const covered = transverse.length * H * W + coronal.length * W * (D - transverse.length);
  return { transverse, coronal, more: slices.reduce((a, b) => a + b, 0) > covered };
}

export const MORE = {
  message: 'annotated voxels lie on slices that are not annotated throughout.',
  remedy: 'They are drawn, but not trained on once something is drawn here, until their slices are marked as annotated.',
};
