// SPDX-License-Identifier: MIT
// Sparse annotation simulated on a densely labelled case (specification 5.1).
import type { Planes } from './annotations.ts';
import { Philox } from '../random/philox.ts';
import type { Triple } from './geometry.ts';

/** Which slices are kept: stride along z (transverse) and along y (coronal); 0 = none of that plane. */
export const SPARSE_MODES = {
  /** Every third slice of both planes: 55.6 % of the voxels. */
  both: { transverse: 3, coronal: 3 },
  /** Every third transverse slice: 33.3 %. */
  transverse: { transverse: 3, coronal: 0 },
  /** Every sixth slice of both planes: 30.6 %, about the same drawing effort as `transverse`. */
  budget: { transverse: 6, coronal: 6 },
} as const;
/** Name of a mode. */
export type SparseMode = keyof typeof SPARSE_MODES;

/** Shares annotated, each from 0 to 1. */
export interface AnnotatedShare {
  readonly transverse: number;
  readonly coronal: number;
  readonly voxels: number;
}

const STREAM = 65; // outside STREAMS: annotation is data, not part of a training run

/** A 32-bit name hash (FNV-1a): a case keeps its phase when others are added or removed. */
function hash(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** The annotated planes of a case whose RAS label grid is `size` = [D, H, W]: a random phase per case and plane, then every stride-th. */
export function sparsePlanes(name: string, size: Triple, mode: SparseMode, seed: number): Planes {
  const [u, v] = new Philox(seed, STREAM).uniform(0, hash(name), 2);
  const every = (n: number, stride: number, draw: number): number[] => {
    if (stride === 0) return [];
    const phase = Math.floor(draw * Math.min(stride, n)); // a thin volume still gets a slice
    return Array.from({ length: Math.ceil((n - phase) / stride) }, (_, i) => phase + i * stride);
  };
  const { transverse, coronal } = SPARSE_MODES[mode];
  return { transverse: every(size[0], transverse, u), coronal: every(size[1], coronal, v) };
}

/** The shares that `planes` annotate of a volume `size` = [D, H, W]; everything if `planes` is undefined. */
export function annotatedShare(size: Triple, planes: Planes | undefined): AnnotatedShare {
  if (!planes) return { transverse: 1, coronal: 1, voxels: 1 };
  const transverse = new Set(planes.transverse).size / size[0],
    coronal = new Set(planes.coronal).size / size[1];
  return { transverse, coronal, voxels: 1 - (1 - transverse) * (1 - coronal) };
}
