// SPDX-License-Identifier: MIT
// The experiment on real CT: LIDC nodules of at least eight slices, split by patient, from sparse and from dense labels.
//   npm run lidc -- [--source DIR] [--out DIR] [--preset tiny] [--iterations 1000] [--only NAME,NAME]
// Five runs with one seed, one length and the same initial weights: SA-Net and its control without exchange on `transverse` and on
// `budget` annotation, and dense labels as the upper bound. Each run resumes where it was stopped; all are scored on the same
// held-out patients; each annotation gets a report beside its own control and the dense labels, and the differences are printed.
//   npm run lidc -- --suite table1|table2|scarce [--seeds N] [--methods NAME,NAME] [--set training.batch=4] [--runs N] ...
// An experiment in pieces (lidc/suites.mjs): says beforehand how long it will take, goes on where it was killed, and compares at its end.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSuite } from './lidc/run_suite.mjs';
import { assertRuns, assertSource, readOptions } from './lidc/options.mjs';
import { ANNOTATIONS, comparedWith, referencesOf, table } from './lidc/results.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
/** What `of` gives; an error ends the script. */
function orEnd(of) {
  try {
    return of();
  } catch ({ message }) {
    console.error(`lidc: ${message}`);
    return process.exit(2);
  }
}
const options = orEnd(() => readOptions(process.argv.slice(2)));
// Verbs run in the checkout, wherever this was started.
const out = resolve(options.out ?? join(root, 'runs/lidc')),
  source = resolve(options.source ?? join(root, '../shared/data/lidc-nodules-voi')),
  iterations = options.iterations ?? 1000;
const FIRST_SEED = 1337;
const RUNS = {
  transverse: ['--annotation', 'transverse'],
  transverse_alone: ['--annotation', 'transverse', '--ablate', 'cross'],
  budget: ['--annotation', 'budget'],
  budget_alone: ['--annotation', 'budget', '--ablate', 'cross'],
  dense: ['--annotation', 'dense'],
};
const chosen = options.only ? options.only.split(',') : Object.keys(RUNS);
const wrong = chosen.find((name) => !(name in RUNS));
if (wrong !== undefined) {
  console.error(`lidc: no run named ${wrong}, expected some of ${Object.keys(RUNS).join(', ')}.`);
  process.exit(2);
}

function voxelgrad(...args) {
  console.log(`\n$ voxelgrad ${args.join(' ')}`);
  const { status, signal } = spawnSync(process.execPath, [join(root, 'bin', 'voxelgrad.mjs'), ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`lidc: stopped (${signal ?? `exit code ${status}`}). Run the same command again to go on.`);
    process.exit(status ?? 1);
  }
}

/** What `--suite` asks for. */
async function experiment() {
  const { METHODS } = await import('../dist/sanet.js'); // set-up has built it
  const methods = options.methods?.split(',') ?? Object.keys(METHODS);
  const unknown = methods.find((name) => !(name in METHODS));
  if (unknown !== undefined) {
    console.error(`lidc: --methods: got ${unknown}, expected some of ${Object.keys(METHODS).join(', ')}.`);
    process.exit(2);
  }
  try {
    runSuite(options.suite, {
      data,
      out,
      preset: options.preset,
      ...(options.iterations !== undefined && { iterations }),
      ...(options.runs !== undefined && { only: options.runs }),
      set: options.set ?? [],
      seeds: Array.from({ length: options.seeds ?? 1 }, (_, i) => FIRST_SEED + i),
      methods,
      say: (line) => console.log(line),
      voxelgrad,
    });
  } catch (error) {
    console.error(`lidc: ${error.message}`);
    process.exit(1);
  }
}

const data = join(out, 'data'),
  origin = join(out, 'source.txt');
orEnd(() => {
  if (!options.suite) assertRuns(out, Object.keys(RUNS), { preset: options.preset, iterations });
  if (existsSync(join(data, 'dataset.json'))) assertSource(origin, options.source && source);
});
if (!existsSync(join(data, 'dataset.json'))) {
  if (!existsSync(source)) {
    console.error(`lidc: ${source} is missing. Name a folder of LIDC volumes of interest (index.csv, image/, nodule_mask/) with --source.`);
    process.exit(3);
  }
  voxelgrad('import', source, '--to', data, '--min-slices', '8');
  writeFileSync(origin, `${source}\n`);
}
if (options.suite) {
  await experiment();
  process.exit(0);
}
for (const name of chosen) {
  const run = join(out, name);
  const trained = () => existsSync(join(run, 'checkpoints', 'final.safetensors'));
  if (!trained()) {
    const fresh = !existsSync(join(run, 'checkpoints', 'latest.safetensors'));
    voxelgrad(
      'train',
      data,
      '--run',
      run,
      ...(fresh ? ['--preset', options.preset, '--iterations', String(iterations), ...RUNS[name]] : ['--resume']),
    );
    if (!trained()) {
      // Ctrl-C: training has saved and ended as it should
      console.error('lidc: stopped. Run the same command again to go on.');
      process.exit(130);
    }
  }
  const held = join(out, 'held_out');
  if (!existsSync(held)) {
    // The same patients for every run: the split depends on the data set and the split's seed alone.
    const { fold } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
    const made = `${held}.part`;
    rmSync(made, { recursive: true, force: true });
    mkdirSync(made, { recursive: true });
    // Named like the cases: in a folder of one file, _0000 would be part of the name.
    for (const test of fold.test) copyFileSync(join(data, 'imagesTr', `${test}_0000.nii.gz`), join(made, `${test}.nii.gz`));
    renameSync(made, held);
  }
  voxelgrad('predict', '--input', held, '--output', join(run, 'masks'), '--run', run);
  voxelgrad('eval', join(data, 'labelsTr'), join(run, 'masks'), '--out', run);
}

const done = Object.keys(RUNS).filter((name) => existsSync(join(out, name, 'summary.json')));
const summaries = Object.fromEntries(done.map((name) => [name, JSON.parse(readFileSync(join(out, name, 'summary.json'), 'utf8'))]));
for (const annotation of ANNOTATIONS.filter((name) => done.includes(name))) {
  const run = join(out, annotation),
    record = join(run, 'run.json');
  writeFileSync(
    `${record}.part`,
    `${JSON.stringify({ ...JSON.parse(readFileSync(record, 'utf8')), references: referencesOf(annotation, summaries) }, null, 2)}\n`,
  );
  renameSync(`${record}.part`, record);
  const others = comparedWith(annotation, done).map((name) => join(out, name));
  voxelgrad(
    'report',
    run,
    '--data',
    data,
    '--title',
    `SA-Net on LIDC nodules, ${annotation} annotation`,
    ...(others.length > 0 ? ['--compare', ...others] : []),
  );
}

const { compareRuns } = await import('../dist/sanet.js'); // set-up has built it
console.log(`\n${table(summaries, compareRuns)}`);
