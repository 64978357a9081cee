// SPDX-License-Identifier: MIT
// File names of volumes.

/** File name endings that are read and written. */
export const VOLUME_ENDINGS = ['.nii.gz', '.nii', '.nrrd', '.nhdr', '.mha', '.mhd'] as const;
export type VolumeEnding = (typeof VOLUME_ENDINGS)[number];

/** The ending of `file` among `VOLUME_ENDINGS`, or undefined. Lower case only: other software knows no other. */
export function volumeEnding(file: string): VolumeEnding | undefined {
  const name = file.split(/[\\/]/).pop()!;
  return VOLUME_ENDINGS.find((ending) => name.endsWith(ending));
}
