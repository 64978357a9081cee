// SPDX-License-Identifier: MIT
// The main job from nothing: sets the machine up, makes a phantom data set, keeps a third of its slices, trains, predicts the
// held-out phantoms, evaluates, writes the report. Prints the time of each stage and where everything is.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, 'demo');
const [data, run, masks] = ['data', 'run', 'masks'].map((name) => join(out, name));
const times = [];

function stage(name, command, args) {
  console.log(`\n== ${name}`);
  const start = performance.now();
  const { status, signal } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  times.push([name, (performance.now() - start) / 1000]);
  if (status !== 0) {
    console.error(`demo: stopped at "${name}" (${signal ?? `exit code ${status}`}).`);
    process.exit(status ?? 1);
  }
}
const voxelgrad = (name, ...args) => stage(name, process.execPath, [join(root, 'bin', 'voxelgrad.mjs'), ...args]);

// A demo that was interrupted goes on; one that was finished starts anew.
const finished = existsSync(join(run, 'checkpoints', 'final.safetensors'));
if (finished) rmSync(out, { recursive: true });

console.log(
  'Training ends after five minutes at most; all the rest takes one or two on two cores. Training says what it will take on the ' +
    'adapter here.',
);
stage('set-up', process.execPath, [join(root, 'scripts', 'setup.mjs')]);
if (!existsSync(join(data, 'annotations.json'))) {
  rmSync(data, { recursive: true, force: true });
  voxelgrad('phantom scans', 'import', 'phantom', '--to', data);
  voxelgrad('keep every third slice', 'sparsify', data, '--mode', 'both');
}
const resume = existsSync(join(run, 'plan.json'));
// 120 iterations, or as many as five minutes allow.
voxelgrad(
  'train',
  'train',
  data,
  '--run',
  run,
  ...(resume ? ['--resume'] : ['--preset', 'demo', '--iterations', '120', '--max-minutes', '5']),
);
voxelgrad('predict held-out scans', 'predict', '--input', join(data, 'imagesTs'), '--output', masks, '--run', run);
voxelgrad('evaluate', 'eval', join(data, 'labelsTs'), masks, '--out', run);
voxelgrad('report', 'report', run, '--data', data, '--title', 'SA-Net on phantoms: every third slice of both planes annotated');

console.log('\n== done');
for (const [name, seconds] of times) console.log(`${name.padEnd(28)} ${seconds.toFixed(1).padStart(7)} s`);
console.log(
  `${'all'.padEnd(28)} ${times
    .reduce((sum, [, s]) => sum + s, 0)
    .toFixed(1)
    .padStart(7)} s`,
);
for (const [what, path] of [
  ['data set', data],
  ['run', run],
  ['masks', masks],
  ['report', join(run, 'report.html')],
])
  console.log(`${what.padEnd(10)} ${relative(process.cwd(), path)}`);
