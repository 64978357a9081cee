// SPDX-License-Identifier: MIT
// Boundary voxels of a binary mask, and the face of the crop, which is no boundary of anything in the patient.
//
// Rule (specification 8): a boundary voxel has a 6-neighbour (4-neighbour in a slice) outside the mask. Voxels beyond the volume
// count as outside, so the mask of a nodule that runs into the last slice is closed there and distances can be measured to that
// face; but a voxel that is boundary only because the volume ends is not scored itself: where a crop ends says nothing about where
// the nodule does.

/** A mask voxel with an outside neighbour within the volume. */
import type { Triple } from '../axes.ts';
export const SCORED = 1;
/** A mask voxel whose only outside neighbours lie beyond the volume: a target of distances, not scored. */
export const FACE = 2;

/** A binary mask in a box of a larger volume. */
export interface BoxedMask {
  mask: Uint8Array;
  size: Readonly<Triple>;
  origin: Readonly<Triple>;
  volume: Readonly<Triple>;
}

/** Marks every voxel 0 (no boundary), `SCORED` or `FACE`. `planar` looks at in-slice neighbours only. */
export function boundaryVoxels({ mask, size, origin, volume }: BoxedMask, planar = false): Uint8Array {
  const marks = new Uint8Array(mask.length);
  const strides = [size[1] * size[2], size[2], 1];
  const at = [0, 0, 0];
  let i = 0;
  for (at[0] = 0; at[0] < size[0]; at[0]++) {
    for (at[1] = 0; at[1] < size[1]; at[1]++) {
      for (at[2] = 0; at[2] < size[2]; at[2]++, i++) {
        if (mask[i] === 0) continue;
        let mark = 0;
        for (let axis = planar ? 1 : 0; axis < 3 && mark !== SCORED; axis++) {
          for (let step = -1; step <= 1; step += 2) {
            const inBox = at[axis] + step;
            if (inBox >= 0 && inBox < size[axis]) {
              if (mask[i + step * strides[axis]] === 0) mark = SCORED;
            } else {
              // Beyond the box there is no mask; whether that is background or the end of the volume decides.
              const inVolume = inBox + origin[axis];
              if (inVolume >= 0 && inVolume < volume[axis]) mark = SCORED;
              else if (mark === 0) mark = FACE;
            }
          }
        }
        marks[i] = mark;
      }
    }
  }
  return marks;
}

/**
 * Flat indices of the voxels that are scored. A mask whose whole boundary is the crop face (it fills the volume) has nothing else
 * to show: then the face is scored, so that such a prediction cannot escape its score.
 */
export function scoredVoxels(marks: Uint8Array): Uint32Array {
  let scored = 0,
    face = 0;
  for (const mark of marks) {
    if (mark === SCORED) scored++;
    else if (mark === FACE) face++;
  }
  const wanted = scored > 0 ? SCORED : FACE;
  const list = new Uint32Array(scored > 0 ? scored : face);
  for (let i = 0, n = 0; i < marks.length; i++) if (marks[i] === wanted) list[n++] = i;
  return list;
}
