// SPDX-License-Identifier: MIT
// Folders held by one process: by this one, by one that lives, by dead ones of every kind, by those of whom nobody can say.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
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
      expect(take(path)).toMatchObject({ pid: process.pid, host: hostname(), life: 'alive' });
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
    for (const seize of [false, true]) expect(take(path, seize)).toMatchObject({ pid: child.pid, host: 'host', life: 'alive' });
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
    expect(take(path)).toMatchObject({ pid: 4_000_000, host: 'host', life: 'unknown' });
    using lock = take(path, true) as FolderLock;
    expect(lock).toBeInstanceOf(FolderLock);
  });

  const elsewhere = (pid: number): string => `${machine === '00000000' ? '00000001' : '00000000'}-${boot}-${pid}-${ownStart}`;
  const breath = { every: 50, still: 400 };
  const watching = (path: string, onWait = (): void => undefined): Promise<FolderLock | Held> =>
    FolderLock.takeWatching(path, 'work', { breath, onWait });

  it('of a process of another machine is free once that has stood still for a while, and not while it breathes', async () => {
    const path = heldBy(elsewhere(1)),
      file = join(path, lockFile(elsewhere(1)));
    let waited = 0;
    const alive = setInterval(() => {
      utimesSync(file, new Date(), new Date());
    }, breath.every);
    expect(await watching(path)).toMatchObject({ pid: 1, life: 'alive' });
    clearInterval(alive);
    using lock = (await watching(path, () => waited++)) as FolderLock;
    expect([waited, lock.isHeld, locks(path)]).toEqual([1, true, [expect.stringContaining(thisProcess())]]);
  });

  it('is kept by breathing, and lost by whoever was put aside', async () => {
    const path = folder();
    using lock = (await watching(path)) as FolderLock;
    const file = join(path, locks(path)[0]),
      before = statSync(file).mtimeMs;
    await expect.poll(() => statSync(file).mtimeMs).toBeGreaterThan(before);
    rmSync(file);
    expect(lock.isHeld).toBe(false);
  });

  it('that was left is taken by one of those who waited for it', async () => {
    const path = heldBy(elsewhere(1));
    const late = heldBy(elsewhere(2)); // another that waited came first, and lives
    renameSync(join(late, lockFile(elsewhere(2))), join(path, lockFile(elsewhere(2))));
    const alive = setInterval(() => {
      utimesSync(join(path, lockFile(elsewhere(2))), new Date(), new Date());
    }, breath.every);
    expect(await watching(path)).toMatchObject({ pid: 2, life: 'alive' });
    clearInterval(alive);
  });

  it('of a process whose start is not known is refused while there is one of its number', () => {
    expect(lifeOf(`${machine}-${boot}-4190000-0`)).toBe('dead');
    expect(lifeOf(`${machine}-${boot}-${process.ppid}-0`)).toBe('unknown');
  });
});
