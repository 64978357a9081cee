// SPDX-License-Identifier: MIT
// A deflated stream unpacked as a whole, in a page.
import { Inflate } from 'fflate';

/** Bytes decoded at a time; they may become a thousand times as many. */
const PIECE = 1 << 16;

/** @throws Error for a damaged stream, and for one that holds more than `most` bytes */
export function inflateRaw(packed: Uint8Array, most: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  const stream = new Inflate((part) => {
    parts.push(part);
    length += part.length;
  });
  for (let at = 0; at < packed.length; at += PIECE) {
    stream.push(packed.subarray(at, at + PIECE), at + PIECE >= packed.length);
    if (length > most) throw new Error(`more than ${most} bytes`);
  }
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
