// SPDX-License-Identifier: MIT
// A large file written piece by piece while other work goes on. It is there, under one name or several, only once it is whole.
import fs from 'node:fs';
import { dirname } from 'node:path';
import { DataError } from '../errors.ts';
import type { WholeFile } from './sealed.ts';
import { asideOf, assertReplaceable, discard, flushFolder, writeError } from './atomic.ts';

export class AtomicWriter implements WholeFile {
  private readonly path: string;
  private readonly others: readonly string[];
  private readonly aside: string;
  private readonly file: fs.promises.FileHandle;

  private constructor(path: string, others: readonly string[], aside: string, file: fs.promises.FileHandle) {
    this.path = path;
    this.others = others;
    this.aside = aside;
    this.file = file;
  }

  /** For `path`, and for `others` with the same content. @throws DataError */
  static async open(path: string, others: readonly string[] = []): Promise<AtomicWriter> {
    assertReplaceable(path);
    const aside = asideOf(path);
    try {
      return new AtomicWriter(path, others, aside, await fs.promises.open(aside, 'wx'));
    } catch (cause) {
      discard(aside);
      throw writeError(path, cause);
    }
  }

  /** At the end, or at a place that was written before. @throws DataError when the disk is full */
  async write(bytes: Uint8Array, at?: number): Promise<void> {
    await this.trying(async () => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.file.write(bytes, done, bytes.length - done, at === undefined ? null : at + done);
        done += bytesWritten;
      }
    });
  }

  /** Gives the file its names, its own last; each shows the old content or the new. */
  async commit(): Promise<void> {
    await this.trying(async () => {
      await this.file.sync();
      for (const other of this.others) {
        const twin = asideOf(other);
        try {
          // One content under two names; where the file system has no links, twice.
          await fs.promises.link(this.aside, twin).catch(() => fs.promises.copyFile(this.aside, twin, fs.constants.COPYFILE_EXCL));
          await fs.promises.rename(twin, other);
        } finally {
          discard(twin);
        }
      }
      await fs.promises.rename(this.aside, this.path);
      flushFolder(dirname(this.path));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file.close().catch(() => undefined);
    discard(this.aside);
  }

  private async trying(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      throw cause instanceof DataError ? cause : writeError(this.path, cause);
    }
  }
}
