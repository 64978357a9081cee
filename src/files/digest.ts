// SPDX-License-Identifier: MIT
// SHA-256 of what is on disk, read in pieces: what a result was made from is known by its content, never by its name.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { assertFile } from './regular.ts';

/** `sha256:` and 64 hexadecimal digits. */
export type Digest = string;

export interface FileDigest {
  readonly digest: Digest;
  readonly bytes: number;
}

/** @throws DataError where it is no file */
export async function digestFile(path: string): Promise<FileDigest> {
  assertFile(path);
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { digest: `sha256:${hash.digest('hex')}`, bytes };
}

export const digestText = (text: string): Digest => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** One digest of several files: of their digests in the order given. A single file has its own. */
export async function digestFiles(paths: readonly string[]): Promise<FileDigest> {
  if (paths.length === 1) return digestFile(paths[0]);
  let bytes = 0;
  const lines: string[] = [];
  for (const path of paths) {
    const one = await digestFile(path);
    bytes += one.bytes;
    lines.push(one.digest);
  }
  return { digest: digestText(lines.join('\n')), bytes };
}
