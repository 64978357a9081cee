// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import fs, { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { discard, folderAside, makeFolder, removeLeftovers, writeFileAtomic } from '../../src/files/atomic.ts';
import { isDead, thisProcess } from '../../src/files/owner.ts';
import { linux, posix } from '../needs.ts';

const fresh = () => mkdtempSync(join(tmpdir(), 'vg-atomic-'));
const system = (code: string) => Object.assign(new Error(`${code}: simulated`), { code, syscall: 'write' });
afterEach(() => {
  vi.restoreAllMocks();
});

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
    vi.spyOn(fs, 'fsyncSync').mockImplementation((fd) => {
      order.push('sync');
      sync(fd);
    });
    vi.spyOn(fs, 'renameSync').mockImplementation((a, b) => {
      order.push('rename');
      rename(a, b);
    });
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
    vi.spyOn(fs, 'writeFileSync').mockImplementation((handle) => {
      fs.writeSync(handle as number, 'ne');
      throw system(code);
    });
    expect(() => writeFileAtomic(path, 'new')).toThrow(message);
    expect(() => writeFileAtomic(path, 'new')).toThrow(DataError);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('names a folder that is not there', () => {
    expect(() => writeFileAtomic(join(fresh(), 'no', 'a'), 'x')).toThrow(/no\/a: could not be written, the folder does not exist/);
  });

  linux.it('a folder that takes no files, even from root (/proc)', () => {
    expect(() => writeFileAtomic('/proc/voxelgrad', 'x')).toThrow(DataError);
  });
});

describe('what lies in the folder already', () => {
  it("a link of the file's name is replaced, its target left alone", () => {
    const [folder, other] = [fresh(), join(fresh(), 'precious')];
    writeFileSync(other, 'precious');
    symlinkSync(other, join(folder, 'a'));
    writeFileAtomic(join(folder, 'a'), 'new');
    expect([readFileSync(other, 'utf8'), readFileSync(join(folder, 'a'), 'utf8'), lstatSync(join(folder, 'a')).isSymbolicLink()]).toEqual([
      'precious',
      'new',
      false,
    ]);
  });

  it('a link in the place of the temporary file is never written through', () => {
    const [folder, other] = [fresh(), join(fresh(), 'precious')];
    writeFileSync(other, 'precious');
    const open = fs.openSync;
    let guessed = 0;
    // As if somebody had guessed the drawn name: the link is there when it is opened.
    vi.spyOn(fs, 'openSync').mockImplementation((path, flags, mode) => {
      if (String(path).endsWith('.tmp') && guessed++ === 0) symlinkSync(other, path);
      return open(path, flags, mode);
    });
    expect(() => writeFileAtomic(join(folder, 'a'), 'new')).toThrow(/EEXIST/);
    expect([guessed, readFileSync(other, 'utf8'), existsSync(join(folder, 'a'))]).toEqual([1, 'precious', false]);
  });

  it('no two temporary names are the same', () => {
    const names: string[] = [];
    const open = fs.openSync;
    vi.spyOn(fs, 'openSync').mockImplementation((path, flags, mode) => {
      if (String(path).endsWith('.tmp')) names.push(String(path));
      return open(path, flags, mode);
    });
    const path = join(fresh(), 'a');
    for (let i = 0; i < 20; i++) writeFileAtomic(path, `${i}`);
    expect(new Set(names).size).toBe(20);
  });

  posix.it('a FIFO or a device is not replaced', () => {
    const fifo = join(fresh(), 'fifo');
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
    expect(() => writeFileAtomic(fifo, 'x')).toThrow(/fifo: could not be written, got a FIFO, expected a file/);
    expect(lstatSync(fifo).isFIFO()).toBe(true);
    for (const device of ['/dev/null', '/dev/voxelgrad'])
      expect(() => writeFileAtomic(device, 'x')).toThrow(/expected a file or nothing of that name/);
  });
});

describe('leftovers', () => {
  /** The mark of a process that has ended. */
  const dead = (): string => {
    const { pid } = spawnSync(process.execPath, ['-e', '0']);
    return thisProcess().replace(/-\d+-[0-9a-z]+$/, `-${pid}-1`);
  };
  const named = (owner: string): string => `.importing-data.${owner}.0123456789ab.tmp`;

  it('a process knows itself to be alive, and the dead from those of other machines', () => {
    expect(isDead(thisProcess())).toBe(false);
    expect(isDead(dead())).toBe(true);
    expect(isDead(dead().replace(/^.{8}/, '00000000'))).toBe(false);
    expect(isDead(thisProcess().replace(/-[0-9a-f]{4}-/, '-0000-'))).toBe(true); // the machine has been started anew
    // its number was given out again
    expect(isDead(thisProcess().replace(/-[0-9a-z]+$/, process.platform === 'linux' ? '-1' : '-0'))).toBe(process.platform === 'linux');
  });

  it("of dead processes go, before anything is written into the folder; nobody else's do", () => {
    const folder = fresh();
    const stay = [
      named(thisProcess()),
      named(dead().replace(/^.{8}/, '00000000')),
      '.importing-data-0a1b2c3d',
      '.plan.json.4711.tmp',
      named('stranger'),
      `data.${dead()}.0123456789ab.tmp`,
    ];
    for (const name of [...stay, named(dead())]) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'scan'), 'x');
    }
    const file = `.plan.json.${dead()}.0123456789ab.tmp`;
    writeFileSync(join(folder, file), 'half');
    const outside = fresh();
    writeFileSync(join(outside, 'precious'), 'x');
    const link = `.link.${dead()}.0123456789ab.tmp`;
    symlinkSync(outside, join(folder, link));
    writeFileAtomic(join(folder, 'a'), 'x');
    expect(readdirSync(folder).sort()).toEqual([...stay, link, 'a'].sort());
    expect(readdirSync(outside)).toEqual(['precious']);
    removeLeftovers(folder);
    expect(readdirSync(folder).sort()).toEqual([...stay, link, 'a'].sort());
  });

  it("a folder made aside is this process's, and gone when discarded", () => {
    const folder = fresh();
    const aside = folderAside(join(folder, 'importing-data'));
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^\.importing-data\./)]);
    removeLeftovers(folder);
    expect(existsSync(aside)).toBe(true);
    expect(process.listenerCount('SIGINT')).toBeGreaterThan(0);
    discard(aside);
    expect(readdirSync(folder)).toEqual([]);
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
