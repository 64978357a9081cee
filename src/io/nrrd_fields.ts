// SPDX-License-Identifier: MIT
// The fields of an NRRD header (teem.sourceforge.net/nrrd/format.html). A field that the format does not have is refused: a slip of
// the pen in "space origin" would otherwise move the volume.
import { DataError } from '../errors.ts';
import type { Element } from './elements.ts';
import { badField, HEAD_BYTES, latin1 } from './header_text.ts';

/** Every basic field; the rest are read, or need not be. */
const FIELDS = new Set([
  'content',
  'number',
  'type',
  'block size',
  'dimension',
  'space',
  'space dimension',
  'sizes',
  'spacings',
  'thicknesses',
  'axis mins',
  'axis maxs',
  'space directions',
  'centerings',
  'kinds',
  'labels',
  'units',
  'space units',
  'space origin',
  'measurement frame',
  'min',
  'max',
  'old min',
  'old max',
  'data file',
  'endian',
  'encoding',
  'line skip',
  'byte skip',
  'sample units',
]);
const ALIASES: Readonly<Record<string, string>> = {
  blocksize: 'block size',
  axismins: 'axis mins',
  axismaxs: 'axis maxs',
  centers: 'centerings',
  oldmin: 'old min',
  oldmax: 'old max',
  datafile: 'data file',
  lineskip: 'line skip',
  byteskip: 'byte skip',
  sampleunits: 'sample units',
};

const TYPES: Readonly<Record<Element, string>> = {
  int8: 'signed char, int8, int8_t',
  uint8: 'uchar, unsigned char, uint8, uint8_t',
  int16: 'short, short int, signed short, signed short int, int16, int16_t',
  uint16: 'ushort, unsigned short, unsigned short int, uint16, uint16_t',
  int32: 'int, signed int, int32, int32_t',
  uint32: 'uint, unsigned int, uint32, uint32_t',
  int64: 'longlong, long long, long long int, signed long long, signed long long int, int64, int64_t',
  uint64: 'ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t',
  float32: 'float',
  float64: 'double',
};
const ELEMENTS = new Map(
  Object.entries(TYPES).flatMap(([element, names]) => names.split(', ').map((name) => [name, element as Element] as const)),
);

/** The number type of "type". */
export function nrrdElement(file: string, type: string | undefined): Element {
  const element = ELEMENTS.get((type ?? '').toLowerCase().replace(/\s+/g, ' '));
  if (!element) throw badField(file, 'type', type, 'a scalar type of 1, 2, 4 or 8 bytes');
  return element;
}

export type Encoding = 'raw' | 'gzip' | 'text' | 'hex';
const ENCODINGS: Readonly<Record<string, Encoding>> = {
  raw: 'raw',
  gzip: 'gzip',
  gz: 'gzip',
  txt: 'text',
  text: 'text',
  ascii: 'text',
  hex: 'hex',
};

export function nrrdEncoding(file: string, encoding: string | undefined): Encoding {
  const name = encoding?.toLowerCase() ?? '';
  if (name === 'bzip2' || name === 'bz2')
    throw badField(file, 'encoding', encoding, 'raw, gzip, txt or hex', 'Convert it to gzip: bzip2 is not read.');
  if (!Object.hasOwn(ENCODINGS, name)) throw badField(file, 'encoding', encoding, Object.keys(ENCODINGS).join(', '));
  return ENCODINGS[name];
}

/** Fields by their full names, and where the data begin in this file (undefined: the header has no end, so they are elsewhere). */
export interface NrrdFields {
  readonly fields: ReadonlyMap<string, string>;
  readonly end: number | undefined;
}

/** Parses the lines up to the empty one. DataError for lines that are none of the format's, and for fields said twice. */
export function parseNrrdFields(file: string, head: Uint8Array): NrrdFields {
  const text = latin1(head);
  const magic = /^NRRD000[1-5]\r?\n/.exec(text);
  if (!magic) throw badField(file, 'magic', text.slice(0, 8).replace(/[^\x20-\x7e]/g, '?'), 'NRRD0001 to NRRD0005');
  const end = /\r?\n\r?\n/.exec(text);
  if (!end && head.length >= HEAD_BYTES) throw badField(file, 'end of header', undefined, 'an empty line');
  const fields = new Map<string, string>();
  for (const line of text.slice(magic[0].length, end?.index ?? text.length).split(/\r?\n/)) {
    if (line === '' || line.startsWith('#') || (line.includes(':=') && !/^[^:]+:[ \t]/.test(line))) continue; // comments, key := value
    const match = /^([^:]+):[ \t]+(.*?)[ \t]*$/.exec(line);
    const written = match?.[1].toLowerCase(),
      name = written === undefined ? undefined : (ALIASES[written] ?? written);
    if (!match || name === undefined || !FIELDS.has(name)) {
      throw new DataError(
        `${file}: a line that is no field of NRRD, got "${line.slice(0, 60).replace(/[^\x20-\x7e]/g, '?')}", expected "field: value".`,
        'Correct it, or mark it as a comment (#) or as a key of your own (key:=value).',
      );
    }
    if (fields.has(name)) throw badField(file, name, match[2], `it once, after "${fields.get(name)}"`);
    fields.set(name, match[2]);
    if (name === 'data file' && /^LIST\b/.test(match[2])) break; // names follow
  }
  if (!end && !fields.has('data file')) throw badField(file, 'end of header', undefined, 'an empty line');
  return { fields, end: end ? end.index + end[0].length : undefined };
}
