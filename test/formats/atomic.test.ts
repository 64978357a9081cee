// SPDX-License-Identifier: MIT
import fs, { existsSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { makeFolder, writeFileAtomic } from '../../src/files/atomic.ts';

const fresh = () => mkdtempSync(join(tmpdir(), 'vg-atomic-'));
const system = (code: string) => Object.assign(new Error(`${code}: simulated`), { code, syscall: 'write' });
afterEach(() => { vi.restoreAllMocks(); });

describe('writeFileAtomic', () => {
  it('writes and replaces, and leaves nothing else behind', () => {
    const folder = fresh();
    const path = join(folder, 'state.json');
    writeFileAtomic(path, 'one');
    writeFileAtomic(path, Uint8Array.of(0x74, 0x77, 0x6f));
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(readdirSync(folder)).toEqual(['state.json']);
  });

  it('flushes the content before it gets the name', () => {
    const order: string[] = [];
    const [sync, rename] = [fs.fsyncSync, fs.renameSync];
    vi.spyOn(fs, 'fsyncSync').mockImplementation((fd) => { order.push('sync'); sync(fd); });
    vi.spyOn(fs, 'renameSync').mockImplementation((a, b) => { order.push('rename'); rename(a, b); });
    writeFileAtomic(join(fresh(), 'a'), 'x');
    expect(order.slice(0, 2)).toEqual(['sync', 'rename']);
  });

  it.each([
    ['ENOSPC', /a: could not be written, the disk is full\. Free some space/],
    ['EDQUOT', /disk quota/],
    ['EROFS', /read-only\. Choose an output folder/],
    ['EIO', /EIO: simulated/],
  ])('%s half-way: a DataError, the old file as it was, no leftovers', (code, message) => {
    const folder = fresh();
    const path = join(folder, 'a');
    writeFileAtomic(path, 'old');
    vi.spyOn(fs, 'writeFileSync').mockImplementation((handle) => { fs.writeSync(handle as number, 'ne'); throw system(code); });
    expect(() => writeFileAtomic(path, 'new')).toThrow(message);
    expect(() => writeFileAtomic(path, 'new')).toThrow(DataError);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('names a folder that is not there', () => {
    expect(() => writeFileAtomic(join(fresh(), 'no', 'a'), 'x')).toThrow(/no\/a: could not be written, the folder does not exist/);
  });

  it.skipIf(process.platform !== 'linux')('a folder that takes no files, even from root (/proc)', () => {
    expect(() => writeFileAtomic('/proc/voxelgrad', 'x')).toThrow(DataError);
  });
});

describe('makeFolder', () => {
  it('makes parents and accepts what exists', () => {
    const path = join(fresh(), 'a', 'b');
    makeFolder(path);
    makeFolder(path);
    expect(existsSync(path)).toBe(true);
  });
  it('says when a file has the name', () => {
    const path = join(fresh(), 'a');
    writeFileAtomic(path, '');
    expect(() => makeFolder(path)).toThrow(/a file is where a folder is needed/);
    expect(() => makeFolder(join(path, 'b'))).toThrow(/a file is where a folder is needed/);
  });
});
