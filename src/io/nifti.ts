// SPDX-License-Identifier: MIT
// Reading NIfTI-1 and NIfTI-2, .nii and .nii.gz.
import type { Volume } from '../data/volume.ts';
import { DataError } from '../errors.ts';
import { scaled, voxelsOf } from './elements.ts';
import { isNifti, NIFTI1_BYTES, NIFTI2_BYTES, parseNifti } from './nifti_header.ts';
import { orientation } from './nifti_orientation.ts';
import { Inflated, isGzip } from './packed.ts';
import { checkFinite, checkPacked, inflatedVoxels, storedVoxels } from './promises.ts';
import type { Input } from './source.ts';

/** Reads a NIfTI file. DataError naming the field, or saying that the file holds fewer or more voxels than promised. */
export async function readNifti({ file, source, codec, tell }: Input, gzipped: boolean): Promise<Volume> {
  const first = await source.read(0, Math.min(source.size, NIFTI2_BYTES));
  if (gzipped && isNifti(first)) {
    throw new DataError(
      `${file}: not compressed, got a NIfTI header, expected gzip as the name ends in .nii.gz.`,
      `Rename it to ${file.split(/[\\/]/).pop()!.replace(/\.gz$/, '')}, or compress it with gzip.`,
    );
  }
  if (!gzipped && isGzip(first))
    throw new DataError(
      `${file}: compressed, got gzip, expected a NIfTI header as the name ends in .nii.`,
      `Rename it to ${file.split(/[\\/]/).pop()}.gz.`,
    );
  const packed = gzipped ? new Inflated(codec.unpack(file, await source.read(0, source.size), 'gzip')) : undefined;
  const header = parseNifti(file, packed ? await headOf(packed) : first);
  const { dims, start, element, little, scale, forms } = header;
  if (packed) checkPacked(file, source.size, header, start);
  const grid = orientation(file, dims, forms, tell);
  if (packed) await packed.skip(start - packed.taken);
  const stored = voxelsOf(
    file,
    await (packed ? inflatedVoxels(file, packed, header, start) : storedVoxels(file, source, start, header, start)),
    element,
    little,
  );
  checkFinite(file, stored, dims);
  const data = scale ? scaled(stored, ...scale) : stored;
  if (scale) checkFinite(file, data, dims);
  return { ...grid, data };
}

/** As much of a stream as is header: the voxels of NIfTI-1 may begin where NIfTI-2's header goes on. */
async function headOf(packed: Inflated): Promise<Uint8Array> {
  const head = await packed.take(NIFTI1_BYTES);
  return (head[0] === 0x1c && head[1] === 2) || (head[2] === 2 && head[3] === 0x1c)
    ? Uint8Array.from([...head, ...(await packed.take(NIFTI2_BYTES - NIFTI1_BYTES))])
    : head; // 540 in either byte order
}
