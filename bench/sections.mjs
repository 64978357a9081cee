// SPDX-License-Identifier: MIT
// Programs one after another within so many seconds: each has its own limit, what it printed is kept as it comes, how it ended is a row.
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A section's limit is its share of the time that is left, so that what one does not need is there for those after it. At its limit
 * it is killed with all that it began, so it ends before it by itself (`secondsLeft`), with a row of how far it came. `folder` gets
 * NAME.log of each and a row a section in sections.log; rows of measurements are written there by the sections themselves, as each is
 * measured (results.mjs).
 * @param sections { name, share, command } in order of value
 */
export async function runSections(sections, { seconds, folder, root }) {
  mkdirSync(folder, { recursive: true });
  const end = performance.now() + 1000 * seconds;
  const ended = [];
  for (const [i, { name, share, command }] of sections.entries()) {
    const shares = sections.slice(i).reduce((sum, each) => sum + each.share, 0);
    const limit = ((end - performance.now()) / 1000) * (share / shares);
    const start = performance.now();
    console.log(`\n== ${name}${limit === Infinity ? '' : ` (${Math.max(0, limit).toFixed(0)} s)`}`);
    const state = limit > 0 ? await runOne(command, { limit, log: join(folder, `${name}.log`), folder, root }) : 'no time left';
    const row = { section: name, state, seconds: Number(((performance.now() - start) / 1000).toFixed(1)) };
    appendFileSync(join(folder, 'sections.log'), `${JSON.stringify(row)}\n`);
    ended.push(row);
    if (state === INTERRUPTED) break;
  }
  return ended;
}

/** Seconds until the limit of the section that this process is of; Infinity where it is of none. */
export const secondsLeft = () => (Number(process.env.BENCH_UNTIL ?? Infinity) - Date.now()) / 1000;

/** Options of spawnSync for a part that may not end in time: it is killed while there is a moment left to write down what it did. */
export const inTime = () =>
  secondsLeft() < Infinity ? { timeout: Math.max(1, Math.round(1000 * (secondsLeft() - LAST_S))), killSignal: 'SIGKILL' } : {};
const LAST_S = 2;

const INTERRUPTED = 'interrupted';

/** @returns 'done', `exit code N`, 'stopped at its limit', or 'interrupted' where this program was asked to end */
function runOne([program, ...args], { limit, log, folder, root }) {
  writeFileSync(log, '');
  const child = spawn(program, args, {
    cwd: root,
    detached: true, // a group of its own, which is killed as one
    env: { ...process.env, BENCH_RESULTS: folder, BENCH_UNTIL: String(Date.now() + 1000 * limit) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stopped;
  const stop = (why) => {
    stopped ??= why;
    if (child.pid === undefined) return; // it could not be started
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {} // it has ended meanwhile
  };
  const interrupt = () => stop(INTERRUPTED);
  const timer = limit === Infinity ? undefined : setTimeout(() => stop('stopped at its limit'), 1000 * limit);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupt);
  for (const [stream, shown] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ])
    stream.on('data', (bytes) => {
      appendFileSync(log, bytes);
      shown.write(bytes);
    });
  return new Promise((resolve) => {
    const settle = (state) => {
      clearTimeout(timer);
      for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupt);
      resolve(stopped ?? state);
    };
    child.on('error', (e) => settle(e.message));
    child.on('close', (code, signal) => settle(code === 0 ? 'done' : `exit code ${code ?? signal}`));
  });
}
