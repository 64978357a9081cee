// SPDX-License-Identifier: MIT
// The `Key = Value` header of a MetaImage, up to ElementDataFile. Keys of other software are passed over, as the format has it, but for
// those that are a slip of the pen away from one that counts; what is said twice, under one key or its other names, must be said alike.
import type { Element } from './elements.ts';
import { badField, HEAD_BYTES, latin1, numbersIn } from './header_text.ts';

/** The format's own sizes: a long has 4 bytes, whatever the compiler. */
const TYPES: Readonly<Record<string, Element>> = {
  MET_CHAR: 'int8',
  MET_UCHAR: 'uint8',
  MET_SHORT: 'int16',
  MET_USHORT: 'uint16',
  MET_INT: 'int32',
  MET_UINT: 'uint32',
  MET_LONG: 'int32',
  MET_ULONG: 'uint32',
  MET_LONG_LONG: 'int64',
  MET_ULONG_LONG: 'uint64',
  MET_FLOAT: 'float32',
  MET_DOUBLE: 'float64',
};

/** Keys by their first name, and other names that readers take for it. */
const NAMES: Readonly<Record<string, string>> = {
  Position: 'Offset',
  Origin: 'Offset',
  Orientation: 'TransformMatrix',
  Rotation: 'TransformMatrix',
  ElementByteOrderMSB: 'BinaryDataByteOrderMSB',
};

/** Keys that decide on voxels or their place. */
const KEYS = [
  'ObjectType',
  'NDims',
  'DimSize',
  'BinaryData',
  'BinaryDataByteOrderMSB',
  'CompressedData',
  'HeaderSize',
  'ElementType',
  'ElementNumberOfChannels',
  'ElementSpacing',
  'ElementSize',
  'Offset',
  'TransformMatrix',
  'DistanceUnits',
  'AnatomicalOrientation',
  'ElementToIntensityFunctionSlope',
  'ElementToIntensityFunctionOffset',
  ...Object.keys(NAMES),
];

/** True if one letter more, less or other, or capitals alone, make one word of the other. */
function nearly(a: string, b: string): boolean {
  if (a.toLowerCase() === b.toLowerCase()) return true;
  let start = 0,
    end = 0;
  while (start < a.length && a[start] === b[start]) start++;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return Math.max(a.length, b.length) - start - end <= 1;
}

export interface MetaFields {
  readonly fields: ReadonlyMap<string, string>;
  readonly dataFile: string;
  /** Where the line of ElementDataFile ends. */ readonly end: number;
}

export function parseMetaFields(file: string, head: Uint8Array): MetaFields {
  const text = latin1(head);
  const last = /^[ \t]*ElementDataFile[ \t]*=[ \t]*([^\r\n]*?)[ \t]*(?:\r?\n|$)/m.exec(text);
  if (!last || (last.index + last[0].length === HEAD_BYTES && !last[0].endsWith('\n')))
    throw badField(file, 'ElementDataFile', undefined, 'LOCAL or a file name');
  const fields = new Map<string, string>();
  for (const line of text.slice(0, last.index).split(/\r?\n/)) {
    const match = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line);
    if (!match) {
      if (line.trim() === '' || /^\s*[#%]/.test(line)) continue;
      throw badField(
        file,
        line
          .trim()
          .slice(0, 20)
          .replace(/[^\x20-\x7e]/g, '?'),
        undefined,
        '"Key = Value"',
      );
    }
    const key = NAMES[match[1]] ?? match[1],
      before = fields.get(key);
    if (before !== undefined && before !== match[2]) throw badField(file, match[1], match[2], `"${before}" as said before`);
    fields.set(key, match[2]);
    const meant = KEYS.includes(match[1]) ? undefined : KEYS.find((known) => nearly(match[1], known));
    if (meant !== undefined)
      throw badField(
        file,
        match[1],
        match[2],
        `the key "${meant}"`,
        'Correct the name of the field: as it stands, it would be passed over.',
      );
  }
  if (last[1] === '') throw badField(file, 'ElementDataFile', '', 'LOCAL or a file name');
  return { fields, dataFile: last[1], end: last.index + last[0].length };
}

/** True where the voxels follow the header in the same file. */
export const isLocal = (dataFile: string): boolean => /^local$/i.test(dataFile);

/** True or False; `missing` where the key is not there. */
export function flag(file: string, fields: ReadonlyMap<string, string>, key: string, missing: boolean): boolean {
  const text = fields.get(key);
  if (text === undefined) return missing;
  if (/^(true|t|yes|1)$/i.test(text)) return true;
  if (/^(false|f|no|0)$/i.test(text)) return false;
  throw badField(file, key, text, 'True or False');
}

/** `count` numbers of a key, or undefined where it is not there. */
export function list(file: string, fields: ReadonlyMap<string, string>, key: string, count: number): number[] | undefined {
  const text = fields.get(key);
  return text === undefined ? undefined : numbersIn(file, key, text, count);
}

export function metaElement(file: string, type: string | undefined): Element {
  if (type === undefined || !Object.hasOwn(TYPES, type)) throw badField(file, 'ElementType', type, Object.keys(TYPES).join(', '));
  return TYPES[type];
}
