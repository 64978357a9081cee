// SPDX-License-Identifier: MIT
// node bench/training.mjs [--data FOLDER] [--iterations 1000] [--preset tiny]: a training run as a user starts it, checkpoints and
// validation included, on phantoms without --data. A row says what it took; the run's own log is printed as it goes. Where there is a
// limit (sections.mjs), as many iterations as fit into it; a run that does not end before it leaves the row of what its log has.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { buildTool, root } from './engine.mjs';
import { EngineProcess } from './engine_process.mjs';
import { options, refuse } from './options.mjs';
import { machine, record } from './results.mjs';
import { inTime, secondsLeft } from './sections.mjs';

const flags = options({
  data: { type: 'string' },
  iterations: { type: 'string', default: '1000' },
  preset: { type: 'string', default: 'tiny' },
});
const ours = new EngineProcess('ours', 'wall');
const opened = await ours.ask('open');
if (!opened.ok) refuse(opened.error);
const base = machine(ours);
ours.end();
const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-training-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(1)); // when the verb that runs has stopped too, and then the folder goes

/** Whether it has ended by itself. */
function voxelgrad(...args) {
  const { status, signal, error } = spawnSync(process.execPath, [join(root, 'bin/voxelgrad.mjs'), ...args], {
    cwd: root,
    stdio: 'inherit',
    ...inTime(),
  });
  if (error?.code === 'ETIMEDOUT') return false;
  if (status !== 0) refuse(`voxelgrad ${args[0]}: exit code ${status ?? signal}`);
  return true;
}

/** The last iteration that a log has, and the seconds of training and validation up to it; a line cut short by a kill is none. */
function progress(log) {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : [];
  const last = lines.map((line) => JSON.parse(line)).findLast((entry) => entry.seconds !== undefined);
  return { iterations: last?.iteration ?? 0, seconds: Number((last?.seconds ?? 0).toFixed(1)) };
}

buildTool();
const data = flags.data ?? join(folder, 'data');
if (!flags.data) voxelgrad('import', 'phantom', '--to', data);
if (!flags.data) voxelgrad('sparsify', data, '--mode', 'both');
const run = join(folder, 'run');
const left = 0.8 * secondsLeft(); // the rest for what begins and ends it
const length = ['--iterations', flags.iterations, ...(left < Infinity ? ['--max-minutes', `${Math.max(0.1, left / 60)}`] : [])];
const start = performance.now();
const whole = voxelgrad('train', data, '--run', run, '--preset', flags.preset, ...length);
const ms = performance.now() - start;
await setTimeout(100); // a run that Ctrl-C stopped is no measurement: the signal is heard once nothing waits
const done = progress(join(run, 'log.jsonl'));
const ended = whole ? { ms: Math.round(ms) } : { problem: 'stopped at its limit' };
record({ ...base, case: `train_${flags.preset}`, pass: 'run', engine: 'ours', ...done, ...ended });
console.log(
  `train_${flags.preset}: ${done.iterations} iterations in ${done.seconds} s of training and validation, ` +
    (whole ? `all in ${(ms / 1000).toFixed(1)} s` : 'stopped at its limit'),
);
if (done.iterations === 0) process.exitCode = 1;
