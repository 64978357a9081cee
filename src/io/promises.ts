// SPDX-License-Identifier: MIT
// What every format's header promises, held against what can be read and what the file holds, before anything is allocated for it.
import type { Triple } from '../axes.ts';
import { assertOrthogonal, type Geometry } from '../data/geometry.ts';
import type { VoxelArray } from '../data/volume.ts';
import { DataError } from '../errors.ts';
import { DEFLATE_LIMIT, type Inflated } from './packed.ts';
import type { ByteSource } from './source.ts';

/** More voxels than this are refused: the copies that the work needs would pass any memory. */
const MAX_VOXELS = 2 ** 30;
/**
 * Bytes that a file packed more than `TIGHT` to 1 may promise (a mask of 512 x 512 x 1000 voxels of 16 bits); masks pack so well, and so do
 * traps.
 */
const TIGHT_BYTES = 2 ** 29;
const TIGHT = 200;
/** Padding behind the voxels, which some tools and tapes leave. */
const PADDING = 2 ** 16;

/** The voxels of a header: how many along [x, y, z], stored in how many bytes. */
export interface Promised {
  readonly dims: readonly number[];
  readonly bytes: number;
}

/** DataError unless `dims` (x first) and `components` are those of a 3D scalar volume of a size that can be held. */
export function checkDims(file: string, dims: readonly number[], components = 1): void {
  if (dims.some((n) => !Number.isSafeInteger(n) || n < 1)) {
    throw new DataError(
      `${file}: impossible dimensions in the header, got ${dims.join(' x ')}, expected positive integers.`,
      'The header is damaged: convert the scan again.',
    );
  }
  if (dims.length < 3 || dims.slice(3).some((n) => n !== 1)) {
    throw new DataError(
      `${file}: not a 3D volume, got ${dims.length} dimensions (${dims.join(' x ')}), expected 3.`,
      dims.length < 3 ? 'Stack the slices into one volume.' : 'Extract one time point or channel as a 3D file.',
    );
  }
  if (components !== 1)
    throw new DataError(
      `${file}: not a scalar image, got ${components} values a voxel, expected 1.`,
      'Convert it to one grey value or label a voxel.',
    );
  const voxels = dims.reduce((a, b) => a * b, 1);
  if (voxels > MAX_VOXELS) {
    throw new DataError(
      `${file}: the header promises ${voxels.toExponential(2)} voxels (${dims.join(' x ')}), got more than the limit of ${MAX_VOXELS}.`,
      'If the scan is really that large, crop it; otherwise the header is damaged.',
    );
  }
}

const short = (file: string, { dims, bytes }: Promised, got: number, before: number): DataError =>
  new DataError(
    `${file}: holds fewer voxels than its header promises, got ${before + got} bytes, expected ${before + bytes} ` +
      `(${dims.join(' x ')} voxels).`,
    'The file is truncated: copy or download it again.',
  );

/** DataError unless what follows the voxels is padding. Zeros that make it 2, 4 or 8 times as much are voxels of a wider type. */
function checkRest(file: string, { dims, bytes }: Promised, rest: Uint8Array, length: number, before: number): void {
  const padding = length <= PADDING && ![1, 3, 7].includes(length / bytes) && rest.every((b) => b === 0 || b === 10 || b === 13);
  if (length > 0 && !padding) {
    throw new DataError(
      `${file}: holds more than its header promises, got ${before + bytes + length}` +
        `${length > PADDING && rest.length === length ? ' or more' : ''} bytes, expected ${before + bytes} (${dims.join(' x ')} ` +
        'voxels).',
      "The header's size or voxel type does not fit the data: convert the scan again from its source.",
    );
  }
}

/** Voxels at `start` of a file that is not compressed; `before`: bytes of header to count with them in messages. */
export async function storedVoxels(file: string, source: ByteSource, start: number, promised: Promised, before = 0): Promise<Uint8Array> {
  const end = start + promised.bytes;
  if (source.size < end) throw short(file, promised, Math.max(0, source.size - start), before);
  checkRest(file, promised, await source.read(end, Math.min(source.size, end + PADDING)), source.size - end, before);
  return source.read(start, end);
}

/** DataError where `packed` bytes cannot become those promised, or more than a trap should be allowed. */
export function checkPacked(file: string, packed: number, promised: Promised, before = 0): void {
  if (packed * DEFLATE_LIMIT < promised.bytes) throw short(file, promised, packed, before);
  if (packed * TIGHT < promised.bytes && promised.bytes > TIGHT_BYTES) {
    throw new DataError(
      `${file}: promises ${promised.bytes} bytes of voxels (${promised.dims.join(' x ')}) in ${packed} compressed ones, expected ` +
        `at most ${TIGHT_BYTES} where it packs better than ${TIGHT} to 1.`,
      'If the scan is really that large and that empty, crop it or store it uncompressed; otherwise the file is damaged.',
    );
  }
}

/** The next voxels of a compressed stream, then its check sums. */
export async function inflatedVoxels(file: string, stream: Inflated, promised: Promised, before = 0): Promise<Uint8Array> {
  const voxels = await stream.take(promised.bytes),
    rest = await stream.rest(PADDING);
  if (voxels.length < promised.bytes) throw short(file, promised, voxels.length, before);
  checkRest(file, promised, rest, rest.length, before);
  return voxels;
}

/** The DataError for NaN or infinite voxels; `first` is the index of one of them, x fastest in `dims` [x, y, z]. */
export function notFinite(file: string, count: number, first: number, dims: readonly number[]): DataError {
  const x = first % dims[0],
    y = Math.floor(first / dims[0]) % dims[1],
    z = Math.floor(first / dims[0] / dims[1]);
  return new DataError(
    `${file}: values that are not finite, got ${count} NaN or infinite voxels (the first at x ${x}, y ${y}, z ${z}), expected ` +
      'finite numbers.',
    'Replace them, for example by -1024 outside the scanned field.',
  );
}

export function checkFinite(file: string, data: VoxelArray, dims: readonly number[]): void {
  if (!(data instanceof Float32Array) && !(data instanceof Float64Array)) return;
  let count = 0,
    first = -1;
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i])) {
      if (count++ === 0) first = i;
    }
  if (count > 0) throw notFinite(file, count, first, dims);
}

/**
 * The grid of `dims` [x, y, z] voxels at `origin` with one step along x, y and z in `axes`, LPS mm. DataError unless the axes are
 * perpendicular and all numbers finite. `spacing` [x, y, z], where a format states it beside the axes.
 */
export function geometryOf(
  file: string,
  dims: readonly number[],
  axes: readonly (readonly number[])[],
  origin: readonly number[],
  spacing = axes.map((v) => Math.hypot(...v)),
): Geometry {
  assertOrthogonal(file, axes);
  if (spacing.some((s) => !(s > 0) || !Number.isFinite(s)) || origin.some((o) => !Number.isFinite(o))) {
    throw new DataError(
      `${file}: spacing or origin is not usable, got spacing ${spacing.join(', ')} mm and origin ${origin.join(', ')}, expected ` +
        'positive and finite numbers.',
      'Set the voxel spacing and the origin in the header.',
    );
  }
  const unit = axes.map((v) => v.map((x) => x / Math.hypot(...v)));
  return {
    size: [dims[2], dims[1], dims[0]],
    spacing: [spacing[2], spacing[1], spacing[0]],
    origin: [...origin].map((x) => x + 0) as Triple, // + 0: no negative zeros
    direction: [0, 1, 2].flatMap((row) => unit.map((v) => v[row] + 0)),
  };
}
