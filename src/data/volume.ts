// SPDX-License-Identifier: MIT
// A volume in memory. Its files are read and written by io/.
import type { Geometry } from './geometry.ts';

/** Voxel storage. 64-bit integers in files become float64. */
export type VoxelArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array;

/** Voxels [D, H, W], W fastest, and where they lie. */
export interface Volume extends Geometry {
  readonly data: VoxelArray;
}
