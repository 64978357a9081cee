#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// npm run bench [-- options]: times ops and a training step; every result is checked against float64 before it is timed.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES, outputsOf, workOf } from './cases.mjs';
import { median } from './clock.mjs';
import { generate } from './engine.mjs';
import { EngineProcess } from './engine_process.mjs';
import { difference, reference, tolerance } from './reference/index.mjs';
import { machine, record } from './results.mjs';
import { torchTimes } from './torch.mjs';

const HELP = `npm run bench [-- options]
  --case PATTERN    only cases whose name matches (a regular expression)
  --pass PASS       only this pass: forward, backward (= forward and gradients) or step
  --peers           the same in jax-js and TensorFlow.js on the same adapter, interleaved; ratio above 1: we are faster
  --ort             ONNX Runtime's WebGPU provider as well (forward only, its times include copies to and from the host)
  --torch PYTHON    PyTorch on the processor as context, from this python
  --samples N       samples a case and engine (default 7)
  --clock CLOCK     wall (default), or driver: processor time of a software adapter's workers, for a busy machine
  --json            JSON lines: without --peers one a measurement, with --peers one a comparison
  --record          appends one row a measurement to bench/results/<adapter>.jsonl`;

const { values: flags } = parseArgs({
  options: {
    case: { type: 'string' }, pass: { type: 'string' }, peers: { type: 'boolean' }, ort: { type: 'boolean' }, torch: { type: 'string' }, samples: { type: 'string', default: '7' },
    clock: { type: 'string', default: 'wall' }, json: { type: 'boolean' }, record: { type: 'boolean' }, help: { type: 'boolean' },
  },
});
if (flags.help) { console.log(HELP); process.exit(0); }

const SAMPLE_MS = 20;

if ((flags.peers || flags.ort) && !existsSync(join(import.meta.dirname, 'node_modules'))) {
  console.error('installing the peers below bench/ (once)');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: import.meta.dirname, stdio: ['ignore', 2, 2] });
}
generate();
const engines = ['ours', ...(flags.peers ? ['jaxjs', 'tfjs'] : []), ...(flags.ort ? ['ort'] : [])].map((name) => new EngineProcess(name, flags.clock));
const chosen = CASES.filter((c) => !flags.case || new RegExp(flags.case).test(c.name));
const say = flags.json ? () => {} : (line) => console.log(line);
let failures = 0;
try {
  for (const c of chosen) for (const pass of c.passes.filter((p) => !flags.pass || p === flags.pass)) await compare(c, pass);
} finally {
  for (const engine of engines) engine.end();
}
process.exitCode = failures > 0 ? 1 : 0;

async function compare(c, pass) {
  const expected = reference(c, pass);
  const ready = [];
  for (const engine of engines) {
    const problem = await prepare(engine, c, pass, expected);
    if (!problem) ready.push(engine);
    else {
      say(`${c.name} ${pass}: ${engine.name} left out, ${problem}`);
      if (engine.name === 'ours') { failures++; console.error(`${c.name} ${pass}: ${problem}`); }
    }
  }
  const times = new Map(ready.map((engine) => [engine, []]));
  for (const engine of ready) await engine.ask('warm', { floor: SAMPLE_MS });
  for (let i = 0; i < Number(flags.samples); i++) {
    for (const engine of ready) {
      const { ok, ms } = await engine.ask('sample');
      if (ok) times.get(engine).push(ms);
    }
  }
  for (const engine of engines) await engine.ask('release');
  report(c, pass, ready.filter((engine) => times.get(engine).length > 0).map((engine) => ({
    engine: engine.name, ms: median(times.get(engine)), fastest: Math.min(...times.get(engine)), error: engine.error, first_ms: engine.first_ms, facts: engine.facts,
    adapter: engine.adapter, driver: engine.driver,
  })));
}

/** @returns what is wrong with the engine's answer, or undefined */
async function prepare(engine, c, pass, expected) {
  const places = Object.fromEntries(Object.keys(outputsOf(c, pass)).map((name) => [name, expected[name].at]));
  const answer = await engine.ask('prepare', { case: c.name, pass, places }, 300);
  if (!answer.ok) return `${answer.error}`;
  const errors = Object.entries(expected).map(([name, { want }]) => [name, difference(answer.values[name], want)]);
  engine.error = Math.max(...errors.map(([, e]) => e));
  engine.first_ms = answer.first_ms;
  engine.facts = answer.facts;
  const wrong = errors.filter(([, e]) => !(e <= tolerance(c)));
  return wrong.length > 0 ? `wrong ${wrong.map(([name, e]) => `${name} (${e.toExponential(1)})`).join(', ')}` : undefined;
}

function report(c, pass, rows) {
  const ours = rows.find((r) => r.engine === 'ours');
  const { flops, bytes } = workOf(c, pass);
  for (const r of rows) {
    const rate = flops ? `${(flops / r.ms / 1e6).toFixed(2)} GFLOP/s` : `${(bytes / r.ms / 1e6).toFixed(2)} GB/s`;
    const ratio = ours && r !== ours ? `  ratio ${(r.ms / ours.ms).toFixed(2)}` : '';
    say(`${c.name.padEnd(20)} ${pass.padEnd(8)} ${r.engine.padEnd(6)} ${r.ms.toFixed(2).padStart(9)} ms  ${rate.padStart(15)}  first ${(r.first_ms / 1000).toFixed(2)} s  error ${r.error.toExponential(1)}${ratio}`);
    const row = { case: c.name, pass, engine: r.engine, ms: round(r.ms), fastest_ms: round(r.fastest), first_ms: round(r.first_ms), error: Number(r.error.toPrecision(2)), clock: flags.clock, ...r.facts };
    if (flags.record) record({ ...machine(r), ...row });
    if (flags.json && !flags.peers && !flags.ort) console.log(JSON.stringify({ ...row, adapter: r.adapter }));
    if (flags.json && ours && r !== ours) {
      console.log(JSON.stringify({ case: c.name, pass, adapter: ours.adapter, ours_ms: round(ours.ms), peer: r.engine, peer_ms: round(r.ms), ratio: Number((r.ms / ours.ms).toFixed(3)) }));
    }
  }
  if (flags.torch) {
    const ms = torchTimes(flags.torch, c, pass);
    say(`${c.name.padEnd(20)} ${pass.padEnd(8)} torch  ${ms === null ? '        -' : ms.toFixed(2).padStart(9)} ms  (context: PyTorch on the processor, without this adapter)`);
  }
}

function round(ms) { return Number(ms.toPrecision(5)); }
