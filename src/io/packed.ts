// SPDX-License-Identifier: MIT
// gzip and zlib streams: what decodes them is passed in (fflate in a page, node:zlib in Node), what holds for both is here. A stream
// is proved to its check sums and to the end of the file: zeros or a newline behind it is padding (tapes, editors), a further gzip
// member goes on with the data, anything else is damage.
import { DataError } from '../errors.ts';
import { crc32 } from '../files/crc.ts';

export type Coding = 'gzip' | 'zlib';

/** What packs and unpacks. */
export interface Codec {
  /** The decoded pieces of `bytes`, in order. DataError where they are damaged, which may be said after the last piece. */
  unpack(file: string, bytes: Uint8Array, coding: Coding): AsyncIterable<Uint8Array>;
  /** One stream of all parts. The same parts give the same bytes: no date goes in. */
  pack(parts: readonly Uint8Array[], coding: Coding): Promise<Uint8Array[]>;
}

/** Deflate cannot pack more than about 1032 to 1. */
export const DEFLATE_LIMIT = 1100;
/** How hard voxels are packed. */
export const LEVEL = 6;

export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
const isZlib = (bytes: Uint8Array): boolean => (bytes[0] & 15) === 8 && ((bytes[0] << 8) | bytes[1]) % 31 === 0 && (bytes[1] & 32) === 0;

const AGAIN = 'Copy or download the file again.';
export const early = (file: string, cause?: unknown): DataError =>
  new DataError(`${file}: the compressed data stop early (truncated file).`, AGAIN, { cause });
export const damaged = (file: string, why: string, cause?: unknown): DataError =>
  new DataError(`${file}: the compressed data are corrupt (${why}).`, AGAIN, { cause });

/** DataError unless `bytes` begin as `coding` does. */
export function checkCoding(file: string, bytes: Uint8Array, coding: Coding): void {
  if (!(coding === 'gzip' ? isGzip : isZlib)(bytes)) throw damaged(file, `no ${coding} header`);
}

function adler32(bytes: Uint8Array, sum: number): number {
  let a = sum & 0xffff,
    b = sum >>> 16;
  for (let i = 0; i < bytes.length;) {
    for (const end = Math.min(i + 2600, bytes.length); i < end; i++) b += a += bytes[i]; // so many sums stay below 2^31
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}

export const isPadding = (byte: number): boolean => byte === 0 || byte === 10 || byte === 13;

/** The check sums that must stand behind the data decoded so far. */
export class Trailer {
  readonly #gzip: boolean;
  #sum: number;
  #length = 0;
  constructor(gzip: boolean) {
    this.#gzip = gzip;
    this.#sum = gzip ? 0 : 1;
  }
  add(chunk: Uint8Array): void {
    this.#sum = this.#gzip ? crc32(chunk, this.#sum) : adler32(chunk, this.#sum);
    this.#length += chunk.length;
  }
  bytes(): Uint8Array {
    const view = new DataView(new ArrayBuffer(this.#gzip ? 8 : 4));
    view.setUint32(0, this.#sum, this.#gzip);
    if (this.#gzip) view.setUint32(4, this.#length % 2 ** 32, true);
    return new Uint8Array(view.buffer);
  }
}

/** The decoded stream, so many bytes at a time. */
export class Inflated {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  /** Bytes taken so far. */
  taken = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  async #next(): Promise<boolean> {
    while (this.#piece.length === 0) {
      const { value, done } = await this.#pieces.next();
      if (done) return false;
      this.#piece = value;
    }
    return true;
  }

  /** The next `count` bytes, fewer where the stream ends. */
  async take(count: number): Promise<Uint8Array> {
    const out = new Uint8Array(count);
    let filled = 0;
    while (filled < count && (await this.#next())) {
      const part = this.#piece.subarray(0, count - filled);
      out.set(part, filled);
      this.#piece = this.#piece.subarray(part.length);
      filled += part.length;
    }
    this.taken += filled;
    return filled === count ? out : out.subarray(0, filled);
  }

  /** Passes over `count` bytes. */
  async skip(count: number): Promise<void> {
    const end = this.taken + count;
    while (this.taken < end && (await this.#next())) {
      const part = Math.min(this.#piece.length, end - this.taken);
      this.#piece = this.#piece.subarray(part);
      this.taken += part;
    }
  }

  /** What is left, to the check sum: at most `most` bytes of it, and then one more. */
  rest(most: number): Promise<Uint8Array> {
    return this.take(most + 1);
  }
}
