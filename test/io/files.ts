// SPDX-License-Identifier: MIT
// Image files written byte by byte from the formats' definitions, independently of the code under test.
import type { Triple } from '../../src/axes.ts';
import type { Volume } from '../../src/data/volume.ts';
import { decodeVolume } from '../../src/io/decode.ts';
import { fflateCodec } from '../../src/io/fflate.ts';
import type { Codec } from '../../src/io/packed.ts';
import type { ByteSource, Remark } from '../../src/io/source.ts';

export const DIMS: Triple = [4, 3, 5];
export const COUNT = 60;
export const RAMP = Array.from({ length: COUNT }, (_, i) => 7 * i - 100);

const PUT: Record<string, (v: DataView, at: number, x: number, little: boolean) => void> = {
  int8: (v, at, x) => v.setInt8(at, x),
  uint8: (v, at, x) => v.setUint8(at, x),
  int16: (v, at, x, l) => v.setInt16(at, x, l),
  uint16: (v, at, x, l) => v.setUint16(at, x, l),
  int32: (v, at, x, l) => v.setInt32(at, x, l),
  uint32: (v, at, x, l) => v.setUint32(at, x, l),
  float32: (v, at, x, l) => v.setFloat32(at, x, l),
  float64: (v, at, x, l) => v.setFloat64(at, x, l),
  int64: (v, at, x, l) => v.setBigInt64(at, BigInt(x), l),
  uint64: (v, at, x, l) => v.setBigUint64(at, BigInt(x), l),
};
export const WIDTH: Record<string, number> = {
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
};

/** Values as stored bytes. */
export function stored(values: ArrayLike<number>, type = 'int16', little = true): Buffer {
  const bytes = Buffer.alloc(values.length * WIDTH[type]),
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < values.length; i++) PUT[type](view, i * WIDTH[type], values[i], little);
  return bytes;
}

export interface NiftiFields {
  v2?: boolean;
  little?: boolean;
  dims?: number[];
  datatype?: number;
  bitpix?: number;
  pixdim?: number[];
  qfac?: number;
  offset?: number;
  slope?: number;
  inter?: number;
  units?: number;
  magic?: string;
  qform?: { code?: number; quat?: number[]; offset?: number[] };
  sform?: { code?: number; rows: number[][] };
}
export const IDENTITY = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
];

/** The header of nifti1.h or nifti2.h, up to where the voxels begin. */
export function niftiHeader(f: NiftiFields = {}): Buffer {
  const {
    v2 = false,
    little = true,
    dims = DIMS,
    datatype = 4,
    pixdim = [1, 1, 1],
    qfac = 1,
    slope = 1,
    inter = 0,
    units = 2,
    qform,
    sform = qform ? undefined : { rows: IDENTITY },
  } = f;
  const offset = f.offset ?? (v2 ? 544 : 352),
    bytes = Buffer.alloc(
      Number.isFinite(offset) && offset > 0 && offset < 10000 ? Math.max(Math.ceil(offset), v2 ? 544 : 352) : v2 ? 544 : 352,
    ),
    v = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const real = (one: number, two: number, x: number): void => (v2 ? v.setFloat64(two, x, little) : v.setFloat32(one, x, little));
  const code = (one: number, two: number, x: number): void => (v2 ? v.setInt32(two, x, little) : v.setInt16(one, x, little));
  v.setInt32(0, v2 ? 540 : 348, little);
  [dims.length, ...dims, ...Array<number>(7 - dims.length).fill(1)].forEach((n, i) =>
    v2 ? v.setBigInt64(16 + 8 * i, BigInt(n), little) : v.setInt16(40 + 2 * i, n, little),
  );
  v.setInt16(v2 ? 12 : 70, datatype, little);
  v.setInt16(
    v2 ? 14 : 72,
    f.bitpix ?? { 2: 8, 4: 16, 8: 32, 16: 32, 64: 64, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64 }[datatype] ?? 0,
    little,
  );
  [qfac, ...pixdim].forEach((p, i) => real(76 + 4 * i, 104 + 8 * i, p));
  if (v2) v.setBigInt64(168, BigInt(offset), little);
  else v.setFloat32(108, offset, little);
  real(112, 176, slope);
  real(116, 184, inter);
  if (v2) v.setInt32(500, units, little);
  else v.setUint8(123, units);
  if (qform) {
    code(252, 344, qform.code ?? 1);
    [...(qform.quat ?? [0, 0, 0]), ...(qform.offset ?? [0, 0, 0])].forEach((q, i) => real(256 + 4 * i, 352 + 8 * i, q));
  }
  if (sform) {
    code(254, 348, sform.code ?? 1);
    sform.rows.flat().forEach((s, i) => real(280 + 4 * i, 400 + 8 * i, s));
  }
  bytes.write(f.magic ?? (v2 ? 'n+2\0\r\n\x1a\n' : 'n+1\0'), v2 ? 4 : 344, 'latin1');
  return bytes;
}
export const nifti = (f: NiftiFields = {}, values: ArrayLike<number> = RAMP, type = 'int16'): Buffer =>
  Buffer.concat([niftiHeader(f), stored(values, type, f.little ?? true)]);

