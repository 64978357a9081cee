// SPDX-License-Identifier: MIT
// The bytes of a DICOM data set (PS3.5 section 7) into elements. Written here because the parsers on npm go on where a file is
// damaged (dicom-parser 1.8.21: a missing delimiter, a stray tag among fragments and a second Rows are at most a warning), and a
// damaged slice must not become a volume. Time and memory are linear in the file: only elements of `TAGS` are kept.
import { DataError } from '../../errors.ts';
import { DataSet, type Element, type Fragments, type Span } from './data_set.ts';
import { keywordOf, TAGS, tagName } from './tags.ts';

/** How a data set is written. */
export interface Coding {
  readonly explicit: boolean;
  readonly little: boolean;
}

const ITEM = 0xfffee000,
  ITEM_END = 0xfffee00d,
  SEQUENCE_END = 0xfffee0dd,
  UNDEFINED = 0xffffffff;
/** Value representations with a length of 32 bits (after two reserved bytes), and those of 16. */
const LONG = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);
const SHORT = new Set([
  'AE',
  'AS',
  'AT',
  'CS',
  'DA',
  'DS',
  'DT',
  'FL',
  'FD',
  'IS',
  'LO',
  'LT',
  'PN',
  'SH',
  'SL',
  'SS',
  'ST',
  'TM',
  'UI',
  'UL',
  'US',
]);
/** Functional groups nest 4 deep, reports some 20. */
const MAX_DEPTH = 64;
/** Items of a sequence and fragments of an image: more than a scan has, fewer than fill the memory. */
const MAX_ITEMS = 2 ** 18;

export const isVr = (vr: string): boolean => LONG.has(vr) || SHORT.has(vr);

/** Reads elements from `start` to the pixels (what follows them is no part of the image) or to `end`. DataError: truncated or damaged. */
export function parseDataSet(file: string, bytes: Uint8Array, start: number, coding: Coding, end = bytes.length): DataSet {
  return new DataSet(file, bytes, coding.little, new Parser(file, bytes, start, coding).elements(end, false, 0, true));
}

/** The file meta information (group 2, always explicit and little endian) and where it ends. */
export function parseMeta(file: string, bytes: Uint8Array, start: number): { meta: DataSet; end: number } {
  const parser = new Parser(file, bytes, start, { explicit: true, little: true });
  while (parser.at + 8 <= bytes.length && bytes[parser.at] === 2 && bytes[parser.at + 1] === 0) parser.skip();
  return {
    meta: new DataSet(
      file,
      bytes,
      true,
      new Parser(file, bytes, start, { explicit: true, little: true }).elements(parser.at, false, 0, true),
    ),
    end: parser.at,
  };
}

