#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node bench/gpu.mjs [--python PYTHON] [--skip-tests] [--case PATTERN] [--preset base]: one command for a machine with an NVIDIA GPU and PyTorch. Runs the
// tests, then every case here and in PyTorch on the same GPU: f32 against PyTorch with TF32 off and on, f16 against its f16; then a
// training iteration of SA-Net in both (the oracle's modules, eager). Rows go to bench/results.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES, GPU_CASES, outputsOf, workOf } from './cases.mjs';
import { median } from './contest.mjs';
import { generate, root } from './engine.mjs';
import { EngineProcess } from './engine_process.mjs';
import { difference, reference, tolerance } from './reference/index.mjs';
import { machine, record } from './results.mjs';
import { torchIteration, torchRows } from './torch.mjs';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    'skip-tests': { type: 'boolean' },
    case: { type: 'string' },
    'any-adapter': { type: 'boolean' },
    preset: { type: 'string', default: 'base' },
  },
});
const MODES = [
  { mode: 'f32', dtype: 'f32', tf32: false },
  { mode: 'tf32', dtype: 'f32', tf32: true },
  { mode: 'f16', dtype: 'f16', tf32: false },
];
const modesOf = (c) => MODES.filter(({ dtype }) => dtype === c.dtype);
const cases = [...CASES, ...GPU_CASES].filter((c) => !flags.case || new RegExp(flags.case).test(c.name));

if (!flags['skip-tests']) {
  const tests = spawnSync('npx', ['vitest', 'run'], { cwd: root, stdio: 'inherit' });
  console.log(`tests: exit code ${tests.status}`);
  process.exitCode = tests.status ?? 1;
} else generate();

const ours = new EngineProcess('ours', 'wall');
const opened = await ours.ask('open');
if (!opened.ok) throw new Error(opened.error);
if (!flags['any-adapter'] && !/nvidia/i.test(`${ours.adapter} ${ours.driver}`)) {
  ours.end();
  throw new Error(
    `got the adapter "${ours.adapter}", expected an NVIDIA GPU. \`npx voxelgrad doctor\` says what is missing; --any-adapter runs all the same.`,
  );
}
console.log(`${ours.adapter}, ${ours.driver}`);

/** Times of PyTorch by case and pass; a python without torch or without CUDA leaves the columns empty. */
const torch = Object.fromEntries(
  MODES.map(({ mode, ...options }) => {
    try {
      const device = flags['any-adapter'] ? 'cpu' : 'cuda';
      return [
        mode,
        new Map(
          torchRows(
            flags.python,
            cases.filter((c) => c.dtype === options.dtype),
            { ...options, device },
          ).map((row) => [`${row.case} ${row.pass}`, row]),
        ),
      ];
    } catch (e) {
      console.error(`PyTorch ${mode}: ${String(e.message).split('\n')[0]}`);
      return [mode, new Map()];
    }
  }),
);

for (const c of cases) {
  for (const pass of c.passes) {
    const measured = await measure(c, pass);
    const others = Object.fromEntries(modesOf(c).map(({ mode }) => [mode, torch[mode].get(`${c.name} ${pass}`)]));
    const text = modesOf(c)
      .map(({ mode }) =>
        others[mode]
          ? `torch ${mode} ${others[mode].ms.toFixed(3)} ms${measured.ms ? ` (${((100 * others[mode].ms) / measured.ms).toFixed(0)} %)` : ''}`
          : `torch ${mode} -`,
      )
      .join('  ');
    console.log(
      `${c.name.padEnd(22)} ${pass.padEnd(8)} ours ${measured.ms ? `${measured.ms.toFixed(3)} ms  ${rate(c, pass, measured.ms)}` : measured.problem}  ${text}`,
    );
    const base = machine(ours);
    record({ ...base, case: c.name, pass, engine: 'ours', ...measured });
    for (const { mode } of modesOf(c))
      if (others[mode])
        record({ ...base, case: c.name, pass, engine: `torch-${mode}`, ms: others[mode].ms, torch: others[mode].torch }, base.adapter);
  }
}
ours.end();
iteration(flags.preset);

/** SA-Net here, and in PyTorch with TF32 off and on. */
function iteration(preset) {
  const own = spawnSync(process.execPath, [join(root, 'bench/sanet.mjs'), '--preset', preset, '--oracle', '--json', '--record'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (own.status !== 0) {
    console.error(`sanet_${preset}: exit code ${own.status}`);
    process.exitCode = 1;
    return;
  }
  const { case: name, ms } = JSON.parse(own.stdout);
  const others = MODES.filter(({ dtype }) => dtype === 'f32').map(({ mode, tf32 }) => {
    try {
      const { ms: theirs, torch: version } = torchIteration(flags.python, { preset, tf32, device: flags['any-adapter'] ? 'cpu' : 'cuda' });
      record({ ...machine(ours), case: name, pass: 'step', engine: `torch-${mode}`, ms: theirs, torch: version });
      return `torch ${mode} ${theirs.toFixed(1)} ms (${((100 * theirs) / ms).toFixed(0)} %)`;
    } catch (e) {
      return `torch ${mode} - (${String(e.message).split('\n')[0]})`;
    }
  });
  console.log(`${name.padEnd(22)} step     ours ${ms.toFixed(1)} ms  ${others.join('  ')}`);
}

/** Checked against float64 before it is timed, like everywhere. */
async function measure(c, pass) {
  const expected = reference(c, pass);
  const places = Object.fromEntries(Object.keys(outputsOf(c, pass)).map((name) => [name, expected[name].at]));
  const answer = await ours.ask('prepare', { case: c.name, pass, places }, 300);
  if (!answer.ok) return { problem: answer.error };
  const error = Math.max(...Object.entries(expected).map(([name, { want }]) => difference(answer.values[name], want)));
  if (!(error <= tolerance(c))) return { problem: `wrong by ${error}` };
  await ours.ask('warm', { floor: 20 });
  const samples = [];
  for (let i = 0; i < 9; i++) samples.push((await ours.ask('sample')).ms);
  await ours.ask('release');
  return { ms: median(samples), first_ms: answer.first_ms, error };
}

function rate(c, pass, ms) {
  const { flops, bytes } = workOf(c, pass);
  return flops ? `${(flops / ms / 1e6).toFixed(0)} GFLOP/s` : `${(bytes / ms / 1e6).toFixed(0)} GB/s`;
}
