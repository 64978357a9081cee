// SPDX-License-Identifier: MIT
// Folders held by one process: by this one, by one that lives, by dead ones of every kind, by those of whom nobody can say.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FolderLock, type Held } from '../../src/files/lock.ts';
import { lifeOf, thisProcess } from '../../src/files/owner.ts';
import { scratch } from '../data/helpers.ts';
import { linux } from '../needs.ts';

const root = scratch();
const onLinux = linux.it;
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

let made = 0;
const folder = (): string => {
  const path = join(root, `f${made++}`);
  mkdirSync(path);
  return path;
};
const lockFile = (owner: string): string => `.work.${owner}.host.lock`;
const heldBy = (owner: string): string => {
  const path = folder();
  writeFileSync(join(path, lockFile(owner)), '');
  return path;
};
const take = (path: string, seize = false): FolderLock | Held => FolderLock.take(path, 'work', { seize, patience: 0 });
const [machine, boot, , ownStart] = thisProcess().split('-') as [string, string, string, string];
const locks = (path: string): string[] => readdirSync(path).filter((name) => name.endsWith('.lock'));

/** A process that sleeps, as an owner. */
function sleeper(): { child: ChildProcess; owner: string } {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 600000)'], { stdio: 'ignore' });
  children.push(child);
  const start = Number(readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ')[19]).toString(36);
  return { child, owner: `${machine}-${boot}-${child.pid}-${start}` };
}

describe('a folder', () => {
  it('is held once, by a file of a name that says by whom, and free again afterwards', () => {
    const path = folder();
    {
      using first = take(path) as FolderLock;
      expect(first).toBeInstanceOf(FolderLock);
      expect(locks(path)).toEqual([expect.stringContaining(thisProcess())]);
      expect(take(path)).toEqual({ pid: process.pid, host: hostname(), life: 'alive' });
      using other = FolderLock.take(path, 'another', { patience: 0 }) as FolderLock; // another kind of work
      expect(other).toBeInstanceOf(FolderLock);
    }
    expect(readdirSync(path)).toEqual([]);
    using again = take(path) as FolderLock;
    expect(again).toBeInstanceOf(FolderLock);
  });

  onLinux('of a living process is refused, even by force; nothing of ours stays', () => {
    const { child, owner } = sleeper();
    const path = heldBy(owner);
    for (const seize of [false, true]) expect(take(path, seize)).toEqual({ pid: child.pid, host: 'host', life: 'alive' });
    expect(readdirSync(path)).toEqual([lockFile(owner)]);
  });

  onLinux('of a dead process is free: killed, its number given again, before the machine was started anew', async () => {
    const { child, owner } = sleeper();
    const ended = new Promise((done) => {
      child.once('exit', done);
    });
    child.kill('SIGKILL');
    await ended;
    const reused = sleeper().owner.replace(/[^-]+$/, '1');
    const otherBoot = boot === '0000' ? '0001' : '0000';
    for (const dead of [owner, reused, `${machine}-${otherBoot}-${process.pid}-${ownStart}`]) {
      const path = heldBy(dead);
      using lock = take(path) as FolderLock;
      expect(lock).toBeInstanceOf(FolderLock);
      expect(locks(path)).toEqual([expect.stringContaining(thisProcess())]);
    }
  });

  it('of a process of another machine or container is refused, and taken by force', () => {
    const path = heldBy(`${machine === '00000000' ? '00000001' : '00000000'}-${boot}-4000000-${ownStart}`);
    expect(take(path)).toEqual({ pid: 4_000_000, host: 'host', life: 'unknown' });
    using lock = take(path, true) as FolderLock;
    expect(lock).toBeInstanceOf(FolderLock);
  });

  it('of a process whose start is not known is refused while there is one of its number', () => {
    expect(lifeOf(`${machine}-${boot}-4190000-0`)).toBe('dead');
    expect(lifeOf(`${machine}-${boot}-${process.ppid}-0`)).toBe('unknown');
  });
});