class Parser {
  readonly #view: DataView;
  constructor(
    readonly file: string,
    readonly bytes: Uint8Array,
    public at: number,
    readonly coding: Coding,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Elements up to `end`, or (in an item of undefined length) up to its delimiter. */
  elements(end: number, delimited: boolean, depth: number, keep: boolean): Map<number, Element> {
    if (depth > MAX_DEPTH) throw this.damaged(`sequences nest more than ${MAX_DEPTH} deep`);
    const found = new Map<number, Element>();
    while (this.at < end) {
      const from = this.at,
        { tag, vr, length } = this.header(end);
      if (tag === ITEM_END && delimited) return found;
      if (tag >>> 16 === 0xfffe || tag >>> 16 === 0) throw this.damaged(`${tagName(tag)} at byte ${from}, where an element was expected`);
      const keyword = keywordOf(tag);
      if (keyword && keep && found.has(tag)) throw this.damaged(`${tagName(tag)} stands there twice`);
      const element = this.value(tag, vr, length, end, depth, keep && keyword !== undefined);
      if (keyword && keep) found.set(tag, element);
      if (tag === TAGS.PixelData[0] && depth === 0) return found;
    }
    if (delimited) throw this.truncated('an item of a sequence', 'its end');
    return found;
  }

  /** Steps over one element. */
  skip(): void {
    const { tag, vr, length } = this.header(this.bytes.length);
    this.value(tag, vr, length, this.bytes.length, 0, false);
  }

  private header(end: number): { tag: number; vr: string | undefined; length: number } {
    const tag = this.tag(end);
    if (tag >>> 16 === 0xfffe) return { tag, vr: undefined, length: this.uint32(end, tag) };
    if (!this.coding.explicit) return { tag, vr: undefined, length: this.uint32(end, tag) };
    this.need(4, end, tag);
    const vr = String.fromCharCode(this.bytes[this.at], this.bytes[this.at + 1]);
    if (!isVr(vr))
      throw this.damaged(`${tagName(tag)} at byte ${this.at - 4} has an unknown value representation, got ${JSON.stringify(vr)}`);
    if (LONG.has(vr)) {
      this.at += 4;
      return { tag, vr, length: this.uint32(end, tag) };
    }
    this.at += 4;
    return { tag, vr, length: this.#view.getUint16(this.at - 2, this.coding.little) };
  }

  private value(tag: number, vr: string | undefined, length: number, end: number, depth: number, keep: boolean): Element {
    const keyword = keywordOf(tag),
      known = vr ?? (keyword && TAGS[keyword][1]) ?? 'UN',
      start = this.at;
    if (length === UNDEFINED) {
      if (tag === TAGS.PixelData[0] && vr) return { vr: known, start, length: 0, fragments: this.fragments(end, keep) };
      if (vr !== undefined && vr !== 'SQ' && vr !== 'UN')
        throw this.damaged(`${tagName(tag)} has no length, which only sequences and compressed pixels may`);
      // PS3.5 6.2.2: what is inside UN of undefined length is implicit and little endian.
      if (vr !== 'UN' || !this.coding.explicit) return { vr: 'SQ', start, length: 0, items: this.items(end, true, depth, keep) };
      const inside = new Parser(this.file, this.bytes, this.at, { explicit: false, little: true });
      const items = inside.items(end, true, depth, keep);
      this.at = inside.at;
      return { vr: 'SQ', start, length: 0, items };
    }
    if (length > end - start) throw this.truncated(tagName(tag), `${length} bytes`, end - start);
    if (keep && known === 'SQ') return { vr: known, start, length, items: this.items(start + length, false, depth, keep) };
    this.at = start + length;
    return { vr: known, start, length };
  }

  private items(end: number, delimited: boolean, depth: number, keep: boolean): DataSet[] {
    const items: DataSet[] = [];
    for (let count = 0; this.at < end; count++) {
      const from = this.at,
        { tag, length } = this.header(end);
      if (tag === SEQUENCE_END && delimited) return items;
      if (tag !== ITEM) throw this.damaged(`${tagName(tag)} at byte ${from}, where an item of a sequence was expected`);
      if (count >= MAX_ITEMS) throw this.damaged(`a sequence of more than ${MAX_ITEMS} items`);
      if (length !== UNDEFINED && length > end - this.at) throw this.truncated('an item of a sequence', `${length} bytes`, end - this.at);
      const inside = this.elements(length === UNDEFINED ? end : this.at + length, length === UNDEFINED, depth + 1, keep);
      if (keep) items.push(new DataSet(this.file, this.bytes, this.coding.little, inside));
    }
    if (delimited) throw this.truncated('a sequence', 'its end');
    return items;
  }

  /** PS3.5 A.4: an item of offsets (may be empty), the fragments, a delimiter. */
  private fragments(end: number, keep: boolean): Fragments {
    const spans: Span[] = [];
    for (let count = 0; ; count++) {
      if (this.at >= end) throw this.truncated('the compressed pixels', 'their end');
      const from = this.at,
        { tag, length } = this.header(end);
      if (tag === SEQUENCE_END) break;
      if (tag !== ITEM) throw this.damaged(`${tagName(tag)} at byte ${from}, where compressed pixels or their end were expected`);
      if (length > end - this.at) throw this.truncated('the compressed pixels', `${length} bytes`, end - this.at);
      if (count > MAX_ITEMS) throw this.damaged(`compressed pixels in more than ${MAX_ITEMS} fragments`);
      if (keep || count === 0) spans.push({ start: this.at, length });
      this.at += length;
    }
    const table = spans[0];
    if (!table || table.length % 4 !== 0)
      throw this.damaged(`compressed pixels without a table of offsets, got ${table ? `${table.length} bytes` : 'nothing'}`);
    const offsets = keep
      ? Array.from({ length: table.length / 4 }, (_, i) => this.#view.getUint32(table.start + 4 * i, this.coding.little))
      : [];
    return { offsets, spans: spans.slice(1) };
  }

  private tag(end: number): number {
    this.need(4, end);
    const { little } = this.coding,
      tag = this.#view.getUint16(this.at, little) * 0x10000 + this.#view.getUint16(this.at + 2, little);
    this.at += 4;
    return tag;
  }

  private uint32(end: number, tag: number): number {
    this.need(4, end, tag);
    this.at += 4;
    return this.#view.getUint32(this.at - 4, this.coding.little);
  }

  private need(count: number, end: number, tag?: number): void {
    if (end - this.at < count)
      throw this.truncated(
        tag === undefined ? 'the header of an element' : `the header of ${tagName(tag)}`,
        `${count} bytes`,
        end - this.at,
      );
  }

  private truncated(inside: string, expected: string, got = 0): DataError {
    return new DataError(
      `${this.file}: truncated DICOM image: it stops inside ${inside}, got ${got} bytes, expected ${expected}.`,
      'Copy or export the series again.',
    );
  }

  private damaged(what: string): DataError {
    return new DataError(`${this.file}: damaged DICOM file: ${what}.`, 'Copy or export the series again.');
  }
}
