// SPDX-License-Identifier: MIT
// Two clocks. `wall` is what a user waits. `driver` is the processor time of all threads but the main one, divided by the cores, for
// software adapters: on a machine that others use, it is lengthened far less than the wall. It leaves out JavaScript (which flatters an
// engine that computes its plan anew for every call) and the main thread's polling, which Dawn in Node does while it waits: compare by
// it, but take absolute rates from the wall clock of a quiet machine.
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

export const CLOCKS = ['wall', 'driver'];

/** Nanoseconds that this process's other threads have run; Lavapipe's compute threads have no name of their own. */
function others() {
  let ns = 0;
  for (const task of readdirSync('/proc/self/task')) {
    if (task === String(process.pid)) continue;
    try {
      ns += Number(readFileSync(`/proc/self/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      /* a thread that has ended meanwhile */
    }
  }
  return ns;
}

/** @returns {() => () => number} a function that starts a measurement; the one it returns ends it, with milliseconds */
export function stopwatch(name) {
  if (name === 'wall')
    return () => {
      const start = performance.now();
      return () => performance.now() - start;
    };
  if (process.platform !== 'linux') throw new Error('--clock driver: needs /proc.');
  const cores = os.availableParallelism();
  return () => {
    const start = others();
    return () => (others() - start) / cores / 1e6;
  };
}
