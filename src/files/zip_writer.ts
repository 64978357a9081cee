// SPDX-License-Identifier: MIT
// A zip written piece by piece, without the extensions for files beyond 4 GiB: entries are read as they are packed, so that neither they
// nor the whole lie in memory. The same entries give the same bytes.
import { Zip, ZipDeflate, ZipPassThrough } from 'fflate';
import { DataError } from '../errors.ts';

export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  /** Its bytes from one place to another. */
  piece(from: number, to: number): Promise<Uint8Array>;
}

/** Bytes of a zip that a page can read again: it holds the file in one piece. */
export const MOST_ZIPPED = 2 ** 31 - 2 ** 20;
const PIECE = 2 ** 22;
/** Made of numbers that are drawn or packed: deflating them again takes time and saves nothing. */
const DENSE = /\.(gz|safetensors)$/;

/** @param put gets the file in order @throws DataError where it becomes too large */
export async function writeZip(
  entries: readonly ZipEntry[],
  put: (chunk: Uint8Array) => void | Promise<void>,
  tell: (done: number, total: number) => void = () => {},
): Promise<void> {
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  let waiting: Uint8Array[] = [],
    failure: Error | undefined,
    size = 0,
    done = 0;
  const zip = new Zip((error, chunk) => {
    if (error) failure = error;
    else waiting.push(chunk);
  });
  const flush = async (): Promise<void> => {
    if (failure) throw failure;
    const now = waiting;
    waiting = [];
    for (const chunk of now) {
      size += chunk.length;
      if (size > MOST_ZIPPED)
        throw new DataError(
          `session: too large for one file, got more than ${MOST_ZIPPED} bytes, expected at most that.`,
          'Take the model and the masks away by themselves, or make sessions of fewer scans.',
        );
      await put(chunk);
    }
  };
  for (const { name, size: bytes, piece } of entries) {
    const entry = DENSE.test(name) ? new ZipPassThrough(name) : new ZipDeflate(name, { level: 6 });
    entry.mtime = new Date(2020, 0, 1); // the same session, the same bytes
    zip.add(entry);
    for (let at = 0; at < bytes || at === 0; at += PIECE) {
      const part = await piece(at, Math.min(bytes, at + PIECE));
      entry.push(part, at + PIECE >= bytes);
      await flush();
      tell((done += part.length), total);
    }
  }
  zip.end();
  await flush();
}
