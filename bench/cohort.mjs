#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node bench/cohort.mjs FOLDER [--scans 1000] [--shards 8] [--killed 3] [--some 64]: what docs/scaling.md says of cohorts. Phantoms of 64^3
// by a small network as a Slurm array on this machine (Debian's slurm-wlm and munge, by root), tasks killed and submitted again; the masks
// against those of one process; the time of `some` of the scans by 1, 2, 4 and 8 tasks. Takes up what is in FOLDER, and writes cohort.json
// and throughput.svg there (dashed: in proportion to the cores). Some 0.1 s a scan is Slurm's.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname, loadavg } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { writePhantomDataset } from '../dist/sanet.js';

const { values: flags, positionals } = parseArgs({
  options: {
    scans: { type: 'string', default: '1000' },
    shards: { type: 'string', default: '8' },
    killed: { type: 'string', default: '3' },
    some: { type: 'string', default: '64' },
  },
  allowPositionals: true,
});
const folder = resolve(positionals[0]),
  repository = dirname(dirname(fileURLToPath(import.meta.url))),
  [scans, shards, killed, some] = [flags.scans, flags.shards, flags.killed, flags.some].map(Number),
  at = (...parts) => join(folder, ...parts);
const tool = [process.execPath, join(repository, 'bin/voxelgrad.mjs')];
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const seconds = async (work) => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};
function voxelgrad(...argv) {
  const { status } = spawnSync(tool[0], [tool[1], ...argv], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`voxelgrad ${argv.join(' ')}: exit code ${status}`);
}

/** Phantoms by number, and some of them again in a folder of their own. */
async function makeScans() {
  if (!existsSync(at('data/dataset.json')))
    await writePhantomDataset(at('data'), { training: 8, test: scans, size: [64, 64, 64], seed: 15, radii: [5, 12], contrast: 400 });
  for (const [name, count] of [
    ['scans', scans],
    ['some', some],
  ]) {
    if (existsSync(at(name))) continue;
    mkdirSync(at(name));
    for (const file of readdirSync(at('data/imagesTs')).sort().slice(0, count))
      linkSync(at('data/imagesTs', file), at(name, file.replace('_0000.nii', '.nii')));
  }
}

/** A 2D U-Net of four channels at 4 mm: what is measured is all around it. */
function makeRun() {
  const plan = JSON.parse(execFileSync(tool[0], [tool[1], 'plan', '--preset', 'demo', '--method', 'unet2d'], { encoding: 'utf8' }));
  plan.classes = ['background', 'nodule'];
  plan.method.network.width = 4;
  Object.assign(plan.data, { spacing: [4, 4, 4], roi: [16, 16, 16], jitter: [2, 2, 2] });
  plan.method.rate = 0.01;
  Object.assign(plan.training, { iterations: 100, selections: 1 });
  plan.prediction.step = 1;
  writeFileSync(at('plan.json'), JSON.stringify(plan));
  voxelgrad('train', at('data'), '--run', at('run'), '--plan', at('plan.json'), '--once');
}

