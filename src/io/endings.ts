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

const OTHERS = /\.(nii|nrrd|nhdr|mha|mhd|hdr|img|mgz|mgh|mnc|gipl)(\.(gz|bz2|xz|zst|zip))?$/i;

/**
 * Names of a folder that a person takes for volumes and that are not read: another format, or capitals in the ending. Not what lies beside
 * a volume of its name, such as the voxels of a header.
 */
export function notRead(files: readonly string[]): string[] {
  const stems = new Set(files.map((file) => file.slice(0, -(volumeEnding(file)?.length ?? file.length))));
  return files.filter((file) => volumeEnding(file) === undefined && OTHERS.test(file) && !stems.has(file.replace(OTHERS, '')));
}
