// SPDX-License-Identifier: MIT
// What a file promises and whether it can keep it, before any decoder allocates for it. ITK reads a truncated .nii.gz without
// complaint and fills the rest with zeros (seen with @itk-wasm/image-io 1.6.1), so the stream is checked here, to its CRC.
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createInflate, gunzipSync } from 'node:zlib';
import { DataError } from '../errors.ts';
import { assertFile, unreadable } from '../files/regular.ts';
import { assertOrthogonal } from './geometry.ts';
import { FloatScan, type FloatLayout } from './float_scan.ts';
import { parseMetaImage, parseNrrd } from './header_text.ts';
import { checkSpacing, isNifti, parseNifti } from './header_nifti.ts';

/** What the first bytes of a file say. */
export interface Header {
  /** Size along every stored dimension, x first. */
  readonly dims: readonly number[];
  /** Values a voxel: 1 for a scalar image. */
  readonly components: number;
  /** Direction (any length) of axes x, y, z; null where the format gives none or always gives an orthogonal one. */
  readonly axes: readonly (readonly number[])[] | null;
  /** The file that holds the voxels, the offset of their stream in it (null: counted from the end), its coding (null: unchecked). */
  readonly dataFile: string;
  readonly start: number | null;
  readonly coding: 'raw' | 'gzip' | 'zlib' | null;
  /** Bytes of the stream once decoded. */
  readonly bytes: number;
  /** Set where the decoder would hide NaN and infinities (NIfTI): how the floats lie in the stream. */
  readonly floats?: FloatLayout;
  /** Set where the decoder may inflate wrongly (MetaImage): the length of the stream as stated, and a header for inflated voxels. */
  readonly inflate?: { readonly stated: number; readonly head: string };
  /** Spacing beside `axes`, where a format says it twice (NIfTI). */
  readonly pixdim?: readonly number[];
  /** The field that would state the voxel spacing, where the file has none and 1 mm is assumed. */
  readonly noSpacing?: string;
  /** Added by the decoder although the format says it must not be (NIfTI with scl_slope 0): to be taken off again. */
  readonly wrongIntercept?: number;
}

/** A header whose file was read to the end; `voxels` are the inflated bytes where the decoder would get them wrong. */
export interface CheckedHeader extends Header { readonly voxels?: Buffer }

/** File name endings that are read and written. */
export const VOLUME_ENDINGS = ['.nii.gz', '.nii', '.nrrd', '.nhdr', '.mha', '.mhd'] as const;
/** More voxels than this are refused: f32 copies would pass the decoder's 4 GiB. */
const MAX_VOXELS = 2 ** 30;
const HEAD_BYTES = 65536;
/** Deflate cannot pack more than about 1032 to 1. */
const DEFLATE_LIMIT = 1100;

/** The ending of `file` among `VOLUME_ENDINGS`, or undefined. Lower case only: ITK knows no other. */
export function volumeEnding(file: string): (typeof VOLUME_ENDINGS)[number] | undefined {
  const name = basename(file);
  return VOLUME_ENDINGS.find((ending) => name.endsWith(ending));
}

async function firstBytes(file: string): Promise<Buffer> {
  assertFile(file);
  let handle;
  try {
    handle = await open(file, 'r');
    const buffer = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    throw unreadable(file, cause);
  } finally {
    await handle?.close();
  }
}

function damaged(file: string, cause: unknown): DataError {
  const code = (cause as NodeJS.ErrnoException).code;
  return code === 'Z_BUF_ERROR'
    ? new DataError(`${file}: the compressed data stop early (truncated file).`, 'Copy or download the file again.', { cause })
    : new DataError(`${file}: the compressed data are corrupt (${(cause as Error).message}).`, 'Copy or download the file again.', { cause });
}

/** Reads and checks the first bytes only: dimensions, voxel type, axes. DataError names the file. */
export async function readHeader(file: string): Promise<Header> {
  const ending = volumeEnding(file);
  if (!ending) {
    throw new DataError(`${file}: unknown kind of volume, got "${basename(file)}", expected a name ending in ${VOLUME_ENDINGS.join(', ')} or a folder of DICOM files.`);
  }
  let head = await firstBytes(file);
  if (ending === '.nii.gz') {
    if (isNifti(head)) {
      throw new DataError(`${file}: not compressed, got a NIfTI header, expected gzip as the name ends in .nii.gz.`, `Rename it to ${basename(file, '.gz')}, or compress it with gzip.`);
    }
    try {
      // Z_SYNC_FLUSH: give what these bytes hold, though the stream goes on.
      head = gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: HEAD_BYTES * DEFLATE_LIMIT });
    } catch (cause) {
      throw damaged(file, cause);
    }
  }
  const header = ending === '.nii' || ending === '.nii.gz' ? parseNifti(file, head, ending === '.nii.gz')
    : ending === '.mha' || ending === '.mhd' ? parseMetaImage(file, head) : parseNrrd(file, head);
  checkPromises(file, header);
  return header;
}

