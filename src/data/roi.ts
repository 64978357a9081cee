// SPDX-License-Identifier: MIT
// Cutting regions of one shape out of prepared cases. Centres follow annotated voxels only: a centre taken from a label that
// the training is not allowed to see would leak where the structure is.
import type { Triple } from '../axes.ts';
import type { PhiloxCursor } from '../random/philox.ts';
import type { PreparedCase, Sample } from './sample.ts';
import type { VoxelArray } from './volume.ts';

/** Shift of the centre along [D, H, W], at most this many voxels either way (specification 7.1: 4 across, 8 in plane). */
export const NODULE_JITTER: Triple = [4, 8, 8];
/** Share of patches centred on a foreground voxel (specification 7.2). */
export const FOREGROUND_SHARE = 2 / 3;

/** First voxel of a region of `roi` voxels about `centre`, each [D, H, W]; it may lie outside the volume. */
export const startAround = (centre: Triple, roi: Triple): Triple => centre.map((c, axis) => Math.round(c - (roi[axis] - 1) / 2)) as Triple;

/** Region of shape `roi` from `start` of an array [size]; what lies outside becomes `fill`. */
export function crop<A extends VoxelArray>(data: A, size: Triple, start: Triple, roi: Triple, fill: number): A {
  const out = new (data.constructor as new (n: number) => A)(roi[0] * roi[1] * roi[2]);
  if (fill !== 0) out.fill(fill);
  const w0 = Math.max(0, -start[2]),
    w1 = Math.min(roi[2], size[2] - start[2]);
  if (w1 <= w0) return out;
  for (let d = Math.max(0, -start[0]); d < Math.min(roi[0], size[0] - start[0]); d++) {
    for (let h = Math.max(0, -start[1]); h < Math.min(roi[1], size[1] - start[1]); h++) {
      const source = ((d + start[0]) * size[1] + h + start[1]) * size[2] + start[2];
      out.set(data.subarray(source + w0, source + w1), (d * roi[1] + h) * roi[2] + w0);
    }
  }
  return out;
}

/** The inverse: writes a region [roi] into `target` [size] at `start`; parts outside are dropped. */
export function paste<A extends VoxelArray>(target: A, size: Triple, region: A, start: Triple, roi: Triple): void {
  const w0 = Math.max(0, -start[2]),
    w1 = Math.min(roi[2], size[2] - start[2]);
  if (w1 <= w0) return;
  for (let d = Math.max(0, -start[0]); d < Math.min(roi[0], size[0] - start[0]); d++) {
    for (let h = Math.max(0, -start[1]); h < Math.min(roi[1], size[1] - start[1]); h++) {
      const row = (d * roi[1] + h) * roi[2];
      target.set(region.subarray(row + w0, row + w1), ((d + start[0]) * size[1] + h + start[1]) * size[2] + start[2] + w0);
    }
  }
}

/**
 * The sample of shape `roi` at `start`. Outside the scan: image = the window's lower end, label 0, weight 0. RangeError without a label.
 */
export function cutSample(prepared: PreparedCase, start: Triple, roi: Triple): Sample {
  const {
    image,
    label,
    weight,
    grid: { size },
    outside,
    name,
  } = prepared;
  if (!label || !weight) throw new RangeError(`cutSample: case "${name}" has no label.`);
  return {
    image: crop(image, size, start, roi, outside),
    label: crop(label, size, start, roi, 0),
    weight: crop(weight, size, start, roi, 0),
    size: [...roi],
  };
}

/** Centre [d, h, w] of the box around the annotated foreground, or of the volume where there is none. */
export function noduleCentre({ label, weight, grid: { size } }: PreparedCase): Triple {
  const low: Triple = [Infinity, Infinity, Infinity],
    high: Triple = [-1, -1, -1];
  if (label && weight)
    for (let d = 0, i = 0; d < size[0]; d++)
      for (let h = 0; h < size[1]; h++)
        for (let w = 0; w < size[2]; w++, i++) {
          if (!label[i] || !weight[i]) continue;
          [d, h, w].forEach((v, axis) => {
            low[axis] = Math.min(low[axis], v);
            high[axis] = Math.max(high[axis], v);
          });
        }
  return high[0] < 0 ? (size.map((n) => (n - 1) / 2) as Triple) : (low.map((v, axis) => (v + high[axis]) / 2) as Triple);
}

/** Start of a nodule region: the nodule's centre, jittered where `draw` is given (training). */
export function noduleStart(prepared: PreparedCase, roi: Triple, draw?: PhiloxCursor, jitter: Triple = NODULE_JITTER): Triple {
  const centre = noduleCentre(prepared);
  return startAround(draw ? (centre.map((c, axis) => c + draw.int(2 * jitter[axis] + 1) - jitter[axis]) as Triple) : centre, roi);
}

/** Annotated foreground voxels by class: indices into the volume; empty lists for classes without any. Compute once a case. */
export function foregroundVoxels({ label, weight }: PreparedCase, classes: number): Uint32Array[] {
  const lists: number[][] = Array.from({ length: classes }, () => []);
  if (label && weight) for (let i = 0; i < label.length; i++) if (label[i] && weight[i]) lists[label[i]].push(i);
  return lists.map((list) => Uint32Array.from(list));
}

/**
 * Start of a random patch: with probability `foregroundShare` centred on an annotated foreground voxel (first a class, then a
 * voxel of it, so that small organs are seen as often), else anywhere. Kept inside the volume where the volume is large enough.
 */
export function patchStart(
  size: Triple,
  roi: Triple,
  foreground: readonly Uint32Array[],
  draw: PhiloxCursor,
  foregroundShare = FOREGROUND_SHARE,
): Triple {
  const present = foreground.filter((list) => list.length > 0);
  const wanted = draw.chance(foregroundShare),
    classDraw = draw.uniform(),
    voxelDraw = draw.uniform();
  const anywhere = [0, 1, 2].map(() => draw.uniform()); // always drawn: the next numbers do not depend on the branch
  let start: Triple;
  if (wanted && present.length > 0) {
    const list = present[Math.floor(classDraw * present.length)],
      i = list[Math.floor(voxelDraw * list.length)];
    start = startAround([Math.floor(i / (size[1] * size[2])), Math.floor(i / size[2]) % size[1], i % size[2]], roi);
  } else {
    start = anywhere.map((u, axis) => Math.floor(u * (Math.max(0, size[axis] - roi[axis]) + 1))) as Triple;
  }
  return start.map((s, axis) =>
    size[axis] <= roi[axis] ? Math.floor((size[axis] - roi[axis]) / 2) : Math.min(size[axis] - roi[axis], Math.max(0, s)),
  ) as Triple;
}
