// SPDX-License-Identifier: MIT
// Volumes as files that a person dropped on a page, or as bytes in memory.
import type { Volume } from '../../data/volume.ts';
import { DataError } from '../../errors.ts';
import { decodeVolume } from '../decode.ts';
import { encodeVolume } from '../encode.ts';
import { fflateCodec } from '../fflate.ts';
import type { ByteSource, Tell } from '../source.ts';

/** A file of a page: bytes, or a Blob (a File is one), of which no more is read than is asked for. */
export type PageFile = Uint8Array | Blob;

export function bytesOf(file: PageFile): ByteSource {
  if (file instanceof Uint8Array) return { size: file.length, read: async (start, end) => file.slice(start, end) };
  return { size: file.size, read: async (start, end) => new Uint8Array(await file.slice(start, end).arrayBuffer()) };
}

/** Reads a volume; the name's ending chooses the format, `beside` finds the data file that a header names. DataError as `decodeVolume`. */
export function readVolume(
  name: string,
  file: PageFile,
  { beside, tell }: { beside?: (name: string) => PageFile | undefined; tell?: Tell } = {},
): Promise<Volume> {
  return decodeVolume({
    file: name,
    source: bytesOf(file),
    codec: fflateCodec,
    ...(tell && { tell }),
    async beside(other) {
      const found = beside?.(other);
      if (!found)
        throw new DataError(
          `${name}: names a data file that is not there, got "${other}".`,
          'Add the header and its data file together, under their original names.',
        );
      return bytesOf(found);
    },
  });
}

/** The bytes of a volume as a file of that name. DataError for a format of two files (.nhdr, .mhd) and for what is no volume. */
export async function volumeBytes(name: string, volume: Volume, compress = true): Promise<Uint8Array> {
  const files = await encodeVolume(name, volume, compress, fflateCodec);
  if (files.length !== 1) throw new DataError(`${name}: would be ${files.length} files, expected one.`, 'Choose .nii.gz, .nrrd or .mha.');
  return new Uint8Array(await new Blob(files[0].parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}
