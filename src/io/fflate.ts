// SPDX-License-Identifier: MIT
// Streams packed and unpacked by fflate, where there is nothing else: in a page. It tells neither where a stream ends nor whether its
// check sum is right, so both are found from the sums themselves.
import { Gunzip, Gzip, Inflate, Zlib } from 'fflate';
import { DataError } from '../errors.ts';
import { checkCoding, damaged, early, isPadding, LEVEL, Trailer, type Codec, type Coding } from './packed.ts';

/** Bytes decoded at a time; they may become a thousand times as many. */
const PIECE = 1 << 16;

/** Where `trailer` stands first from `from` on, or -1. */
function find(bytes: Uint8Array, trailer: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(trailer[0], from); at >= 0; at = bytes.indexOf(trailer[0], at + 1))
    if (trailer.every((byte, i) => bytes[at + i] === byte)) return at;
  return -1;
}

/**
 * True if nothing but padding follows the check sums, which the stream's end, from `from` on, is known by. Adler's four bytes may stand
 * there twice, and look like padding.
 */
function endsIn(bytes: Uint8Array, trailer: Uint8Array, from: number): boolean {
  let last = bytes.length;
  while (last > 0 && isPadding(bytes[last - 1])) last--;
  const at = find(bytes, trailer, trailer.length === 4 ? Math.max(from, last - trailer.length) : from);
  return at >= 0 && at + trailer.length >= last;
}

async function* unpack(file: string, bytes: Uint8Array, coding: Coding): AsyncGenerator<Uint8Array> {
  const gzip = coding === 'gzip';
  checkCoding(file, bytes, coding);
  let trailer = new Trailer(gzip),
    out: Uint8Array[] = [],
    followed = false,
    from = 0;
  const take = (chunk: Uint8Array): void => {
    trailer.add(chunk);
    out.push(chunk);
  };
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
    if (out.some((chunk) => chunk.length > 0)) from = Math.max(0, at - 8); // the end is not before
    yield* out;
    out = [];
  }
  const end = trailer.bytes();
  if (endsIn(bytes, end, from)) return;
  const cut = end.some((_, i) => i > 0 && end.subarray(0, i).every((byte, j) => bytes[bytes.length - i + j] === byte));
  if (cut && !followed) throw early(file);
  throw damaged(file, followed ? 'their check sum is wrong, or something else follows' : 'their check sum is wrong or cut off');
}

async function pack(parts: readonly Uint8Array[], coding: Coding): Promise<Uint8Array[]> {
  const out: Uint8Array[] = [],
    take = (chunk: Uint8Array): void => {
      out.push(chunk);
    };
  const stream = coding === 'gzip' ? new Gzip({ level: LEVEL, mtime: 0 }, take) : new Zlib({ level: LEVEL }, take);
  for (const part of parts) for (let at = 0; at < part.length; at += 1 << 20) stream.push(part.subarray(at, at + (1 << 20)));
  stream.push(new Uint8Array(0), true);
  return out;
}

export const fflateCodec: Codec = { unpack, pack };
