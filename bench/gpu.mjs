#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node bench/gpu.mjs --help: one command for a machine with an NVIDIA GPU and PyTorch that is there for a short while. Sections in order
// of value, each a program of its own with its own limit (sections.mjs): what is measured is written as it is measured.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CASES, GPU_CASES } from './cases.mjs';
import { generate, importEngine, root } from './engine.mjs';
import { EngineProcess } from './engine_process.mjs';
import { casesOf, numberAbove0, options, orRefuse, refuse } from './options.mjs';
import { runSections } from './sections.mjs';

const HELP = `node bench/gpu.mjs [options]
  --minutes N       all of it within N minutes: tests of kernels first, dear cases last (default: as long as it takes, with all tests)
  --candidates      only every tile of every family on the products of SA-Net and on the cases (rows for TABLE in ops/gemm.ts)
  --out FOLDER      where rows and what each section printed go (default: bench/results)
  --python PYTHON   a Python with PyTorch (default: python3)
  --data FOLDER     a data set to train on (default: phantoms)
  --case PATTERN    some cases
  --preset NAMES    training iterations of SA-Net (default: tiny,base)
  --skip-tests      no tests
  --any-adapter     also on an adapter that is not NVIDIA's, beside PyTorch on the processor`;

const flags = options(
  {
    minutes: { type: 'string', default: 'Infinity' },
    candidates: { type: 'boolean' },
    out: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    data: { type: 'string' },
    case: { type: 'string', default: '.' },
    preset: { type: 'string', default: 'tiny,base' },
    'skip-tests': { type: 'boolean' },
    'any-adapter': { type: 'boolean' },
  },
  HELP,
);
// What a section would only find out when its turn comes is asked before the first.
const minutes = numberAbove0('--minutes', flags.minutes);
casesOf(flags.case, [...CASES, ...GPU_CASES]);
if (flags.data !== undefined && !existsSync(join(flags.data, 'dataset.json')))
  refuse(`--data: got "${flags.data}", expected a data set's folder: no dataset.json is there. \`voxelgrad import\` makes one.`);
const begun = performance.now();
generate();
const { presetPlan } = await importEngine('train/presets.ts');
for (const preset of flags.preset.split(',')) await orRefuse(() => presetPlan(preset));

const ours = new EngineProcess('ours', 'wall');
const opened = await ours.ask('open');
const { adapter, driver } = ours;
ours.end();
if (!opened.ok) refuse(`no adapter: ${opened.error}. \`npx voxelgrad doctor\` says what is missing.`);
if (!flags['any-adapter'] && !/nvidia/i.test(`${adapter} ${driver}`))
  refuse(
    `got the adapter "${adapter}", expected an NVIDIA GPU. \`npx voxelgrad doctor\` says what is missing; --any-adapter runs all the same.`,
  );
console.log(`${adapter}, ${driver}`);
const hasTorch = 'import importlib.util; exit(importlib.util.find_spec("torch") is None)'; // without the seconds that importing it takes
if (!flags.candidates && spawnSync(flags.python, ['-c', hasTorch], { stdio: 'ignore' }).status !== 0)
  console.error(`no PyTorch in "${flags.python}" (--python): rows will be ours alone`);

const script = (name, ...args) => [process.execPath, join(root, 'bench', name), ...args];
const torch = ['--python', flags.python, '--device', flags['any-adapter'] ? 'cpu' : 'cuda'];
const candidates = { name: 'candidates', share: 3, command: script('candidates.mjs', '--preset', flags.preset, '--case', flags.case) };
// By path, not by npx: a machine that is lent has Node and the packages, and npm may not be there.
const vitest = [process.execPath, join(root, 'node_modules/vitest/vitest.mjs'), 'run'];
const tests = minutes === Infinity ? vitest : [...vitest, 'test/kernels/', 'test/golden/'];
const sections = flags.candidates
  ? [candidates]
  : [
      ...(flags['skip-tests'] ? [] : [{ name: 'tests', share: 3, command: tests }]),
      candidates,
      { name: 'ops', share: 4, command: script('beside_torch.mjs', '--case', flags.case, ...torch) },
      ...flags.preset
        .split(',')
        .map((preset) => ({ name: `sanet_${preset}`, share: 2, command: script('beside_torch.mjs', '--iteration', preset, ...torch) })),
      { name: 'training', share: 2, command: script('training.mjs', ...(flags.data ? ['--data', flags.data] : [])) },
      { name: 'apart', share: 1, command: script('sanet.mjs', '--preset', flags.preset, '--oracle', '--apart', '--record') },
    ];
const ended = await runSections(sections, {
  seconds: 60 * minutes - (performance.now() - begun) / 1000,
  folder: flags.out ?? join(root, 'bench/results'),
  root,
});
console.log(
  `\n${ended.map(({ section, state, seconds }) => `${section.padEnd(14)} ${seconds.toFixed(1).padStart(7)} s  ${state}`).join('\n')}`,
);
process.exitCode = ended.every(({ state }) => state === 'done') ? 0 : 1;
