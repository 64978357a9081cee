#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// npm run bench [-- options]: times ops and a training step; every result is checked against float64 before it is timed.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES, outputsOf } from './cases.mjs';
import { median } from './clock.mjs';
import { generate } from './engine.mjs';
import { EngineProcess } from './engine_process.mjs';
import { difference, reference, tolerance } from './reference/index.mjs';
import { machine, record } from './results.mjs';
import { comparison, line, measurement } from './rows.mjs';
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
    case: { type: 'string' },
    pass: { type: 'string' },
    peers: { type: 'boolean' },
    ort: { type: 'boolean' },
    torch: { type: 'string' },
    samples: { type: 'string', default: '7' },
    clock: { type: 'string', default: 'wall' },
    json: { type: 'boolean' },
    record: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
if (flags.help) {
  console.log(HELP);
  process.exit(0);
}

const SAMPLE_MS = 20;

if ((flags.peers || flags.ort) && !existsSync(join(import.meta.dirname, 'node_modules'))) {
  console.error('installing the peers below bench/ (once)');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 2, 2],
  });
}
generate();
const engines = ['ours', ...(flags.peers ? ['jaxjs', 'tfjs'] : []), ...(flags.ort ? ['ort'] : [])].map(
  (name) => new EngineProcess(name, flags.clock),
);
const chosen = CASES.filter((c) => !flags.case || new RegExp(flags.case).test(c.name));
const say = flags.json ? () => {} : (line) => console.log(line);
let failures = 0;
let limits;
try {
  limits = await adapterLimits();
  for (const c of chosen) for (const pass of c.passes.filter((p) => !flags.pass || p === flags.pass)) await compare(c, pass);
} finally {
  for (const engine of engines) engine.end();
}
process.exitCode = failures > 0 ? 1 : 0;

/** Multiply-adds and bytes a second that WGSL reaches on the adapter. Driver's time is not theirs. */
async function adapterLimits() {
  if (flags.clock !== 'wall') return undefined;
  const { ok, limits: found, error } = await engines[0].ask('limits');
  if (!ok) throw new Error(`ours: ${error}`);
  say(
    `limits of ${engines[0].adapter}: ${found.gflops.toFixed(1)} GFLOP/s of multiply-adds, ${found.gbs.toFixed(1)} GB/s of copying; rows give their share`,
  );
  return found;
}

async function compare(c, pass) {
  const expected = reference(c, pass);
  const ready = [];
  for (const engine of engines) {
    const problem = await prepare(engine, c, pass, expected);
    if (!problem) ready.push(engine);
    else {
      say(`${c.name} ${pass}: ${engine.name} left out, ${problem}`);
      if (engine.name === 'ours') {
        failures++;
        console.error(`${c.name} ${pass}: ${problem}`);
      }
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
  report(
    c,
    pass,
    ready
      .filter((engine) => times.get(engine).length > 0)
      .map((engine) => ({
        engine: engine.name,
        ms: median(times.get(engine)),
        fastest: Math.min(...times.get(engine)),
        error: engine.error,
        first_ms: engine.first_ms,
        facts: engine.facts,
        adapter: engine.adapter,
        driver: engine.driver,
      })),
  );
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
  for (const r of rows) {
    say(line(c, pass, r, { ours, limits }));
    const row = measurement(c, pass, r, { clock: flags.clock, limits });
    // ONNX Runtime does not say what it runs on: it takes the same adapter.
    if (flags.record) record({ ...machine(r.driver || !ours ? r : ours), ...row });
    if (flags.json && !flags.peers && !flags.ort) console.log(JSON.stringify({ ...row, adapter: r.adapter }));
    if (flags.json && ours && r !== ours) console.log(JSON.stringify(comparison(c, pass, ours, r)));
  }
  if (flags.torch) {
    const ms = torchTimes(flags.torch, c, pass);
    say(
      `${c.name.padEnd(20)} ${pass.padEnd(8)} torch  ${ms === null ? '        -' : ms.toFixed(2).padStart(9)} ms  (context: PyTorch on the processor, without this adapter)`,
    );
  }
}
