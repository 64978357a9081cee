#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// npm run bench [-- options]: times ops and a training step; every result is checked against float64 before it is timed.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CASES } from './cases.mjs';
import { CLOCKS } from './clock.mjs';
import { contest } from './contest.mjs';
import { generate, root } from './engine.mjs';
import { EngineProcess } from './engine_process.mjs';
import { casesOf, count, oneOf, options, refuse } from './options.mjs';
import { commitOf, machine, record } from './results.mjs';
import { change, comparison, line, measurement } from './rows.mjs';
import { torchTime } from './torch.mjs';

const HELP = `npm run bench [-- options]
  --case PATTERN    only cases whose name matches (a regular expression)
  --pass PASS       only this pass: forward, backward (= forward and gradients) or step
  --peers           the same in jax-js and TensorFlow.js on the same adapter, interleaved; ratio above 1: we are faster
  --ort             ONNX Runtime's WebGPU provider as well (forward only, its times include copies to and from the host)
  --before FOLDER   an older checkout, in turns with this one: what its commits gained and lost
  --torch PYTHON    PyTorch on the processor as context, from this python
  --samples N       samples a case and engine (default 7)
  --clock CLOCK     wall (default), or driver: processor time of a software adapter's workers, for a busy machine
  --json            JSON lines: without --peers one a measurement, with --peers one a comparison
  --record          appends one row a measurement to bench/results/<adapter>.jsonl; with --before one row a case, of both
  --page            builds dist/bench instead: a static page that measures the visitor's own adapter`;

const flags = options(
  {
    case: { type: 'string' },
    pass: { type: 'string' },
    peers: { type: 'boolean' },
    ort: { type: 'boolean' },
    before: { type: 'string' },
    torch: { type: 'string' },
    samples: { type: 'string', default: '7' },
    clock: { type: 'string', default: 'wall' },
    json: { type: 'boolean' },
    record: { type: 'boolean' },
    page: { type: 'boolean' },
  },
  HELP,
);
const samples = count('--samples', flags.samples);
oneOf('--clock', flags.clock, CLOCKS);
if (flags.pass) oneOf('--pass', flags.pass, ['forward', 'backward', 'step']);
const chosen = casesOf(flags.case ?? '.', CASES).flatMap((c) => c.passes.filter((p) => p === (flags.pass ?? p)).map((pass) => [c, pass]));
if (chosen.length === 0) refuse(`--pass: got "${flags.pass}", which none of the chosen cases has.`);
const folder = flags.before && resolve(flags.before);
if (folder && !['bench/engine_process.mjs', 'node_modules'].every((part) => existsSync(join(folder, part))))
  refuse(`--before: got "${flags.before}", expected a checkout of voxelgrad that is set up (\`npm run setup\` there).`);

if ((flags.peers || flags.ort || flags.page) && !existsSync(join(import.meta.dirname, 'node_modules'))) {
  console.error('installing the peers below bench/ (once)');
  const { status, error } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32', // npm.cmd
  });
  if (status !== 0) refuse(`The peers could not be installed: npm ci in bench/ ended with ${error?.message ?? `exit code ${status}`}.`);
}
generate();
if (flags.page) {
  const { buildPage } = await import('./page/build.mjs');
  console.log(
    `${relative(process.cwd(), await buildPage(join(root, 'dist/bench')))}: serve it over HTTPS or from localhost, for example ` +
      `\`npx http-server dist/bench\``,
  );
  process.exit(0);
}
const engines = ['ours', ...(flags.peers ? ['jaxjs', 'tfjs'] : []), ...(flags.ort ? ['ort'] : [])].map(
  (name) => new EngineProcess(name, flags.clock),
);
if (folder) {
  generate(folder); // or its kernels could be those of another of its commits
  engines.push(await engineBefore());
}
const say = flags.json ? () => {} : (line) => console.log(line);
let failures = 0;
let limits;
try {
  limits = await adapterLimits();
  for (const [c, pass] of chosen) await compare(c, pass);
} finally {
  for (const engine of engines) engine.end();
}
process.exitCode = failures > 0 ? 1 : 0;

/** Ours as the older checkout has it, by that one's worker. */
async function engineBefore() {
  const { EngineProcess: Before } = await import(pathToFileURL(join(folder, 'bench/engine_process.mjs')).href);
  const engine = new Before('ours', flags.clock);
  return {
    name: 'before',
    ask: (...question) => engine.ask(...question),
    end: () => engine.end(),
    get adapter() {
      return engine.adapter;
    },
    get driver() {
      return engine.driver;
    },
  };
}

/** Multiply-adds and bytes a second that WGSL reaches on the adapter. Driver's time is not theirs. */
async function adapterLimits() {
  if (flags.clock !== 'wall') return undefined;
  const { ok, limits: found, error } = await engines[0].ask('limits');
  if (!ok) throw new Error(`ours: ${error}`);
  say(
    `limits of ${engines[0].adapter}: ${found.gflops.toFixed(1)} GFLOP/s of multiply-adds, ${found.gbs.toFixed(1)} GB/s of ` +
      'copying; rows give their share',
  );
  return found;
}

async function compare(c, pass) {
  const { rows, leftOut } = await contest(engines, c, pass, samples);
  for (const { engine, problem } of leftOut) {
    say(`${c.name} ${pass}: ${engine} left out, ${problem}`);
    if (engine === 'ours') {
      failures++;
      console.error(`${c.name} ${pass}: ${problem}`);
    }
  }
  await report(c, pass, rows);
}

async function report(c, pass, rows) {
  const ours = rows.find((r) => r.engine === 'ours');
  const before = rows.find((r) => r.engine === 'before');
  if (flags.record && ours && before) record({ ...machine(ours), ...change(c, pass, ours, before, commitOf(folder)) });
  for (const r of rows) {
    say(line(c, pass, r, { ours, limits }));
    const row = measurement(c, pass, r, { clock: flags.clock, limits });
    // ONNX Runtime does not say what it runs on: it takes the same adapter.
    if (flags.record && !flags.before) record({ ...machine(r.driver || !ours ? r : ours), ...row });
    if (flags.json && !flags.peers && !flags.ort) console.log(JSON.stringify({ ...row, adapter: r.adapter }));
    if (flags.json && ours && r !== ours) console.log(JSON.stringify(comparison(c, pass, ours, r)));
  }
  if (flags.torch) {
    const ms = await torchTime(flags.torch, c, pass);
    say(
      `${c.name.padEnd(20)} ${pass.padEnd(8)} torch  ${ms === null ? '        -' : ms.toFixed(2).padStart(9)} ms  (context: ` +
        'PyTorch on the processor, without this adapter)',
    );
  }
}
