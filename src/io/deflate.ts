// SPDX-License-Identifier: MIT
// Packing parts of a file one after another into one gzip or zlib stream. The same voxels give the same bytes: no date goes in.
import { Gzip, Zlib } from 'fflate';
import type { Coding } from './inflate.ts';

const PIECE = 1 << 20;
const LEVEL = 6;

export function deflated(parts: readonly Uint8Array[], coding: Coding): Uint8Array[] {
  const out: Uint8Array[] = [], take = (chunk: Uint8Array): void => { out.push(chunk); };
  const stream = coding === 'gzip' ? new Gzip({ level: LEVEL, mtime: 0 }, take) : new Zlib({ level: LEVEL }, take);
  for (const part of parts) for (let at = 0; at < part.length; at += PIECE) stream.push(part.subarray(at, at + PIECE));
  stream.push(new Uint8Array(0), true);
  return out;
}
