// SPDX-License-Identifier: MIT
// Elements of a DICOM data set by keyword. Absent is undefined, present without a value is an empty list, and a value that is not
// what its element holds is a DataError: an empty or mangled number never passes for 0 or 1.
import { DataError } from '../../errors.ts';
import { type Keyword, TAGS, tagName } from './tags.ts';

/** Bytes of the file. */
export interface Span {
  readonly start: number;
  readonly length: number;
}
/** Compressed pixels: the basic offset table and what follows it. */
export interface Fragments {
  readonly offsets: readonly number[];
  readonly spans: readonly Span[];
}
export interface Element extends Span {
  readonly vr: string;
  readonly items?: readonly DataSet[];
  readonly fragments?: Fragments;
}

/** Bytes of each binary number, and how it is read. */
const BINARY: Readonly<Record<string, readonly [number, (v: DataView, at: number, little: boolean) => number]>> = {
  US: [2, (v, at, little) => v.getUint16(at, little)],
  SS: [2, (v, at, little) => v.getInt16(at, little)],
  UL: [4, (v, at, little) => v.getUint32(at, little)],
  SL: [4, (v, at, little) => v.getInt32(at, little)],
  FL: [4, (v, at, little) => v.getFloat32(at, little)],
  FD: [8, (v, at, little) => v.getFloat64(at, little)],
};
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
/** No value that is read is longer (ImageType, a line of numbers). */
const MAX_TEXT = 4096;

export class DataSet {
  constructor(
    readonly file: string,
    readonly bytes: Uint8Array,
    readonly little: boolean,
    private readonly elements: ReadonlyMap<number, Element>,
  ) {}

  element(keyword: Keyword): Element | undefined {
    return this.elements.get(TAGS[keyword][0]);
  }

  /** Values as text, without padding; undefined if the element is absent, [] if it is empty. */
  texts(keyword: Keyword): string[] | undefined {
    const element = this.element(keyword);
    if (!element) return undefined;
    if (element.length > MAX_TEXT || element.items) throw this.wrong(keyword, `${element.length} bytes of ${element.vr}`, 'a short text');
    const text = String.fromCharCode(...this.bytes.subarray(element.start, element.start + element.length)).replace(/[\0 ]+$/, '');
    return text === '' ? [] : text.split('\\').map((part) => part.trim());
  }

  /** All values in one text; '' if there is none. */
  text(keyword: Keyword): string {
    return (BINARY[this.vr(keyword)] ? this.numbers(keyword) : this.texts(keyword))?.join('\\') ?? '';
  }

  /** Values as numbers, whatever they are written as; undefined if the element is absent, [] if it is empty. */
  numbers(keyword: Keyword): number[] | undefined {
    const element = this.element(keyword);
    if (!element) return undefined;
    const vr = this.vr(keyword),
      binary = BINARY[vr];
    if (binary) {
      const [size, get] = binary,
        view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
      if (element.length % size !== 0 || element.length > MAX_TEXT)
        throw this.wrong(keyword, `${element.length} bytes`, `${vr} of ${size} bytes each`);
      return Array.from({ length: element.length / size }, (_, i) =>
        this.finite(keyword, get(view, element.start + size * i, this.little)),
      );
    }
    return this.texts(keyword)!.map((text) => this.finite(keyword, DECIMAL.test(text) ? Number(text) : NaN, text));
  }

  /** The one number of an element; undefined if it is absent. DataError if it is empty or holds several. */
  number(keyword: Keyword): number | undefined {
    const values = this.numbers(keyword);
    if (values && values.length !== 1)
      throw this.wrong(keyword, values.length === 0 ? 'no value' : `${values.length} values`, 'one number');
    return values?.[0];
  }

  /** A whole number from `low` to `high`. DataError if it is absent or another. */
  integer(keyword: Keyword, low: number, high: number): number {
    const value = this.number(keyword);
    if (value === undefined) throw this.wrong(keyword, 'nothing', `a whole number from ${low} to ${high}`);
    if (!Number.isInteger(value) || value < low || value > high)
      throw this.wrong(keyword, String(value), `a whole number from ${low} to ${high}`);
    return value;
  }

  /** The items of a sequence; [] if it is absent. */
  items(keyword: Keyword): readonly DataSet[] {
    const element = this.element(keyword);
    if (element && !element.items && element.length > 0)
      throw this.wrong(keyword, `${element.length} bytes of ${element.vr}`, 'a sequence');
    return element?.items ?? [];
  }

  /** The DataError for an element that cannot be used. */
  wrong(keyword: Keyword, got: string, expected: string, hint = 'Export the series again, or mend this element.'): DataError {
    return new DataError(`${this.file}: ${tagName(TAGS[keyword][0])} is not usable, got ${got.slice(0, 80)}, expected ${expected}.`, hint);
  }

  /** Where a relay did not know an element and called it UN, its own representation stands. */
  private vr(keyword: Keyword): string {
    const vr = this.element(keyword)?.vr ?? 'UN';
    return vr === 'UN' ? TAGS[keyword][1] : vr;
  }

  private finite(keyword: Keyword, value: number, text = String(value)): number {
    if (!Number.isFinite(value)) throw this.wrong(keyword, JSON.stringify(text), 'a number');
    return value;
  }
}
