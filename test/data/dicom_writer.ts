// SPDX-License-Identifier: MIT
// DICOM files for tests, written element by element from PS3.5 and independently of the code under test.
import { deflateRawSync } from 'node:zlib';

export type Value = string | number | readonly number[] | Uint8Array | readonly Elements[] | Encapsulated;
/** Elements by tag ("00280010"): value representation and value; undefined leaves one out. */
export type Elements = Readonly<Record<string, readonly [vr: string, value: Value] | undefined>>;
/** Compressed pixels: the basic offset table and the fragments. */
export interface Encapsulated {
  readonly offsets: readonly number[];
  readonly fragments: readonly Uint8Array[];
}

export interface Writing {
  readonly explicit?: boolean;
  readonly little?: boolean;
  /** Sequences and items of undefined length, with delimiters. */
  readonly undefinedLength?: boolean;
}

export const CT = '1.2.840.10008.5.1.4.1.1.2',
  ENHANCED_CT = '1.2.840.10008.5.1.4.1.1.2.1',
  ROOT = '1.2.826.0.1.3680043.10.1000';
export const SYNTAX = {
  implicit: '1.2.840.10008.1.2',
  explicit: '1.2.840.10008.1.2.1',
  deflated: '1.2.840.10008.1.2.1.99',
  bigEndian: '1.2.840.10008.1.2.2',
  encapsulated: '1.2.840.10008.1.2.1.98',
  rle: '1.2.840.10008.1.2.5',
  baseline: '1.2.840.10008.1.2.4.50',
  extended: '1.2.840.10008.1.2.4.51',
  lossless: '1.2.840.10008.1.2.4.57',
  losslessFirst: '1.2.840.10008.1.2.4.70',
  jpegLs: '1.2.840.10008.1.2.4.80',
  nearLossless: '1.2.840.10008.1.2.4.81',
  jpeg2000: '1.2.840.10008.1.2.4.90',
  highThroughput: '1.2.840.10008.1.2.4.201',
} as const;

const LONG = ['OB', 'OW', 'OF', 'OD', 'SQ', 'UN', 'UT'];
const UNDEFINED = 0xffffffff;

function number(size: number, value: number, little: boolean): Buffer {
  const bytes = Buffer.alloc(size);
  bytes[little ? 'writeUIntLE' : 'writeUIntBE'](value, 0, size);
  return bytes;
}

const tagBytes = (tag: string, little: boolean): Buffer =>
  Buffer.concat([number(2, parseInt(tag.slice(0, 4), 16), little), number(2, parseInt(tag.slice(4), 16), little)]);
const item = (tag: string, length: number, content: Uint8Array, little: boolean): Buffer =>
  Buffer.concat([tagBytes(tag, little), number(4, length, little), content]);

function valueBytes(vr: string, value: Value, how: Required<Writing>): Buffer {
  const size = { US: 2, SS: 2, UL: 4, FD: 8 }[vr];
  if (typeof value === 'number' || (Array.isArray(value) && typeof value[0] === 'number')) {
    const numbers = [value].flat() as number[];
    if (vr === 'FD')
      return Buffer.concat(
        numbers.map((x) => {
          const b = Buffer.alloc(8);
          b[how.little ? 'writeDoubleLE' : 'writeDoubleBE'](x);
          return b;
        }),
      );
    return size
      ? Buffer.concat(numbers.map((x) => number(size, x, how.little)))
      : valueBytes(vr, numbers.map((x) => String(Number(x.toFixed(8)))).join('\\'), how);
  }
  if (Array.isArray(value)) {
    return Buffer.concat(
      (value as readonly Elements[]).map((elements) => {
        const content = dataSetBytes(elements, how);
        return how.undefinedLength
          ? Buffer.concat([item('fffee000', UNDEFINED, content, how.little), item('fffee00d', 0, Buffer.alloc(0), how.little)])
          : item('fffee000', content.length, content, how.little);
      }),
    );
  }
  const raw = typeof value === 'string' ? Buffer.from(value, 'latin1') : Buffer.from(value as Uint8Array);
  return raw.length % 2 === 0 ? raw : Buffer.concat([raw, Buffer.from(vr === 'UI' || vr.startsWith('O') ? '\0' : ' ')]);
}

/** One element. */
export function element(tag: string, vr: string, value: Value, writing: Writing = {}): Buffer {
  const how = { explicit: true, little: true, undefinedLength: false, ...writing };
  const fragments = typeof value === 'object' && 'fragments' in value,
    undefinedLength = fragments || (vr === 'SQ' && how.undefinedLength);
  const content = fragments ? encapsulated(value) : valueBytes(vr, value, how),
    length = undefinedLength ? UNDEFINED : content.length;
  const end = undefinedLength ? item('fffee0dd', 0, Buffer.alloc(0), how.little) : Buffer.alloc(0);
  const head = !how.explicit
    ? [number(4, length, how.little)]
    : LONG.includes(vr)
      ? [Buffer.from(`${vr}\0\0`), number(4, length, how.little)]
      : [Buffer.from(vr), number(2, length, how.little)];
  return Buffer.concat([tagBytes(tag, how.little), ...head, content, end]);
}

