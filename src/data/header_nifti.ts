// SPDX-License-Identifier: MIT
// The fields of a NIfTI-1 or NIfTI-2 header that decide whether the file can be read (nifti1.h, nifti2.h).
import { DataError } from '../errors.ts';
import type { Header } from './header.ts';

// datatype code -> bytes a voxel, and values a voxel where not scalar.
const BYTES: Record<number, number> = { 2: 1, 4: 2, 8: 4, 16: 4, 64: 8, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8 };
const COMPONENTS: Record<number, [components: number, bytes: number]> = { 32: [2, 8], 128: [3, 3], 1792: [2, 16], 2304: [4, 4] };

/** Spacing and the length of an sform's columns may differ by this share: both are rounded to f32, and some tools round more. */
const SPACING_TOLERANCE = 1e-3;

/** True if `head` starts as an uncompressed NIfTI file does. */
export function isNifti(head: Buffer): boolean {
  return head.length >= 348 && [head.readInt32LE(0), head.readInt32BE(0)].some((size) => size === 348 || size === 540);
}

/**
 * The decoder takes pixdim, others take the sform (perpendicular `axes`, or null): where the two disagree, volumes and distances
 * would depend on who reads.
 */
export function checkSpacing(file: string, pixdim: readonly number[], axes: readonly (readonly number[])[] | null): void {
  const list = (v: readonly number[]): string => v.map((x) => Number(x.toPrecision(6))).join(' x ');
  if (axes) {
    const columns = axes.map((v) => Math.hypot(...v));
    if (columns.some((c, i) => !(Math.abs(c - Math.abs(pixdim[i])) <= SPACING_TOLERANCE * c))) {
      throw new DataError(`${file}: two voxel spacings, got pixdim ${list(pixdim)} mm and sform columns of ${list(columns)} mm, expected the same.`,
        'Find out which one is right and correct the other in the header (for example with nibabel: image.header.set_zooms).');
    }
  } else if (pixdim.some((p) => p === 0 || !Number.isFinite(p))) {
    throw new DataError(`${file}: no voxel spacing, got pixdim ${list(pixdim)} and no sform, expected millimetres above 0.`, 'Set pixdim in the header, or convert the scan again from its source.');
  }
}

/** Parses the first bytes (already gunzipped) of `file`; `gzipped` says how the whole file is stored. */
export function parseNifti(file: string, head: Buffer, gzipped: boolean): Header {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 348) {
    throw new DataError(`${file}: too short for a NIfTI header, got ${head.length} bytes, expected at least 348.`, 'The file is empty or truncated: copy it again.');
  }
  const little = view.getInt32(0, true) === 348 || view.getInt32(0, true) === 540;
  const headerSize = view.getInt32(0, little);
  if (headerSize !== 348 && headerSize !== 540) {
    throw new DataError(`${file}: not a NIfTI file, got a header size of ${view.getInt32(0, true)}, expected 348 or 540.`, 'Check that the name\'s ending fits the content.');
  }
  const v2 = headerSize === 540;
  if (v2 && head.length < 540) {
    throw new DataError(`${file}: too short for a NIfTI-2 header, got ${head.length} bytes, expected at least 540.`, 'The file is truncated: copy it again.');
  }
  const rank = v2 ? Number(view.getBigInt64(16, little)) : view.getInt16(40, little);
  if (rank < 1 || rank > 7) {
    throw new DataError(`${file}: impossible number of dimensions in the header, got ${rank}, expected 3.`, 'The header is damaged: convert the scan again.');
  }
  const dims = Array.from({ length: rank }, (_, i) => (v2 ? Number(view.getBigInt64(24 + 8 * i, little)) : view.getInt16(42 + 2 * i, little)));
  const type = view.getInt16(v2 ? 12 : 70, little);
  const [components, bytesPerVoxel] = COMPONENTS[type] ?? [1, BYTES[type]];
  if (bytesPerVoxel === undefined) {
    throw new DataError(`${file}: unknown NIfTI data type, got code ${type}, expected one of ${Object.keys(BYTES).join(', ')}.`, 'Convert the file to int16 or float32.');
  }
  const offset = v2 ? Number(view.getBigInt64(168, little)) : view.getFloat32(108, little);
  const slope = v2 ? view.getFloat64(176, little) : view.getFloat32(112, little);
  const intercept = v2 ? view.getFloat64(184, little) : view.getFloat32(116, little);
  const sformCode = v2 ? view.getInt32(348, little) : view.getInt16(254, little);
  const entry = (row: number, column: number): number => (v2 ? view.getFloat64(400 + 32 * row + 8 * column, little) : view.getFloat32(280 + 16 * row + 4 * column, little));
  // A quaternion (qform) is orthogonal by construction; only an sform can be sheared.
  const axes = sformCode > 0 ? [0, 1, 2].map((column) => [entry(0, column), entry(1, column), entry(2, column)]) : null;
  const dataOffset = Math.max(offset, headerSize);
  return {
    dims, components, axes, pixdim: [1, 2, 3].map((i) => (v2 ? view.getFloat64(104 + 8 * i, little) : view.getFloat32(76 + 4 * i, little))), dataFile: file, start: 0, coding: gzipped ? 'gzip' : 'raw',
    bytes: dataOffset + dims.reduce((a, b) => a * b, 1) * bytesPerVoxel,
    floats: type === 16 || type === 64 ? { offset: dataOffset, bytes: type === 16 ? 4 : 8, little } : undefined,
    wrongIntercept: slope === 0 && intercept !== 0 && Number.isFinite(intercept) ? intercept : undefined,
  };
}
