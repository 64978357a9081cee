// SPDX-License-Identifier: MIT
// Sparse annotation simulated on a densely labelled case (specification 5.1).
import type { Triple } from '../axes.ts';
import { UsageError } from '../errors.ts';
import type { Planes } from './annotations.ts';
import { Philox } from '../random/philox.ts';
import { connectedComponents } from './morphology.ts';

/** Stride along z (transverse) and along y (coronal); 0 = none of that plane. */
const STRIDES = {
  /** Every third slice of both planes: 55.6 % of the voxels. */
  both: { transverse: 3, coronal: 3 },
  /** Every third transverse slice: 33.3 %. */
  transverse: { transverse: 3, coronal: 0 },
  /** Every sixth slice of both planes: 30.6 %, about the same drawing effort as `transverse`. */
  budget: { transverse: 6, coronal: 6 },
} as const;
/** Which slices are kept; `central` is one slice of each nodule, the transverse one that shows most of it. */
export const SPARSE_MODES = [...(Object.keys(STRIDES) as (keyof typeof STRIDES)[]), 'central'] as const;
/** Name of a mode. */
export type SparseMode = (typeof SPARSE_MODES)[number];

export interface SparseOptions {
  /** Another stride, in the planes that the mode keeps. */
  readonly every?: number | null;
  /** Class indices [D, H, W], which `central` looks for nodules in. */
  readonly label?: ArrayLike<number>;
}

/** No slice: nobody annotated the case. */
export const NO_PLANES: Planes = { transverse: [], coronal: [] };

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

/**
 * The annotated planes of a case whose RAS label grid is `size` = [D, H, W]: a random phase per case and plane, then every stride-th; or
 * `central`.
 */
export function sparsePlanes(name: string, size: Triple, mode: SparseMode, seed: number, { every, label }: SparseOptions = {}): Planes {
  if (mode === 'central') {
    if (every != null) throw new UsageError(`every: got ${every} with mode central, which has no stride.`, 'Leave it out.');
    if (label === undefined) throw new RangeError('sparsePlanes: central needs a label.');
    return { transverse: centralSlices(label, size), coronal: [] };
  }
  const [u, v] = new Philox(seed, STREAM).uniform(0, hash(name), 2);
  const strided = (n: number, usual: number, draw: number): number[] => {
    if (usual === 0) return [];
    const stride = every ?? usual;
    const phase = Math.floor(draw * Math.min(stride, n)); // a thin volume still gets a slice
    return Array.from({ length: Math.ceil((n - phase) / stride) }, (_, i) => phase + i * stride);
  };
  const { transverse, coronal } = STRIDES[mode];
  return { transverse: strided(size[0], transverse, u), coronal: strided(size[1], coronal, v) };
}

/** The transverse slice with the largest section of each connected piece of foreground; the middle one where there is none. */
function centralSlices(label: ArrayLike<number>, size: Triple): number[] {
  const { labels, sizes } = connectedComponents(label, size);
  const plane = size[1] * size[2];
  const sections = sizes.map(() => new Float64Array(size[0]));
  labels.forEach((piece, i) => {
    if (piece > 0) sections[piece][Math.floor(i / plane)]++;
  });
  const chosen = sections.slice(1).map((section) => section.indexOf(Math.max(...section)));
  return chosen.length === 0 ? [size[0] >> 1] : [...new Set(chosen)].sort((a, b) => a - b);
}

/** `count` of these cases, drawn by the seed: a case keeps its rank when others are added or removed. */
export function drawnCases(names: readonly string[], count: number, seed: number): string[] {
  const draw = new Philox(seed, STREAM);
  const rank = new Map(names.map((name) => [name, draw.uniform(1, hash(name), 1)[0]]));
  return [...names].sort((a, b) => rank.get(a)! - rank.get(b)! || (a < b ? -1 : 1)).slice(0, count);
}

/** The shares that `planes` annotate of a volume `size` = [D, H, W]; everything if `planes` is undefined. */
export function annotatedShare(size: Triple, planes: Planes | undefined): AnnotatedShare {
  if (!planes) return { transverse: 1, coronal: 1, voxels: 1 };
  const transverse = new Set(planes.transverse).size / size[0],
    coronal = new Set(planes.coronal).size / size[1];
  return { transverse, coronal, voxels: 1 - (1 - transverse) * (1 - coronal) };
}