function encapsulated({ offsets, fragments }: Encapsulated): Buffer {
  const even = (bytes: Uint8Array): Uint8Array => (bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]));
  const table = Buffer.concat(offsets.map((x) => number(4, x, true)));
  return Buffer.concat([
    item('fffee000', table.length, table, true),
    ...fragments.map((f) => item('fffee000', even(f).length, even(f), true)),
  ]);
}

/** Elements in the order of their tags. */
export function dataSetBytes(elements: Elements, writing: Writing = {}): Buffer {
  return Buffer.concat(
    Object.keys(elements)
      .sort()
      .flatMap((tag) => (elements[tag] ? [element(tag, elements[tag][0], elements[tag][1], writing)] : [])),
  );
}

/** A file: preamble, meta information, data set as its transfer syntax has it. */
export function part10(elements: Elements, syntax: string = SYNTAX.explicit, writing: Writing = {}, sopClass = CT): Buffer {
  const meta = Buffer.concat([
    element('00020002', 'UI', sopClass),
    element('00020003', 'UI', `${ROOT}.9`),
    element('00020010', 'UI', syntax),
  ]);
  const body = dataSetBytes(elements, { explicit: syntax !== SYNTAX.implicit, little: syntax !== SYNTAX.bigEndian, ...writing });
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element('00020000', 'UL', meta.length),
    meta,
    syntax === SYNTAX.deflated ? deflateRawSync(body) : body,
  ]);
}

/** Pixels of a slice of `ROWS` x `COLUMNS`: stored value 1000 + 100 k + index, so that no two are alike. */
export const ROWS = 4,
  COLUMNS = 6,
  INTERCEPT = -1024;
export const storedSlice = (k: number): number[] => Array.from({ length: ROWS * COLUMNS }, (_, i) => 1000 + 100 * k + i);
/** Numbers as cells of `bits` bits. */
export function cells(values: readonly number[], bits = 16, little = true): Buffer {
  const size = bits / 8;
  return Buffer.concat(values.map((v) => number(size, v < 0 ? v + 2 ** bits : v, little)));
}

/** A CT slice at z = 10 + 2 k. */
export function ctSlice(k: number, more: Elements = {}): Elements {
  return {
    '00080008': ['CS', 'ORIGINAL\\PRIMARY\\AXIAL'],
    '00080016': ['UI', CT],
    '00080018': ['UI', `${ROOT}.3.${k + 1}`],
    '00080060': ['CS', 'CT'],
    '00100020': ['LO', 'nobody'],
    '00180050': ['DS', '2'],
    '0020000d': ['UI', `${ROOT}.1`],
    '0020000e': ['UI', `${ROOT}.2`],
    '00200012': ['IS', '1'],
    '00200013': ['IS', String(k + 1)],
    '00200032': ['DS', [-5, -7, 10 + 2 * k]],
    '00200037': ['DS', [1, 0, 0, 0, 1, 0]],
    '00200052': ['UI', `${ROOT}.4`],
    '00280002': ['US', 1],
    '00280004': ['CS', 'MONOCHROME2'],
    '00280010': ['US', ROWS],
    '00280011': ['US', COLUMNS],
    '00280030': ['DS', [0.6, 0.5]],
    '00280100': ['US', 16],
    '00280101': ['US', 16],
    '00280102': ['US', 15],
    '00280103': ['US', 0],
    '00281052': ['DS', INTERCEPT],
    '00281053': ['DS', 1],
    '00281054': ['LO', 'HU'],
    '7fe00010': ['OW', cells(storedSlice(k))],
    ...more,
  };
}

/** The functional groups of a frame at z = 10 + 2 k. */
export const frameGroup = (k: number, more: Elements = {}): Elements => ({
  '00209111': ['SQ', [{ '00209056': ['SH', '1'], '00209057': ['UL', k + 1] }]],
  '00209113': ['SQ', [{ '00200032': ['DS', [-5, -7, 10 + 2 * k]] }]],
  '00289145': ['SQ', [{ '00281052': ['DS', INTERCEPT], '00281053': ['DS', 1], '00281054': ['LO', 'HU'] }]],
  ...more,
});

/** An enhanced CT whose frames hold the pixels of slices `order`. */
export function enhancedCt(
  order: readonly number[],
  groups: readonly Elements[] = order.map((k) => frameGroup(k)),
  more: Elements = {},
): Elements {
  const {
    '00200032': _position,
    '00200037': orientation,
    '00280030': spacing,
    '00180050': thickness,
    '00281052': _i,
    '00281053': _s,
    '00281054': _t,
    ...rest
  } = ctSlice(0);
  return {
    ...rest,
    '00080016': ['UI', ENHANCED_CT],
    '00280008': ['IS', String(order.length)],
    '52009229': [
      'SQ',
      [{ '00209116': ['SQ', [{ '00200037': orientation }]], '00289110': ['SQ', [{ '00280030': spacing, '00180050': thickness }]] }],
    ],
    '52009230': ['SQ', groups],
    '7fe00010': ['OW', cells(order.flatMap(storedSlice))],
    ...more,
  };
}
