// SPDX-License-Identifier: MIT
// Streams packed and unpacked by Node's zlib, which is a few times as fast as any JavaScript. Its own gunzip passes over what follows
// a member, so members are taken one by one.
import { createDeflate, createGzip, createInflateRaw } from 'node:zlib';
import { checkCoding, damaged, early, isGzip, isPadding, LEVEL, Trailer, type Codec, type Coding } from '../packed.ts';

const CHUNK = 1 << 20;

/** Where the deflated bytes begin behind a gzip header at `at` (RFC 1952). */
function behindHeader(bytes: Uint8Array, at: number): number {
  const flags = bytes[at + 3];
  let next = at + 10;
  if (flags & 4) next += 2 + bytes[next] + 256 * bytes[next + 1];
  for (const flag of [8, 16]) if (flags & flag) next = bytes.indexOf(0, next) + 1 || bytes.length; // name, comment
  return flags & 2 ? next + 2 : next;
}

async function* unpack(file: string, bytes: Uint8Array, coding: Coding): AsyncGenerator<Uint8Array> {
  checkCoding(file, bytes, coding);
  const gzip = coding === 'gzip';
  for (let at = 0; ;) {
    const start = gzip ? behindHeader(bytes, at) : at + 2,
      trailer = new Trailer(gzip),
      stream = createInflateRaw({ chunkSize: CHUNK });
    if (!(start < bytes.length)) throw early(file);
    stream.end(bytes.subarray(start));
    try {
      for await (const chunk of stream) {
        trailer.add(chunk as Uint8Array);
        yield chunk as Uint8Array;
      }
    } catch (cause) {
      throw (cause as NodeJS.ErrnoException).code === 'Z_BUF_ERROR' ? early(file, cause) : damaged(file, (cause as Error).message, cause);
    }
    const end = start + stream.bytesWritten,
      sums = trailer.bytes();
    at = end + sums.length;
    if (at > bytes.length) throw early(file);
    if (!sums.every((byte, i) => bytes[end + i] === byte)) throw damaged(file, 'a check sum is wrong');
    if (gzip && isGzip(bytes.subarray(at, at + 3))) continue;
    if (!bytes.subarray(at).every(isPadding)) throw damaged(file, `something else follows, ${bytes.length - at} bytes`);
    return;
  }
}

async function pack(parts: readonly Uint8Array[], coding: Coding): Promise<Uint8Array[]> {
  const stream = coding === 'gzip' ? createGzip({ level: LEVEL, chunkSize: CHUNK }) : createDeflate({ level: LEVEL, chunkSize: CHUNK });
  for (const part of parts) stream.write(part);
  stream.end();
  const out: Uint8Array[] = [];
  for await (const chunk of stream) out.push(chunk as Uint8Array);
  return out;
}

export const zlibCodec: Codec = { unpack, pack };
