#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node bench/ranks.mjs FOLDER [--ranks 1,2,4] [--iterations 60] [--launcher "mpirun.openmpi --allow-run-as-root --oversubscribe"]: what
// docs/scaling.md says of one run on several processes of this machine. Every process has one thread (LP_NUM_THREADS=1), so that two of
// them have two cores. Times of sums of 34 MB as floats and as halves; volumes a second in training `unet3d` of `demo`
// at 32^3, after the first ten iterations; what halves change in the weights. Writes ranks.json there, with the load beside every number.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values: flags, positionals } = parseArgs({
  options: {
    ranks: { type: 'string', default: '1,2,4' },
    iterations: { type: 'string', default: '60' },
    launcher: { type: 'string', default: 'mpirun.openmpi --allow-run-as-root --oversubscribe' },
    sum: { type: 'string' },
  },
  allowPositionals: true,
});
const repository = dirname(dirname(fileURLToPath(import.meta.url))),
  bundle = join(repository, 'node_modules/.cache/voxelgrad-ranks.mjs'),
  tool = join(repository, 'bin/voxelgrad.mjs');

/** In every process: the seconds of a sum of so many values, the least of three. */
async function timeSums(values) {
  const { joinMpi, MpiRanks } = await import(pathToFileURL(bundle).href);
  const mpi = await joinMpi();
  for (const half of [false, true]) {
    const ranks = new MpiRanks(mpi, half),
      gradients = new Float32Array(values).fill(0.001 * (mpi.rank + 1));
    let least = Infinity;
    for (let i = 0; i < 4; i++) {
      await ranks.gather(0); // all begin together
      const start = performance.now();
      await ranks.sum(gradients, 'gradient');
      if (i > 0) least = Math.min(least, (performance.now() - start) / 1000);
    }
    if (mpi.rank === 0) console.log(JSON.stringify({ transport: half ? 'f16' : 'f32', seconds: least }));
  }
  mpi.finish();
}

if (flags.sum !== undefined) await timeSums(Number(flags.sum));
else {
  const folder = resolve(positionals[0]),
    counts = flags.ranks.split(',').map(Number),
    iterations = Number(flags.iterations);
  const at = (...parts) => join(folder, ...parts);
  mkdirSync(folder, { recursive: true });
  const entry = `export { joinMpi } from './src/mpi/join.ts'; export { MpiRanks } from './src/mpi/ranks.ts';`;
  const from = { contents: entry, resolveDir: repository, loader: 'ts' };
  await build({ stdin: from, outfile: bundle, bundle: true, format: 'esm', platform: 'node', packages: 'external', logLevel: 'warning' });

  const together = (n, ...argv) => {
    const [launcher, ...own] = flags.launcher.split(' ');
    return execFileSync(launcher, [...own, '-n', String(n), process.execPath, ...argv], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, LP_NUM_THREADS: '1' },
    });
  };
  const told = { launcher: flags.launcher, sums: [], training: [] };
  const tell = (list, row) => {
    told[list].push({ ...row, load: loadavg()[0] });
    console.log(list, JSON.stringify(told[list].at(-1)));
    writeFileSync(at('ranks.json'), `${JSON.stringify(told, undefined, 2)}\n`);
  };

  for (const n of counts.filter((n) => n > 1))
    for (const line of together(n, fileURLToPath(import.meta.url), '--sum', '8500000')
      .trim()
      .split('\n'))
      tell('sums', { ranks: n, megabytes: 34, ...JSON.parse(line) });

  const { writePhantomDataset } = await import('../dist/sanet.js');
  if (!existsSync(at('data/dataset.json')))
    await writePhantomDataset(at('data'), { training: 8, test: 1, size: [32, 32, 32], seed: 15, radii: [4, 9], contrast: 400 });
  const json = execFileSync(process.execPath, [tool, 'plan', '--preset', 'demo', '--method', 'unet3d'], { encoding: 'utf8' });
  const weightsOf = (run) => {
    const file = readFileSync(at(run, 'checkpoints/final.safetensors')),
      length = Number(file.readBigUInt64LE()),
      header = JSON.parse(file.subarray(8, 8 + length).toString());
    const values = new Map();
    for (const [name, { data_offsets: range }] of Object.entries(header))
      if (range && name.startsWith('unet3d.'))
        values.set(name, new Float32Array(new Uint8Array(file.subarray(8 + length + range[0], 8 + length + range[1])).buffer));
    return { values, best: JSON.parse(header.__metadata__.state).best?.score };
  };
  for (const [n, transport] of counts.flatMap((n) =>
    n === 2
      ? [
          [n, 'f32'],
          [n, 'f16'],
        ]
      : [[n, 'f32']],
  )) {
    const plan = JSON.parse(json);
    plan.classes = ['background', 'nodule'];
    Object.assign(plan.data, { roi: [32, 32, 32], jitter: [2, 2, 2] });
    Object.assign(plan.training, { iterations, selections: 1, transport, checkpointEvery: iterations });
    const run = `run_${n}_${transport}`;
    rmSync(at(run), { recursive: true, force: true });
    writeFileSync(at('plan.json'), JSON.stringify(plan));
    together(n, tool, 'train', at('data'), '--run', at(run), '--plan', at('plan.json'));
    const rows = readFileSync(at(run, 'log.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const seconds = (iteration) => rows.find((row) => row.iteration === iteration && row.seconds !== undefined).seconds;
    const each = (seconds(iterations) - seconds(10)) / (iterations - 10);
    tell('training', { ranks: n, transport, iterations, seconds: each, volumes: n / each, dice: weightsOf(run).best });
  }
  if (counts.includes(2)) {
    const [exact, halved] = ['run_2_f32', 'run_2_f16'].map((run) => weightsOf(run).values);
    let [difference, size] = [0, 0];
    for (const [name, values] of exact)
      values.forEach((v, i) => {
        difference += (v - halved.get(name)[i]) ** 2;
        size += v ** 2;
      });
    told.halves = { iterations, relative: Math.sqrt(difference / size) };
    console.log(JSON.stringify(told.halves));
    writeFileSync(at('ranks.json'), `${JSON.stringify(told, undefined, 2)}\n`);
  }
}
