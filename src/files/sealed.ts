// SPDX-License-Identifier: MIT
// safetensors files with a checksum over all their bytes: metadata `checksum` is the sha256 of the file with 64 zeros in its place.
import { DataError } from '../errors.ts';
import { sha256 } from './sha256.ts';
import { safetensorsHeader, type StoredType } from './safetensors.ts';

const text = new TextEncoder();
const BLANK = '0'.repeat(64);
const entry = (sum: string): string => `"checksum":"${sum}"`;
/** Bytes gathered before they are hashed and written. */
const CHUNK = 2 ** 23;

/** A tensor whose values are asked for when it is their turn. */
export interface LazyTensor {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  values(): ArrayBufferView;
}

/**
 * A large file written piece by piece, at its end or at a place written before; it is there only once it is whole: without `commit` nothing
 * stays.
 */
export interface WholeFile extends AsyncDisposable {
  write(bytes: Uint8Array, at?: number): Promise<void>;
  commit(): Promise<void>;
}

/** Writes a sealed file. Between its chunks other work goes on. @throws DataError */
export async function writeSealed(
  file: WholeFile,
  tensors: readonly LazyTensor[],
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  const header = safetensorsHeader(tensors, { ...metadata, checksum: BLANK });
  const hash = sha256();
  const chunk = new Uint8Array(CHUNK);
  let filled = 0;
  const flush = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes);
    await file.write(bytes);
  };
  await flush(header);
  for (const tensor of tensors) {
    const view = tensor.values();
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    if (filled + bytes.length > CHUNK) {
      await flush(chunk.subarray(0, filled));
      filled = 0;
    }
    if (bytes.length > CHUNK) {
      await flush(bytes);
      continue;
    }
    chunk.set(bytes, filled);
    filled += bytes.length;
  }
  await flush(chunk.subarray(0, filled));
  await file.write(text.encode(hash.digest('hex')), sealAt(header, BLANK));
  await file.commit();
}

/** Where the sum begins in a header, or -1. */
function sealAt(header: Uint8Array, sum: string): number {
  const sought = text.encode(entry(sum));
  for (let at = header.indexOf(sought[0]); at >= 0; at = header.indexOf(sought[0], at + 1))
    if (sought.every((byte, i) => header[at + i] === byte)) return at + entry('').length - 1;
  return -1;
}

/** True for a file that is as it was sealed, false for one without a seal. @throws DataError for one that is not */
export function assertSealed(bytes: Uint8Array, { checksum }: Readonly<Record<string, string>>, where: string): boolean {
  if (checksum === undefined) return false;
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  const at = /^[0-9a-f]{64}$/.test(checksum) ? sealAt(bytes.subarray(0, start), checksum) : -1;
  const hash =
    at < 0
      ? null
      : sha256()
          .update(bytes.subarray(0, at))
          .update(BLANK)
          .update(bytes.subarray(at + 64));
  if (hash?.digest('hex') === checksum) return true;
  throw new DataError(
    `${where}: damaged, its bytes are not those that were written (checksum).`,
    'Restore it from a copy; or remove it, and --resume goes on from the newest checkpoint that is left.',
  );
}
