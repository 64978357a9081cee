// SPDX-License-Identifier: MIT
// The text headers of MetaImage (.mha, .mhd) and NRRD (.nrrd, .nhdr): the fields that decide whether the file can be read.
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { DataError } from '../errors.ts';
import type { Header } from './header.ts';

const META_BYTES: Record<string, number> = {
  MET_CHAR: 1, MET_UCHAR: 1, MET_SHORT: 2, MET_USHORT: 2, MET_INT: 4, MET_UINT: 4, MET_LONG: 4, MET_ULONG: 4,
  MET_LONG_LONG: 8, MET_ULONG_LONG: 8, MET_FLOAT: 4, MET_DOUBLE: 8,
};

const numbers = (text: string | undefined): number[] => (text ?? '').trim().split(/\s+/).filter(Boolean).map(Number);

function missing(file: string, field: string, got: string | undefined, expected: string): DataError {
  return new DataError(`${file}: header field ${field}, got ${got === undefined ? 'nothing' : `"${got}"`}, expected ${expected}.`, 'The header is damaged or of another kind of file.');
}

/** The file beside `file` (or below it) that holds the voxels: a header from elsewhere must not make us read any file there is. */
function dataBeside(file: string, name: string): string {
  const path = resolve(dirname(file), name), way = relative(resolve(dirname(file)), path);
  if (isAbsolute(name) || isAbsolute(way) || way === '..' || /^\.\.[\\/]/.test(way)) {
    throw new DataError(`${file}: names a data file out of its folder, got "${name}", expected a file beside the header.`, 'Put both into one folder and correct the name in the header.');
  }
  return path;
}

/** Parses the `Key = Value` lines of a MetaImage up to ElementDataFile. */
export function parseMetaImage(file: string, head: Buffer): Header {
  const text = head.toString('latin1');
  const last = /^[ \t]*ElementDataFile[ \t]*=[ \t]*([^\r\n]*?)[ \t]*(?:\r?\n|$)/m.exec(text);
  if (!last) throw missing(file, 'ElementDataFile', undefined, 'LOCAL or a file name');
  const fields = new Map<string, string>();
  for (const line of text.slice(0, last.index).split(/\r?\n/)) {
    const match = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line);
    if (match) fields.set(match[1], match[2]);
  }
  const dims = numbers(fields.get('DimSize'));
  const rank = Number(fields.get('NDims') ?? dims.length);
  if (dims.length === 0 || dims.length !== rank) throw missing(file, 'DimSize', fields.get('DimSize'), `${rank} integers`);
  const bytesPerVoxel = META_BYTES[fields.get('ElementType') ?? ''];
  if (!bytesPerVoxel) throw missing(file, 'ElementType', fields.get('ElementType'), Object.keys(META_BYTES).join(', '));
  const name = last[1];
  if (name.startsWith('LIST') || name.includes('%')) {
    throw new DataError(`${file}: voxels spread over several files, got ElementDataFile = ${name}, expected one data file or LOCAL.`, 'Convert the scan to .nii.gz or .mha.');
  }
  const local = /^local$/i.test(name);
  const skip = Number(fields.get('HeaderSize') ?? 0); // -1: the voxels are the end of the file
  const matrix = numbers(fields.get('TransformMatrix') ?? fields.get('Orientation') ?? fields.get('Rotation'));
  const compressed = /^true$/i.test(fields.get('CompressedData') ?? 'False');
  return {
    dims,
    components: Number(fields.get('ElementNumberOfChannels') ?? 1),
    axes: matrix.length === 9 ? [matrix.slice(0, 3), matrix.slice(3, 6), matrix.slice(6, 9)] : null,
    dataFile: local ? file : dataBeside(file, name),
    start: local ? last.index + last[0].length : skip < 0 ? null : skip,
    coding: /^false$/i.test(fields.get('BinaryData') ?? 'True') ? null : compressed ? 'zlib' : 'raw',
    bytes: dims.reduce((a, b) => a * b, 1) * bytesPerVoxel,
    // MetaIO inflates as much as CompressedDataSize says, gives zeros where that is missing, and reports neither.
    ...(compressed && { inflate: {
      stated: Number(fields.get('CompressedDataSize') ?? NaN),
      head: `${text.slice(0, last.index).replace(/^[ \t]*(CompressedData|CompressedDataSize|HeaderSize)[ \t]*=.*\r?\n/gm, '')}ElementDataFile = LOCAL\n`,
    } }),
    ...(!fields.has('ElementSpacing') && { noSpacing: 'ElementSpacing' }),
  };
}

