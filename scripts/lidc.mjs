// SPDX-License-Identifier: MIT
// The experiment on real CT: LIDC nodules of at least eight slices, split by patient, from sparse and from dense labels.
//   npm run lidc -- [--source DIR] [--out DIR] [--preset tiny] [--iterations 1000] [--only NAME,NAME]
// Five runs with one seed, one length and the same initial weights: SA-Net and its control without exchange on `transverse` and on
// `budget` annotation, and dense labels as the upper bound. Each run resumes where it was stopped; all are scored on the same
// held-out patients, and one report compares them.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values: options } = parseArgs({
  options: {
    source: { type: 'string', default: join(root, '../shared/data/lidc-nodules-voi') }, out: { type: 'string', default: join(root, 'runs/lidc') },
    preset: { type: 'string', default: 'tiny' }, iterations: { type: 'string', default: '1000' }, only: { type: 'string' },
  },
});
const RUNS = {
  transverse: ['--annotation', 'transverse'],
  transverse_alone: ['--annotation', 'transverse', '--ablate', 'cross'],
  budget: ['--annotation', 'budget'],
  budget_alone: ['--annotation', 'budget', '--ablate', 'cross'],
  dense: ['--annotation', 'dense'],
};
const chosen = options.only ? options.only.split(',') : Object.keys(RUNS);
const wrong = chosen.find((name) => !(name in RUNS));
if (wrong) {
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

const data = join(options.out, 'data');
if (!existsSync(join(data, 'dataset.json'))) {
  if (!existsSync(options.source)) {
    console.error(`lidc: ${options.source} is missing. Name a folder of LIDC volumes of interest (index.csv, image/, nodule_mask/) with --source.`);
    process.exit(3);
  }
  voxelgrad('import', options.source, '--to', data, '--min-slices', '8');
}
for (const name of chosen) {
  const run = join(options.out, name);
  const trained = existsSync(join(run, 'checkpoints', 'final.safetensors'));
  if (!trained) {
    const fresh = !existsSync(join(run, 'checkpoints', 'latest.safetensors'));
    voxelgrad('train', data, '--run', run, ...(fresh ? ['--preset', options.preset, '--iterations', options.iterations, ...RUNS[name]] : ['--resume']));
  }
  const held = join(options.out, 'held_out');
  if (!existsSync(held)) {
    // The same patients for every run: the split depends on the data set and the split's seed alone.
    const { fold } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
    mkdirSync(held, { recursive: true });
    const images = readdirSync(join(data, 'imagesTr'));
    for (const test of fold.test) {
      const file = images.find((image) => image.startsWith(`${test}_0000.`));
      copyFileSync(join(data, 'imagesTr', file), join(held, file));
    }
  }
  voxelgrad('predict', '--input', held, '--output', join(run, 'masks'), '--run', run);
  voxelgrad('eval', join(data, 'labelsTr'), join(run, 'masks'), '--out', run);
}

const done = Object.keys(RUNS).filter((name) => existsSync(join(options.out, name, 'summary.json')));
const [first, ...others] = done;
const references = [{ role: 'published', name: 'SA-Net paper, LUNA16', dice: 76.0, boundaryF1: 78.7, note: 'other data, other splits' }];
const summaryOf = (name) => JSON.parse(readFileSync(join(options.out, name, 'summary.json'), 'utf8'));
if (done.includes('dense')) references.push({ role: 'upper bound', name: 'dense labels', summary: summaryOf('dense') });
if (done.includes(`${first}_alone`)) references.push({ role: 'baseline', name: 'sparse labels alone', summary: summaryOf(`${first}_alone`) });
const record = join(options.out, first, 'run.json');
writeFileSync(record, `${JSON.stringify({ ...JSON.parse(readFileSync(record, 'utf8')), references }, null, 2)}\n`);
voxelgrad('report', join(options.out, first), '--data', data, '--title', 'SA-Net on LIDC nodules', ...(others.length > 0 ? ['--compare', ...others.map((name) => join(options.out, name))] : []));

console.log('\nrun                 Dice %                 boundary F1 %');
for (const name of done) {
  const { metrics } = summaryOf(name).foreground;
  const show = ({ mean, ci }) => `${mean?.toFixed(1)} [${ci?.map((v) => v.toFixed(1)).join(', ')}]`;
  console.log(`${name.padEnd(18)}  ${show(metrics.Dice).padEnd(21)}  ${show(metrics.BF)}`);
}
