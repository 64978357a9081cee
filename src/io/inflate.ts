// SPDX-License-Identifier: MIT
// gzip and zlib streams, decoded piece by piece so that a reader can stop, and proved to their check sums and to the end of the file:
// zeros or a newline behind them is padding (tapes, editors), a further gzip member goes on with the data, anything else is damage.
import { Gunzip, Inflate } from 'fflate';
import { DataError } from '../errors.ts';
import { crc32 } from '../files/crc.ts';

export type Coding = 'gzip' | 'zlib';

/** Bytes decoded at a time; they may become a thousand times as many. */
const PIECE = 1 << 16;
/** Deflate cannot pack more than about 1032 to 1. */
export const DEFLATE_LIMIT = 1100;

export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
const isZlib = (bytes: Uint8Array): boolean => (bytes[0] & 15) === 8 && ((bytes[0] << 8) | bytes[1]) % 31 === 0 && (bytes[1] & 32) === 0;

const AGAIN = 'Copy or download the file again.';
const early = (file: string, cause?: unknown): DataError => new DataError(`${file}: the compressed data stop early (truncated file).`, AGAIN, { cause });
const damaged = (file: string, why: string, cause?: unknown): DataError => new DataError(`${file}: the compressed data are corrupt (${why}).`, AGAIN, { cause });

function adler32(bytes: Uint8Array, sum: number): number {
  let a = sum & 0xffff, b = sum >>> 16;
  for (let i = 0; i < bytes.length;) {
    for (const end = Math.min(i + 2600, bytes.length); i < end; i++) b += a += bytes[i]; // so many sums stay below 2^31
    a %= 65521; b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}

const isPadding = (byte: number): boolean => byte === 0 || byte === 10 || byte === 13;

/** True if nothing but padding follows `trailer`, whose own last bytes may look like it. */
function endsIn(bytes: Uint8Array, trailer: Uint8Array): boolean {
  let last = bytes.length;
  while (last > 0 && isPadding(bytes[last - 1])) last--;
  for (let end = Math.min(last + trailer.length, bytes.length); end >= Math.max(last, trailer.length); end--) {
    if (trailer.every((byte, i) => bytes[end - trailer.length + i] === byte)) return true;
  }
  return false;
}

/** The check sums that must stand behind the data decoded so far. */
class Trailer {
  readonly #gzip: boolean;
  #sum: number;
  #length = 0;
  constructor(gzip: boolean) { this.#gzip = gzip; this.#sum = gzip ? 0 : 1; }
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

/** The decoded pieces of `bytes`, in order. DataError where they are damaged: the last may come after all data. */
function* inflated(file: string, bytes: Uint8Array, coding: Coding): Generator<Uint8Array> {
  const gzip = coding === 'gzip';
  if (!(gzip ? isGzip : isZlib)(bytes)) throw damaged(file, `no ${coding} header`);
  let trailer = new Trailer(gzip), out: Uint8Array[] = [], followed = false;
  const take = (chunk: Uint8Array): void => { trailer.add(chunk); out.push(chunk); };
  const stream = gzip ? new Gunzip(take) : new Inflate(take);
  if (stream instanceof Gunzip) {
    stream.onmember = (at) => {
      if (!trailer.bytes().every((byte, i) => bytes[at - 8 + i] === byte)) throw damaged(file, 'a check sum is wrong');
      trailer = new Trailer(true);
    };
  }
  for (let at = gzip ? 0 : 2; at < bytes.length && !followed; at += PIECE) {
    try {
      stream.push(bytes.subarray(at, at + PIECE), at + PIECE >= bytes.length);
    } catch (cause) {
      const { code, message } = cause as { code?: unknown; message: string };
      if (cause instanceof DataError) throw cause;
      if (code === 0) throw early(file, cause);
      if (code !== 6) throw damaged(file, message, cause);
      followed = true; // by something that is no member: padding, or damage
    }
    yield* out;
    out = [];
  }
  const end = trailer.bytes();
  if (endsIn(bytes, end)) return;
  const cut = end.some((_, i) => i > 0 && end.subarray(0, i).every((byte, j) => bytes[bytes.length - i + j] === byte));
  if (cut && !followed) throw early(file);
  throw damaged(file, followed ? 'their check sum is wrong, or something else follows' : 'their check sum is wrong or cut off');
}

/** The decoded stream, so many bytes at a time. */
export class Inflated {
  readonly #pieces: Generator<Uint8Array>;
  #piece = new Uint8Array(0);
  /** Bytes taken so far. */
  taken = 0;

  constructor(file: string, bytes: Uint8Array, coding: Coding) { this.#pieces = inflated(file, bytes, coding); }

  #next(): boolean {
    while (this.#piece.length === 0) {
      const { value, done } = this.#pieces.next();
      if (done) return false;
      this.#piece = value as Uint8Array<ArrayBuffer>;
    }
    return true;
  }

  /** The next `count` bytes, fewer where the stream ends. */
  take(count: number): Uint8Array {
    const out = new Uint8Array(count);
    let filled = 0;
    while (filled < count && this.#next()) {
      const part = this.#piece.subarray(0, count - filled);
      out.set(part, filled);
      this.#piece = this.#piece.subarray(part.length);
      filled += part.length;
    }
    this.taken += filled;
    return filled === count ? out : out.subarray(0, filled);
  }

  /** Passes over `count` bytes. */
  skip(count: number): void {
    const end = this.taken + count;
    while (this.taken < end && this.#next()) {
      const part = Math.min(this.#piece.length, end - this.taken);
      this.#piece = this.#piece.subarray(part);
      this.taken += part;
    }
  }

  /** What is left, to the check sum: at most `most` bytes of it, and then one more. */
  rest(most: number): Uint8Array { return this.take(most + 1); }
}
