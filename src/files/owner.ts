// SPDX-License-Identifier: MIT
// Whose a temporary file or a lock is: the process that made it, said so that any later process can tell whether it still lives.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { hostname } from 'node:os';

const digest = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);
const quietly = (read: () => string): string => {
  try {
    return read();
  } catch {
    return '';
  }
};

const bootId = (): string => quietly(() => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
/** Many machines are called "localhost": without an id of its own a machine is another one each time it starts. */
const machineId = (): string => quietly(() => fs.readFileSync('/etc/machine-id', 'utf8')).trim() || bootId();
/** Process numbers mean something within one machine and one namespace of it (a container has its own). */
const machine = (): string => digest(`${hostname()} ${machineId()} ${quietly(() => fs.readlinkSync('/proc/self/ns/pid'))}`, 8);
const boot = (): string => digest(bootId(), 4);

/** State and start of a process, as Linux tells: numbers are given out again, a number with its start is not. */
function statusOf(pid: number): { readonly state: string; readonly start: string } | undefined {
  const text = quietly(() => fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' '); // the name before may hold anything
  return fields.length < 20 ? undefined : { state: fields[0], start: Number(fields[19]).toString(36) };
}

const ownerOf = (pid: number): string => `${machine()}-${boot()}-${pid}-${statusOf(pid)?.start ?? '0'}`;

let own: string | undefined;

/** This process: machine, boot, number, start. */
export const thisProcess = (): string => (own ??= ownerOf(process.pid));

/** What `thisProcess` gives, as a pattern to find it by. */
export const PROCESS = /[0-9a-f]{8}-[0-9a-f]{4}-\d{1,10}-[0-9a-z]{1,13}/;

export const numberOf = (owner: string): number => Number(owner.split('-')[2]);

/** `unknown`: of another machine or container; where no start can be read, perhaps another that was given the number. */
export type Life = 'alive' | 'dead' | 'unknown';

export function lifeOf(owner: string): Life {
  if (owner === thisProcess()) return 'alive';
  const [itsMachine, itsBoot, pid, start] = owner.split('-') as [string, string, string, string];
  if (itsMachine !== machine()) return 'unknown';
  if (itsBoot !== boot()) return 'dead';
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'dead';
  }
  const now = statusOf(Number(pid));
  if (now === undefined || start === '0') return 'unknown';
  return /[ZXx]/.test(now.state) || now.start !== start ? 'dead' : 'alive';
}

/** True only where it is certain: a process of another machine may live, and is none of ours to judge. */
export const isDead = (owner: string): boolean => lifeOf(owner) === 'dead';