/** An NRRD header; a field set to null is left out. */
export function nrrdHeader(fields: Record<string, string | null> = {}): Buffer {
  const all: Record<string, string | null> = {
    type: 'short',
    dimension: '3',
    space: 'left-posterior-superior',
    sizes: '4 3 5',
    'space directions': '(0.5,0,0) (0,0.6,0) (0,0,2)',
    endian: 'little',
    encoding: 'raw',
    'space origin': '(10,20,30)',
    ...fields,
  };
  return Buffer.from(
    `NRRD0004\n${Object.entries(all)
      .filter(([, text]) => text !== null)
      .map(([name, text]) => `${name}: ${text}\n`)
      .join('')}\n`,
    'latin1',
  );
}
export const nrrd = (fields: Record<string, string | null> = {}, data: Buffer | string = stored(RAMP)): Buffer =>
  Buffer.concat([nrrdHeader(fields), Buffer.from(data as Buffer)]);

/** A MetaImage header; a key set to null is left out. */
export function metaHeader(fields: Record<string, string | null> = {}): Buffer {
  const all: Record<string, string | null> = {
    ObjectType: 'Image',
    NDims: '3',
    BinaryData: 'True',
    BinaryDataByteOrderMSB: 'False',
    CompressedData: 'False',
    TransformMatrix: '1 0 0 0 1 0 0 0 1',
    Offset: '10 20 30',
    ElementSpacing: '0.5 0.6 2',
    DimSize: '4 3 5',
    ElementType: 'MET_SHORT',
    ...fields,
  };
  const last = all.ElementDataFile ?? 'LOCAL';
  delete all.ElementDataFile;
  return Buffer.from(
    `${Object.entries(all)
      .filter(([, text]) => text !== null)
      .map(([key, text]) => `${key} = ${text}\n`)
      .join('')}ElementDataFile = ${last}\n`,
    'latin1',
  );
}
export const meta = (fields: Record<string, string | null> = {}, data: Buffer | string = stored(RAMP)): Buffer =>
  Buffer.concat([metaHeader(fields), Buffer.from(data as Buffer)]);

/** Bytes as a file that counts how much of it was read. */
export const sourceOf = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  read: async (start, end) => Uint8Array.from(bytes.subarray(start, end)),
});

export interface Decoded {
  readonly volume: Volume;
  readonly remarks: Remark[];
}

/** Decodes bytes that stand for a file, with other files beside it; all remarks are heard. */
export async function decode(
  file: string,
  bytes: Uint8Array,
  beside: Record<string, Uint8Array> = {},
  codec: Codec = fflateCodec,
): Promise<Decoded> {
  const remarks: Remark[] = [];
  const volume = await decodeVolume({
    file,
    source: sourceOf(bytes),
    codec,
    tell: (r) => remarks.push(r),
    beside: async (name) => sourceOf(beside[name]),
  });
  return { volume, remarks };
}

/** Affine of index (x, y, z) to RAS millimetres, 12 numbers by rows. */
export const affine = (v: Volume): number[] =>
  [0, 1, 2].flatMap((r) =>
    [...[0, 1, 2].map((c) => v.direction[3 * r + c] * v.spacing[2 - c]), v.origin[r]].map((n) => (r < 2 ? -n : n) + 0),
  );

/** Of the error that decoding ends in, or what was read instead. */
export const refusal = (file: string, bytes: Uint8Array, beside?: Record<string, Uint8Array>): Promise<unknown> =>
  decode(file, bytes, beside).then(
    ({ volume }) => `read: ${affine(volume)}`,
    (error) => error,
  );
