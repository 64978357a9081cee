// SPDX-License-Identifier: MIT
// The header of NIfTI-1 and NIfTI-2 (nifti1.h, nifti2.h), field by field; what is no number or contradicts itself is refused by name.
import { DataError } from '../errors.ts';
import type { Element } from './elements.ts';
import { checkDims, type Promised } from './promises.ts';

export const NIFTI1_BYTES = 348,
  NIFTI2_BYTES = 540;

/** NIfTI data types that are read. */
const TYPES: Readonly<Record<number, Element>> = {
  2: 'uint8',
  4: 'int16',
  8: 'int32',
  16: 'float32',
  64: 'float64',
  256: 'int8',
  512: 'uint16',
  768: 'uint32',
  1024: 'int64',
  1280: 'uint64',
};
const BITS: Readonly<Record<Element, number>> = {
  int8: 8,
  uint8: 8,
  int16: 16,
  uint16: 16,
  int32: 32,
  uint32: 32,
  int64: 64,
  uint64: 64,
  float32: 32,
  float64: 64,
};
/** Values a voxel of those that are not scalar: complex, RGB, RGBA. */
const COMPONENTS: Readonly<Record<number, number>> = { 32: 2, 128: 3, 1792: 2, 2048: 2, 2304: 4 };
const NAMES: Readonly<Record<number, string>> = { 1: 'single bits', 1536: '128-bit floats' };
/** Millimetres of the unit codes; 0, where none is stated, is millimetres too. */
const UNITS: Readonly<Record<number, number>> = { 0: 1, 1: 1000, 2: 1, 3: 0.001 };
const CODES = 5;

/** What the forms of orientation say: RAS, in the file's units. */
export interface Forms {
  readonly pixdim: readonly number[];
  readonly qfac: number;
  readonly quaternion: readonly number[];
  readonly offset: readonly number[];
  /** Three rows of four. */
  readonly rows: readonly (readonly number[])[];
  readonly qformCode: number;
  readonly sformCode: number;
  /** Millimetres of the file's unit. */
  readonly unit: number;
  /** Of the floats that it is stored in. */
  readonly epsilon: number;
}

export interface NiftiHeader extends Promised {
  readonly little: boolean;
  readonly element: Element;
  /** Where the voxels begin. */
  readonly start: number;
  /** Voxel = slope * stored + intercept; null: as stored. */
  readonly scale: readonly [slope: number, intercept: number] | null;
  readonly forms: Forms;
}

/** True if `head` starts as an uncompressed NIfTI file does. */
export function isNifti(head: Uint8Array): boolean {
  if (head.length < NIFTI1_BYTES) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return [view.getInt32(0, true), view.getInt32(0, false)].some((size) => size === NIFTI1_BYTES || size === NIFTI2_BYTES);
}

const damage = (file: string, field: string, got: string | number | bigint, expected: string): DataError =>
  new DataError(
    `${file}: header field ${field}, got ${got}, expected ${expected}.`,
    'The header is damaged: convert the scan again from its source.',
  );