/** Slurm on the loopback, of one node that takes as many tasks as there are shards. Returns what ends it. */
async function startSlurm() {
  const own = at('slurm'),
    host = hostname();
  rmSync(own, { recursive: true, force: true });
  mkdirSync(join(own, 'state'), { recursive: true });
  mkdirSync(join(own, 'spool'));
  writeFileSync(join(own, 'key'), createHash('sha512').update(`${process.pid} ${Date.now()}`).digest(), { mode: 0o400 });
  const lines = {
    ClusterName: 'cohort',
    SlurmctldHost: `${host}(127.0.0.1)`,
    SlurmUser: 'root',
    AuthType: 'auth/munge',
    AuthInfo: `socket=${join(own, 'munge')}`,
    SlurmctldPort: 16817,
    SlurmdPort: 16818,
    SlurmdParameters: 'config_overrides',
    ReturnToService: 2,
    MpiDefault: 'none',
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/none',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_CPU',
    StateSaveLocation: join(own, 'state'),
    SlurmdSpoolDir: join(own, 'spool'),
    SwitchType: 'switch/none',
    JobAcctGatherType: 'jobacct_gather/none',
    SlurmctldPidFile: join(own, 'ctld.pid'),
    SlurmdPidFile: join(own, 'd.pid'),
    SchedulerParameters: 'sched_interval=1',
    NodeName: `${host} NodeAddr=127.0.0.1 CPUs=${shards} State=UNKNOWN`,
    PartitionName: `all Nodes=${host} Default=YES MaxTime=INFINITE State=UP`,
  };
  writeFileSync(
    join(own, 'slurm.conf'),
    Object.entries(lines)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  process.env.SLURM_CONF = join(own, 'slurm.conf');
  const daemon = (file, ...argv) =>
    spawn(file, argv, { cwd: own, stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  const munge = daemon(
    '/usr/sbin/munged',
    '--foreground',
    '--force',
    `--socket=${join(own, 'munge')}`,
    `--key-file=${join(own, 'key')}`,
    `--log-file=${join(own, 'munge.log')}`,
    `--pid-file=${join(own, 'munge.pid')}`,
    `--seed-file=${join(own, 'seed')}`,
  );
  while (!existsSync(join(own, 'munge')) && munge.exitCode === null) await pause(100);
  const daemons = [
    daemon('/usr/sbin/slurmctld', '-D', '-L', join(own, 'ctld.log')),
    daemon('/usr/sbin/slurmd', '-D', '-L', join(own, 'd.log')),
    munge,
  ];
  for (let i = 0; !/idle|mix/.test(spawnSync('sinfo', ['-h', '-o', '%T'], { encoding: 'utf8' }).stdout); i++) {
    if (i > 300) throw new Error(`Slurm does not start: see ${own}`);
    await pause(200);
  }
  return async () => {
    for (const each of daemons) {
      each.kill();
      await new Promise((done) => (each.exitCode === null ? each.once('exit', done) : done()));
    }
  };
}

/** Submits deploy/slurm/cohort.sbatch; returns the job's number. Submitted again, a shard keeps its number of all shards. */
function submit(array, of, from, to) {
  // A thread a task, so that two tasks have two cores.
  const env = { ...process.env, VOXELGRAD: tool.join(' '), PARTS: String(of), LP_NUM_THREADS: '1' };
  const argv = [
    '--parsable',
    `--array=${array}`,
    '--chdir',
    at('slurm'),
    join(repository, 'deploy/slurm/cohort.sbatch'),
    from,
    to,
    at('run'),
  ];
  return execFileSync('sbatch', argv, { env, encoding: 'utf8' }).trim();
}
const running = (state = 'all') =>
  execFileSync('squeue', ['-h', '-r', '-t', state, '-o', '%A_%a %K %T'], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .filter((line) => line && !/CANCELLED|FAILED|COMPLETED/.test(line));
async function over() {
  while (running().length > 0) await pause(200);
}
const masks = (name) =>
  existsSync(at(name))
    ? readdirSync(at(name))
        .filter((file) => /^[^.].*\.nii\.gz$/.test(file))
        .sort()
    : [];

const told = existsSync(at('cohort.json'))
  ? JSON.parse(readFileSync(at('cohort.json'), 'utf8'))
  : { cores: availableParallelism(), throughput: [] };
const tell = (more) => {
  Object.assign(told, more);
  console.log(JSON.stringify(more));
  writeFileSync(at('cohort.json'), `${JSON.stringify(told, undefined, 2)}\n`);
};
mkdirSync(folder, { recursive: true });
await makeScans();
makeRun();
const stopSlurm = await startSlurm();
try {
  for (const tasks of [1, 2, 4, 8]) {
    if (told.throughput.some((row) => row.tasks === tasks)) continue;
    rmSync(at('some_masks'), { recursive: true, force: true });
    const load = loadavg()[0],
      took = await seconds(async () => {
        submit(`1-${tasks}`, tasks, at('some'), at('some_masks'));
        await over();
      });
    if (masks('some_masks').length !== some) throw new Error(`${tasks} tasks left ${masks('some_masks').length} masks of ${some}`);
    tell({ throughput: [...told.throughput, { tasks, scans: some, seconds: took, load }] });
  }
  if (!told.array) {
    const victims = [];
    const took = await seconds(async () => {
      const job = submit(`1-${shards}`, shards, at('scans'), at('masks'));
      // Each victim dies in the middle of its work, no two at the same share of it.
      for (let i = 0; i < killed; i++) {
        while (masks('masks').length < ((i + 1) * scans) / (killed + 3) && running().length > 0) await pause(200);
        victims.push({ shard: 2 * i + 1, masks: masks('masks').length });
        spawnSync('scancel', ['--signal=KILL', '--full', `${job}_${2 * i + 1}`]);
      }
      await over();
      tell({ left: masks('masks').length });
      submit(victims.map(({ shard }) => shard).join(','), shards, at('scans'), at('masks'));
      await over();
    });
    tell({ array: { scans, shards, victims, seconds: took, masks: masks('masks').length } });
  }
} finally {
  await stopSlurm();
}
if (!told.alone)
  tell({ alone: await seconds(() => voxelgrad('predict', '--input', at('scans'), '--output', at('alone'), '--run', at('run'))) });
const [ours, theirs] = [masks('masks'), masks('alone')];
const other = theirs.filter((name) => !ours.includes(name) || !readFileSync(at('masks', name)).equals(readFileSync(at('alone', name))));
const distinct = new Set(
  ours.map((name) =>
    createHash('sha256')
      .update(readFileSync(at('masks', name)))
      .digest('hex'),
  ),
).size;
tell({ masks: ours.length, ofOneProcess: theirs.length, different: other, distinct });
const points = told.throughput.map(({ tasks, scans: n, seconds: took }) => ({ tasks, rate: (60 * n) / took })),
  [first] = points;
const svg = Plot.plot({
  document: parseHTML('<html></html>').document,
  width: 480,
  height: 276,
  marginLeft: 48,
  grid: true,
  style: { background: 'white', fontSize: '12px' },
  x: { type: 'log', label: 'tasks of the array, a thread each', ticks: points.map(({ tasks }) => tasks), tickFormat: 'd' },
  y: { label: 'scans a minute', zero: true },
  marks: [
    Plot.lineY(
      [1, told.cores].map((tasks) => ({ tasks, rate: tasks * first.rate })),
      { x: 'tasks', y: 'rate', stroke: '#bbb', strokeDasharray: '4,3' },
    ),
    Plot.lineY(points, { x: 'tasks', y: 'rate', stroke: '#1b9e77', marker: true }),
  ],
});
svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
writeFileSync(at('throughput.svg'), `${svg.outerHTML}\n`);
process.exitCode = ours.length === scans && theirs.length === scans && other.length === 0 ? 0 : 1;
