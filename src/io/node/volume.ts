// SPDX-License-Identifier: MIT
// Volumes as files of this machine: the only place where image formats meet the file system.
import { open, rename, stat, statfs, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Volume } from '../../data/volume.ts';
import { DataError } from '../../errors.ts';
import { assertReplaceable, discard, folderAside } from '../../files/atomic.ts';
import { assertFile, unreadable } from '../../files/regular.ts';
import { dataFileOf, decodeVolume, unknownKind } from '../decode.ts';
import { encodeVolume } from '../encode.ts';
import { volumeEnding } from '../endings.ts';
import type { ByteSource } from '../source.ts';
import { heardBy } from './remarks.ts';
import { zlibCodec } from './zlib.ts';

/** One read call takes no more than 2 GiB. */
const MOST_AT_ONCE = 2 ** 30;

async function openSource(file: string, opened: FileHandle[]): Promise<ByteSource> {
  assertFile(file);
  const handle = await open(file, 'r').catch((cause) => {
    throw unreadable(file, cause);
  });
  opened.push(handle);
  const { size } = await handle.stat();
  return {
    size,
    async read(start, end) {
      const bytes = room(file, end - start);
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await handle.read(bytes, at, Math.min(bytes.length - at, MOST_AT_ONCE), start + at).catch((cause) => {
          throw unreadable(file, cause);
        });
        if (bytesRead === 0)
          throw new DataError(
            `${file}: became shorter while it was read, got ${start + at} bytes, expected ${size}.`,
            'Is something writing it?',
          );
        at += bytesRead;
      }
      return bytes;
    },
  };
}

function room(file: string, bytes: number): Uint8Array {
  try {
    return new Uint8Array(Math.max(0, bytes));
  } catch (cause) {
    throw new DataError(`${file}: too large to hold in memory, got ${bytes} bytes.`, 'Crop the scan.', { cause });
  }
}

/**
 * Reads a volume from a file (`VOLUME_ENDINGS`) or a folder holding one DICOM series, in the orientation it is stored in.
 * `tell` hears what a user should know of the file; where nobody does, what is doubtful (no orientation, no spacing) is an error.
 * DataError naming the file: missing, truncated, corrupt, contradictory, not 3D or scalar, too large, sheared, NaN or infinities.
 */
export async function readVolume(file: string, tell = heardBy()): Promise<Volume> {
  const isFolder = await stat(file).then(
    (s) => s.isDirectory(),
    (cause) => {
      throw unreadable(file, cause);
    },
  );
  if (isFolder) return (await import('./dicom.ts')).readDicomSeries(file, tell);
  if (!volumeEnding(file)) throw unknownKind(file);
  const opened: FileHandle[] = [];
  try {
    const beside = (name: string): Promise<ByteSource> => {
      const path = join(dirname(file), name);
      return openSource(path, opened).catch((cause) => {
        throw new DataError(
          `${file}: names a data file that cannot be read, got "${path}"` +
            `${cause instanceof DataError ? ` (${/got (.*?), expected/.exec(cause.message)?.[1] ?? cause.message})` : ''}.`,
          'Keep the header and its data file together, under their original names.',
          { cause },
        );
      });
    };
    return await decodeVolume({ file, source: await openSource(file, opened), beside, codec: zlibCodec, tell });
  } catch (cause) {
    if (cause instanceof RangeError && /array|buffer|allocation/i.test(cause.message))
      throw new DataError(`${file}: too large to hold in memory.`, 'Crop the scan.', { cause });
    throw cause;
  } finally {
    for (const handle of opened) await handle.close();
  }
}

/** The files that hold a volume: its own, and the data file that a header names. DataError naming what cannot be read. */
export async function volumeFiles(file: string): Promise<string[]> {
  const opened: FileHandle[] = [];
  try {
    const name = await dataFileOf(file, await openSource(file, opened));
    return name === undefined ? [file] : [file, join(dirname(file), name)];
  } finally {
    for (const handle of opened) await handle.close();
  }
}

/**
 * Writes a volume; the name's ending chooses the format, compressed unless `compress` is false. The files are written in a
 * temporary folder beside their place and then renamed, so that a reader never meets half a file. DataError naming it.
 */
export async function writeVolume(file: string, volume: Volume, compress = true): Promise<void> {
  const path = resolve(file),
    folder = dirname(path);
  let files;
  try {
    files = await encodeVolume(basename(path), volume, compress, zlibCodec);
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    throw new DataError(
      `${file}${cause.message.slice(basename(path).length, cause.hint ? -cause.hint.length - 1 : undefined)}`,
      cause.hint,
      { cause },
    );
  }
  let temporary: string | undefined;
  try {
    for (const { name } of files) assertReplaceable(join(folder, name));
    temporary = folderAside(join(folder, `writing-${basename(path)}`));
    for (const { name, parts } of files) await writeParts(join(temporary, name), parts);
    for (const { name } of files) await rename(join(temporary, name), join(folder, name)); // a header last: it must never point at nothing
  } catch (cause) {
    throw new DataError(
      `${file}: cannot be written: ${await writeFailure(folder, volume.data.byteLength, cause)}.`,
      'Free space or choose another output folder; nothing was left behind.',
      { cause },
    );
  } finally {
    if (temporary !== undefined) discard(temporary);
  }
}

async function writeParts(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    for (const part of parts)
      for (let at = 0; at < part.length;) at += (await handle.write(part, at, Math.min(part.length - at, MOST_AT_ONCE))).bytesWritten;
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Why a write failed. */
async function writeFailure(folder: string, bytes: number, cause: unknown): Promise<string> {
  const code = (cause as NodeJS.ErrnoException)?.code;
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return 'no permission to write there';
  const free = await statfs(folder).then(
    (s) => s.bavail * s.bsize,
    () => Infinity,
  );
  if (code === 'ENOSPC' || code === 'EDQUOT' || free < bytes) return 'the disk is full';
  return cause instanceof DataError ? cause.message.replace(/\.$/, '') : (code ?? (cause as Error).message ?? String(cause));
}
