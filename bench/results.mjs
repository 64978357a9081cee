// SPDX-License-Identifier: MIT
// Rows of bench/results: one a measurement, with everything needed to compare it with another day's.
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { join } from 'node:path';
import { root } from './engine.mjs';
import { fileName } from './rows.mjs';

const folder = process.env.BENCH_RESULTS ?? join(import.meta.dirname, 'results'); // gpu.mjs --out
const quiet = (f) => {
  try {
    return f();
  } catch {
    return null;
  }
};

/** Commit of a checkout; null where there is none. */
export const commitOf = (checkout) =>
  quiet(() =>
    execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: checkout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim(),
  );

/** When, where and with what. `load` is the machine's run queue over the last minute: above its cores, wall times mean little. */
export const machine = ({ adapter, driver }) => ({
  date: new Date().toISOString().slice(0, 19),
  adapter,
  driver,
  dawn: JSON.parse(readFileSync(join(root, 'node_modules/webgpu/package.json'), 'utf8')).version,
  node: process.versions.node,
  cores: os.cpus().length,
  load: Number(os.loadavg()[0].toFixed(1)),
  commit: commitOf(root),
});

/** Appends a row to the file of its adapter. */
export function record(row, name = row.adapter) {
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(folder, fileName(name)), `${JSON.stringify(row)}\n`);
}