function checkPromises(file: string, header: Header): void {
  const { dims } = header;
  if (dims.some((n) => !Number.isSafeInteger(n) || n < 1)) {
    throw new DataError(`${file}: impossible dimensions in the header, got ${dims.join(' x ')}, expected positive integers.`, 'The header is damaged: convert the scan again.');
  }
  if (dims.length < 3 || dims.slice(3).some((n) => n !== 1)) {
    throw new DataError(`${file}: not a 3D volume, got ${dims.length} dimensions (${dims.join(' x ')}), expected 3.`,
      dims.length < 3 ? 'Stack the slices into one volume.' : 'Extract one time point or channel as a 3D file.');
  }
  if (header.components !== 1) {
    throw new DataError(`${file}: not a scalar image, got ${header.components} values a voxel, expected 1.`, 'Convert it to one grey value or label a voxel.');
  }
  const voxels = dims.reduce((a, b) => a * b, 1);
  if (voxels > MAX_VOXELS) {
    throw new DataError(`${file}: the header promises ${voxels.toExponential(2)} voxels (${dims.join(' x ')}), got more than the limit of ${MAX_VOXELS}.`, 'If the scan is really that large, crop it; otherwise the header is damaged.');
  }
  if (header.axes) assertOrthogonal(file, header.axes);
  if (header.pixdim) checkSpacing(file, header.pixdim, header.axes);
}

/** `readHeader`, then the voxel stream: long enough, and decoded to its check sum where compressed. DataError names the file. */
export async function checkFile(file: string): Promise<CheckedHeader> {
  const header = await readHeader(file);
  const { dataFile, coding, bytes } = header;
  let available: number;
  try {
    available = (await stat(dataFile)).size;
  } catch (cause) {
    if (dataFile === file) throw unreadable(file, cause);
    throw new DataError(`${file}: names a data file that cannot be read, got "${dataFile}".`, 'Keep the header and its data file together, under their original names.', { cause });
  }
  const start = header.start ?? Math.max(0, available - bytes);
  const short = (got: number): DataError => new DataError(
    `${dataFile}: holds fewer voxels than its header promises, got ${got} bytes, expected ${bytes} (${header.dims.join(' x ')} voxels).`, 'The file is truncated: copy or download it again.');
  if (coding === 'raw' && available - start < bytes) throw short(Math.max(0, available - start));
  if (coding && (available - start) * DEFLATE_LIMIT < bytes) throw short(available - start);
  if (coding && (coding !== 'raw' || header.floats)) {
    const scan = header.floats && new FloatScan(header.floats, header.dims.reduce((a, b) => a * b, 1));
    const voxels = header.inflate && header.inflate.stated !== available - start ? room(file, bytes) : undefined;
    const decoded = await decode(dataFile, start, coding, { scan, into: voxels });
    if (decoded < bytes) throw short(decoded);
    if (scan && scan.count > 0) throw notFinite(file, scan.count, scan.first, header.dims);
    if (voxels) return { ...header, voxels };
  }
  return header;
}

/** The DataError for NaN or infinite voxels; `first` is the index of one of them, x fastest in `dims` [x, y, z]. */
export function notFinite(file: string, count: number, first: number, dims: readonly number[]): DataError {
  const x = first % dims[0], y = Math.floor(first / dims[0]) % dims[1], z = Math.floor(first / dims[0] / dims[1]);
  return new DataError(`${file}: values that are not finite, got ${count} NaN or infinite voxels (the first at x ${x}, y ${y}, z ${z}), expected finite numbers.`,
    'Replace them, for example by -1024 outside the scanned field.');
}

function room(file: string, bytes: number): Buffer {
  try {
    return Buffer.allocUnsafeSlow(bytes);
  } catch (cause) {
    throw new DataError(`${file}: too large to hold in memory, got ${bytes} bytes of voxels.`, 'Crop the scan, or store it uncompressed.', { cause });
  }
}

/** Decodes a stream to its end (check sums included), keeping what fits in `into`; returns its length. */
async function decode(file: string, start: number, coding: 'raw' | 'gzip' | 'zlib', { scan, into }: { scan?: FloatScan; into?: Buffer }): Promise<number> {
  const options = { chunkSize: 1 << 18 };
  let length = 0;
  try {
    await pipeline(
      createReadStream(file, { start, highWaterMark: 1 << 18 }),
      coding === 'gzip' ? createGunzip(options) : coding === 'zlib' ? createInflate(options) : new PassThrough(),
      async (decoded: AsyncIterable<Buffer>) => { 
        for await (const chunk of decoded) {
          if (into && length < into.length) chunk.copy(into, length);
          length += chunk.length;
          scan?.feed(chunk);
        }
      },
    );
  } catch (cause) {
    throw damaged(file, cause);
  }
  return length;
}