/** Parses the first bytes of a file, decompressed. DataError names the field. */
export function parseNifti(file: string, head: Uint8Array): NiftiHeader {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < NIFTI1_BYTES) {
    throw new DataError(
      `${file}: too short for a NIfTI header, got ${head.length} bytes, expected at least ${NIFTI1_BYTES}.`,
      'The file is empty or truncated: copy it again.',
    );
  }
  const little = [NIFTI1_BYTES, NIFTI2_BYTES].includes(view.getInt32(0, true)),
    size = view.getInt32(0, little),
    v2 = size === NIFTI2_BYTES;
  if (size !== NIFTI1_BYTES && !v2) {
    throw new DataError(
      `${file}: not a NIfTI file, got a header size of ${view.getInt32(0, true)}, expected ${NIFTI1_BYTES} or ${NIFTI2_BYTES}.`,
      "Check that the name's ending fits the content.",
    );
  }
  if (v2 && head.length < NIFTI2_BYTES) {
    throw new DataError(
      `${file}: too short for a NIfTI-2 header, got ${head.length} bytes, expected at least ${NIFTI2_BYTES}.`,
      'The file is truncated: copy it again.',
    );
  }
  checkMagic(file, head, v2);
  const short = (at: number): number => view.getInt16(at, little);
  const long = (at: number): number => Number(view.getBigInt64(at, little));
  const real = (one: number, two: number, i = 0): number =>
    v2 ? view.getFloat64(two + 8 * i, little) : view.getFloat32(one + 4 * i, little);
  const code = (one: number, two: number): number => (v2 ? view.getInt32(two, little) : short(one));

  const rank = v2 ? long(16) : short(40);
  if (!(rank >= 1 && rank <= 7))
    throw new DataError(
      `${file}: impossible number of dimensions in the header, got ${rank}, expected 3.`,
      'The header is damaged: convert the scan again.',
    );
  const dims = Array.from({ length: rank }, (_, i) => (v2 ? long(24 + 8 * i) : short(42 + 2 * i)));
  const type = short(v2 ? 12 : 70),
    bits = short(v2 ? 14 : 72),
    element = TYPES[type];
  checkDims(file, dims, COMPONENTS[type]);
  if (!element) {
    throw new DataError(
      `${file}: unknown NIfTI data type, got code ${type}${NAMES[type] ? ` (${NAMES[type]})` : ''}, expected one of ` +
        `${Object.keys(TYPES).join(', ')}.`,
      'Convert the file to int16 or float32.',
    );
  }
  if (bits !== 0 && bits !== BITS[element]) throw damage(file, 'bitpix', bits, `${BITS[element]} as datatype ${type} has`);

  const start = v2 ? long(168) : real(108, 168),
    first = size + 4;
  if (!Number.isSafeInteger(start) || start < first)
    throw damage(file, 'vox_offset', start, `a whole number of at least ${first}, where the voxels begin`);
  const [slope, intercept] = [real(112, 176), real(116, 184)];
  const scaling = slope !== 0 && Number.isFinite(slope); // as nibabel and the standard have it: otherwise the stored values
  if (scaling && !Number.isFinite(intercept)) throw damage(file, 'scl_inter', intercept, `a number beside scl_slope ${slope}`);

  const units = (v2 ? view.getInt32(500, little) : view.getUint8(123)) & 7;
  if (UNITS[units] === undefined) throw damage(file, 'xyzt_units', units, '1 (metres), 2 (millimetres), 3 (micrometres) or 0 for lengths');
  const [qformCode, sformCode] = [code(252, 344), code(254, 348)];
  for (const [name, value] of [
    ['qform_code', qformCode],
    ['sform_code', sformCode],
  ] as const)
    if (!(value >= 0 && value <= CODES)) throw damage(file, name, value, `0 to ${CODES}`);
  const three = [0, 1, 2];
  return {
    dims,
    bytes: dims.reduce((a, b) => a * b, 1) * (BITS[element] / 8),
    little,
    element,
    start,
    scale: scaling ? [slope, intercept] : null,
    forms: {
      pixdim: three.map((i) => real(80, 112, i)),
      qfac: real(76, 104),
      quaternion: three.map((i) => real(256, 352, i)),
      offset: three.map((i) => real(268, 376, i)),
      rows: three.map((row) => [0, 1, 2, 3].map((i) => real(280 + 16 * row, 400 + 32 * row, i))),
      qformCode,
      sformCode,
      unit: UNITS[units],
      epsilon: v2 ? 2 ** -52 : 2 ** -23,
    },
  };
}

function checkMagic(file: string, head: Uint8Array, v2: boolean): void {
  const at = v2 ? 4 : 344,
    magic = String.fromCharCode(...head.subarray(at, at + (v2 ? 8 : 4))),
    version = v2 ? 2 : 1;
  const tail = v2 ? '\0\r\n\x1a\n' : '\0';
  if (magic === `n+${version}${tail}`) return;
  if (magic.startsWith(`ni${version}`))
    throw new DataError(
      `${file}: a NIfTI header without its voxels (one half of a pair .hdr and .img), got magic "ni${version}", expected "n+${version}".`,
      'Convert the pair to one .nii.gz file.',
    );
  throw new DataError(
    `${file}: not a NIfTI-${version} file, got magic ${JSON.stringify(magic)}, expected "n+${version}"` +
      `${/^\0+$/.test(magic) ? ' (Analyze 7.5 files have none, and state no orientation)' : ''}.`,
    'Convert the scan again from its source; a NIfTI-2 file that was copied as text has lost bytes.',
  );
}
