// SPDX-License-Identifier: MIT
// What the readers of image formats ask of the outside: bytes on demand, and somebody to tell what they noticed.
import { DataError } from '../errors.ts';
import type { Codec } from './packed.ts';

/** A file's bytes on demand: an open file in Node, a Blob in a page, an array in a test. What `read` returns belongs to the caller. */
export interface ByteSource {
  readonly size: number;
  /** Bytes `start` to `end` (exclusive, at most `size`). */
  read(start: number, end: number): Promise<Uint8Array>;
}

/** Opens the file that a header names, beside it or below it. */
export type Beside = (name: string) => Promise<ByteSource>;

/** Something about a file that its user should know. */
export interface Remark {
  /** The file it is about. */
  readonly file: string;
  readonly message: string;
  readonly remedy: string;
  /** Others may take the file otherwise, or had to be told: it is read only where somebody hears the remark. */
  readonly doubtful: boolean;
}

export type Tell = (remark: Remark) => void;

/** Passes remarks on. DataError for a doubtful one that nobody hears. */
export function say(remarks: readonly Remark[], tell?: Tell): void {
  for (const remark of remarks) {
    if (tell) tell(remark);
    else if (remark.doubtful) throw new DataError(`${remark.file}: ${remark.message}`, remark.remedy);
  }
}

/** What a reader is given. */
export interface Input {
  /** Its name, for messages; its ending chooses the format. */
  readonly file: string;
  readonly source: ByteSource;
  readonly beside: Beside;
  readonly codec: Codec;
  readonly tell: Tell;
}
