// SPDX-License-Identifier: MIT
// node bench/beside_torch.mjs [--python PYTHON] [--device cuda] [--case PATTERN | --iteration PRESET]: cases here and in PyTorch on the
// same GPU, the dear ones last: f32 against PyTorch with TF32 off and on, f16 against its f16; or a training iteration of SA-Net in both
// (the oracle's modules, eager and compiled).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { CASES, GPU_CASES, workOf } from './cases.mjs';
import { contest } from './contest.mjs';
import { root } from './engine.mjs';
import { EngineProcess } from './engine_process.mjs';
import { options } from './options.mjs';
import { machine, record } from './results.mjs';
import { inTime } from './sections.mjs';
import { TorchProcess, torchIteration } from './torch.mjs';

const flags = options({
  python: { type: 'string', default: 'python3' },
  device: { type: 'string', default: 'cuda' },
  case: { type: 'string', default: '.' },
  iteration: { type: 'string' },
});
const MODES = [
  { mode: 'f32', dtype: 'f32', tf32: false },
  { mode: 'tf32', dtype: 'f32', tf32: true },
  { mode: 'f16', dtype: 'f16', tf32: false },
];
const ITERATIONS = [
  { mode: 'f32', tf32: false },
  { mode: 'tf32', tf32: true },
  { mode: 'compiled', tf32: false, compile: true },
];
const PREPARE_S = 60; // longer than any kernel that is worth measuring takes, its first run included

const ours = new EngineProcess('ours', 'wall');
const opened = await ours.ask('open');
if (!opened.ok) throw new Error(opened.error);
if (flags.iteration) iteration(flags.iteration);
else await ops();
ours.end();

async function ops() {
  const expense = (c) => (c.flops ?? 0) / 50 + (c.bytes ?? 0) / 4; // of the rates of an H200
  const cases = [...CASES, ...GPU_CASES].filter((c) => new RegExp(flags.case).test(c.name)).sort((a, b) => expense(a) - expense(b));
  const { ok, limits } = await ours.ask('limits');
  if (ok)
    console.log(`limits: ${limits.gflops.toFixed(0)} GFLOP/s, copying ${limits.gbs.toFixed(0)} GB/s (lanes x vectors: ${limits.copiers})`);
  const torch = new TorchProcess(flags.python);
  for (const c of cases) {
    for (const pass of c.passes) {
      const measured = await measure(c, pass);
      record({ ...machine(ours), case: c.name, pass, engine: 'ours', ...measured });
      const own = measured.ms ? `${measured.ms.toFixed(3)} ms  ${rate(c, pass, measured.ms)}` : measured.problem;
      const beside = [];
      for (const { mode, dtype, tf32 } of MODES.filter((each) => each.dtype === c.dtype)) {
        const row = await torch.row(c, pass, { device: flags.device, dtype, tf32 });
        if (row?.ms) record({ ...machine(ours), case: c.name, pass, engine: `torch-${mode}`, ms: row.ms, torch: row.torch });
        const share = row?.ms && measured.ms ? ` (${((100 * row.ms) / measured.ms).toFixed(0)} %)` : '';
        beside.push(`torch ${mode} ${row?.ms ? `${row.ms.toFixed(3)} ms${share}` : `- ${row?.problem ?? ''}`.trim()}`);
      }
      console.log(`${c.name.padEnd(22)} ${pass.padEnd(8)} ours ${own}  ${beside.join('  ')}`);
    }
  }
  torch.end();
}

/** Checked against float64 before it is timed, like everywhere. */
async function measure(c, pass) {
  const {
    rows: [row],
    leftOut,
  } = await contest([ours], c, pass, 9, PREPARE_S);
  return row ? { ms: row.ms, first_ms: row.first_ms, error: row.error } : { problem: leftOut[0].problem };
}

function rate(c, pass, ms) {
  const { flops, bytes } = workOf(c, pass);
  return flops ? `${(flops / ms / 1e6).toFixed(0)} GFLOP/s` : `${(bytes / ms / 1e6).toFixed(0)} GB/s`;
}

function iteration(preset) {
  const own = spawnSync(process.execPath, [join(root, 'bench/sanet.mjs'), '--preset', preset, '--oracle', '--json', '--record'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    ...inTime(),
  });
  if (!own.stdout) {
    const problem = own.error?.code === 'ETIMEDOUT' ? 'stopped at its limit' : `exit code ${own.status ?? own.signal}`;
    record({ ...machine(ours), case: `sanet_${preset}_oracle`, pass: 'step', engine: 'ours', iterations: 0, problem });
    console.error(`sanet_${preset}: ${problem}, without one iteration`);
    process.exitCode = 1;
    return;
  }
  const { case: name, iterations, ms, first_ms, dearest = [] } = JSON.parse(own.stdout);
  const said = ms ? `${ms.toFixed(1)} ms, ${iterations} iterations` : `the first ${first_ms.toFixed(1)} ms`;
  console.log(`${name.padEnd(22)} step     ours ${said}`);
  for (const k of dearest) console.log(`  ${k.kernel.padEnd(26)} ${k.ms.toFixed(2).padStart(8)} ms  ${k.dispatches} dispatches`);
  for (const { mode, ...options } of ITERATIONS) {
    try {
      const { iterations: run, ms: took, torch } = torchIteration(flags.python, { preset, device: flags.device, ...options });
      record({ ...machine(ours), case: name, pass: 'step', engine: `torch-${mode}`, iterations: run, ms: took, torch });
      console.log(`  torch ${mode} ${took.toFixed(1)} ms${ms ? ` (${((100 * took) / ms).toFixed(0)} %)` : ''}`);
    } catch (e) {
      console.log(`  torch ${mode} - (${String(e.message).split('\n')[0]})`);
    }
  }
}
