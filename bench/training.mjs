// SPDX-License-Identifier: MIT
// node bench/training.mjs [--data FOLDER] [--iterations 1000] [--preset tiny]: a training run as a user starts it, checkpoints and
// validation included, on phantoms without --data. A row says what it took; the run's own log is printed as it goes. Where there is a
// limit (BENCH_SECONDS, sections.mjs), as many iterations as fit into it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildTool, root } from './engine.mjs';
import { EngineProcess } from './engine_process.mjs';
import { machine, record } from './results.mjs';

const { values: flags } = parseArgs({
  options: { data: { type: 'string' }, iterations: { type: 'string', default: '1000' }, preset: { type: 'string', default: 'tiny' } },
});
const ours = new EngineProcess('ours', 'wall');
const opened = await ours.ask('open');
if (!opened.ok) throw new Error(opened.error);
const base = machine(ours);
ours.end();
const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-training-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function voxelgrad(...args) {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, [join(root, 'bin/voxelgrad.mjs'), ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error(`voxelgrad ${args[0]}: exit code ${status}`);
  return performance.now() - start;
}

buildTool();
const data = flags.data ?? join(folder, 'data');
if (!flags.data) voxelgrad('import', 'phantom', '--to', data);
if (!flags.data) voxelgrad('sparsify', data, '--mode', 'both');
const run = join(folder, 'run');
const left = 0.8 * (Number(process.env.BENCH_SECONDS ?? Infinity) - performance.now() / 1000); // the rest for what begins and ends it
const length = ['--iterations', flags.iterations, ...(left < Infinity ? ['--max-minutes', `${Math.max(0.1, left / 60)}`] : [])];
const ms = voxelgrad('train', data, '--run', run, '--preset', flags.preset, ...length);
const { iteration: iterations } = JSON.parse(readFileSync(join(run, 'log.jsonl'), 'utf8').trim().split('\n').at(-1));
record({ ...base, case: `train_${flags.preset}`, pass: 'run', engine: 'ours', iterations, ms: Math.round(ms) });
console.log(`train_${flags.preset}: ${iterations} iterations in ${(ms / 1000).toFixed(1)} s`);
