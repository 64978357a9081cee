// SPDX-License-Identifier: MIT
// Whose a temporary file or a lock is: the process that made it, said so that any later process can tell whether it still lives.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { hostname } from 'node:os';

const digest = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);
const quietly = (read: () => string): string => { try { return read(); } catch { return ''; } };

/** Process numbers mean something within one machine and one namespace of it (a container has its own). */
const machine = (): string => digest(`${hostname()} ${quietly(() => fs.readlinkSync('/proc/self/ns/pid'))}`, 8);
const boot = (): string => digest(quietly(() => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')), 4);

/** State and start of a process, as Linux tells: numbers are given out again, a number with its start is not. */
function statusOf(pid: number): { readonly state: string; readonly start: string } | undefined {
  const text = quietly(() => fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' '); // the name before may hold anything
  return fields.length < 20 ? undefined : { state: fields[0]!, start: Number(fields[19]).toString(36) };
}

let own: string | undefined;

/** This process: machine, boot, number, start. */
export const thisProcess = (): string => own ??= `${machine()}-${boot()}-${process.pid}-${statusOf(process.pid)?.start ?? '0'}`;

/** What `thisProcess` gives, as a pattern to find it by. */
export const PROCESS = /[0-9a-f]{8}-[0-9a-f]{4}-\d{1,10}-[0-9a-z]{1,13}/;

/** True only where it is certain: a process of another machine may live, and is none of ours to judge. */
export function isDead(owner: string): boolean {
  const [itsMachine, itsBoot, pid, start] = owner.split('-') as [string, string, string, string];
  if (itsMachine !== machine()) return false;
  if (itsBoot !== boot()) return true;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
  }
  const now = statusOf(Number(pid));
  return now !== undefined && (now.state === 'Z' || (start !== '0' && now.start !== start));
}