const NRRD_BYTES: readonly [pattern: RegExp, bytes: number][] = [
  [/^(signed char|int8|int8_t|unsigned char|uchar|uint8|uint8_t)$/, 1],
  [/^(short|short int|signed short|signed short int|int16|int16_t|ushort|unsigned short|unsigned short int|uint16|uint16_t)$/, 2],
  [/^(int|signed int|int32|int32_t|uint|unsigned int|uint32|uint32_t|float)$/, 4],
  [/^(longlong|long long|long long int|signed long long|signed long long int|int64|int64_t|ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t|double)$/, 8],
];

const NRRD_ENCODINGS = ['raw', 'gzip', 'gz', 'bzip2', 'bz2', 'txt', 'text', 'ascii', 'hex'];

/** Parses the `field: value` lines of an NRRD up to the empty line. */
export function parseNrrd(file: string, head: Buffer): Header {
  const text = head.toString('latin1');
  if (!text.startsWith('NRRD')) throw missing(file, 'magic', text.slice(0, 8).replace(/[^\x20-\x7e]/g, '?'), 'NRRD000x');
  const end = /\r?\n\r?\n/.exec(text); // a detached header may end with the file instead
  const fields = new Map<string, string>();
  for (const line of text.slice(0, end?.index ?? text.length).split(/\r?\n/)) {
    const match = /^([^#:][^:]*):[ \t]+(.*?)\s*$/.exec(line);
    if (match) fields.set(match[1].toLowerCase(), match[2]);
  }
  const dims = numbers(fields.get('sizes'));
  if (dims.length === 0 || dims.length !== Number(fields.get('dimension'))) throw missing(file, 'sizes', fields.get('sizes'), 'as many integers as "dimension" says');
  const type = (fields.get('type') ?? '').toLowerCase();
  const bytesPerVoxel = NRRD_BYTES.find(([pattern]) => pattern.test(type))?.[1];
  if (!bytesPerVoxel) throw missing(file, 'type', fields.get('type'), 'a scalar type of 1, 2, 4 or 8 bytes');
  const vectors = [...(fields.get('space directions') ?? '').matchAll(/\(([^)]*)\)/g)].map((m) => m[1].split(',').map(Number));
  const data = fields.get('data file') ?? fields.get('datafile');
  if (data !== undefined && (/^LIST/.test(data) || data.includes('%'))) {
    throw new DataError(`${file}: voxels spread over several files, got data file: ${data}, expected one file.`, 'Convert the scan to .nii.gz or .nrrd.');
  }
  if (data === undefined && !end) throw missing(file, 'end of header', undefined, 'an empty line');
  const encoding = (fields.get('encoding') ?? '').toLowerCase();
  if (!NRRD_ENCODINGS.includes(encoding)) throw missing(file, 'encoding', fields.get('encoding'), NRRD_ENCODINGS.join(', '));
  const skipped = Number(fields.get('byte skip') ?? fields.get('byteskip') ?? 0);
  return {
    dims, components: 1,
    axes: vectors.length === 3 && vectors.every((v) => v.length === 3) ? vectors : null,
    dataFile: data === undefined ? file : dataBeside(file, data),
    start: skipped < 0 ? null : (data === undefined && end ? end.index + end[0].length : 0) + (encoding === 'raw' ? skipped : 0),
    coding: encoding === 'raw' ? 'raw' : encoding === 'gzip' || encoding === 'gz' ? 'gzip' : null,
    bytes: dims.reduce((a, b) => a * b, 1) * bytesPerVoxel,
    ...(!fields.has('space directions') && !fields.has('spacings') && { noSpacing: 'space directions' }),
  };
}
