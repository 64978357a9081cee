#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node bench/growth.mjs [--json] [--record] [--only NAME] [--clock driver]: cost against work, and the exponent of its growth, for tokens
// of attention, voxels of a 3D convolution, slices of a training step, dispatches of a replayed program, nodes of a compiled graph. Times
// but for the compiled graph's are of the adapter; those are of the host.
import { CLOCKS, stopwatch } from './clock.mjs';
import { median } from './contest.mjs';
import { generate, importEngine } from './engine.mjs';
import { stepModel } from './engines/ours.mjs';
import { noise, numel } from './inputs.mjs';
import { oneOf, options, refuse } from './options.mjs';
import { machine, record } from './results.mjs';

const flags = options({
  json: { type: 'boolean' },
  record: { type: 'boolean' },
  only: { type: 'string' },
  clock: { type: 'string', default: 'wall' },
});
oneOf('--clock', flags.clock, CLOCKS);
generate();
const vg = await importEngine();
const device = await vg.openDevice();
const input = (shape, seed = 1) => vg.tensor(noise(numel(shape), seed), { shape });

/** Cost in milliseconds of one run, the median of five, each long enough to measure. The program ends with it. */
async function timed(program) {
  program.run();
  await device.sync();
  const clock = stopwatch(flags.clock);
  const samples = [];
  let repeat = 1;
  for (let i = 0; i < 6; i++) {
    const start = performance.now();
    const end = clock();
    for (let r = 0; r < repeat; r++) program.run();
    await device.sync();
    samples.push(end() / repeat);
    if (i === 0) repeat = Math.max(1, Math.ceil(10 / (performance.now() - start)));
  }
  program.dispose();
  return median(samples.slice(1));
}

async function attention(tokens) {
  const qkv = ['q', 'k', 'v'].map((_, i) => input([1, 2, tokens, 32], i));
  const program = await vg.compile(([q, k, v]) => ({ g: vg.backward(vg.sum(vg.attention(q, k, v)), [q]).get(q) }), qkv);
  const ms = await timed(program);
  for (const t of qkv) t.dispose();
  return ms;
}

async function voxels(n) {
  const side = Math.round(Math.cbrt(n));
  const tensors = [input([1, side, side, side, 16]), input([16, 3, 3, 3, 16], 2)];
  const program = await vg.compile(([x, w]) => ({ g: vg.backward(vg.sum(vg.conv3d(x, w, { padding: 1 })), [w]).get(w) }), tensors);
  const ms = await timed(program);
  for (const t of tensors) t.dispose();
  return ms;
}

async function slices(n) {
  const { net, opt } = stepModel(vg);
  const image = input([n, 32, 32, 3]);
  const program = await vg.compile(
    (t) => {
      const loss = vg.mean(vg.square(net.forward(t.image)));
      opt.step(vg.backward(loss, net.parameters()));
      return { loss };
    },
    { image },
  );
  const ms = await timed(program);
  image.dispose();
  opt.dispose();
  return ms;
}

/** A program of n dispatches that fusion cannot join. */
const chain = (n) => (t) => {
  let y = t.x;
  for (let i = 0; i < n; i++) y = vg.softmax(y);
  return { y };
};

async function dispatches(n) {
  const x = input([8, 16]);
  const program = await vg.compile(chain(n), { x });
  const ms = await timed(program);
  x.dispose();
  return ms;
}

/** Milliseconds to trace, differentiate, plan and freeze a graph of about n nodes whose pipelines exist. */
async function nodes(n) {
  const x = input([8, 16]);
  const w = input([16, 16], 2);
  const step = (t) => {
    let y = t.x;
    for (let i = 0; i < n / 5; i++) y = vg.add(vg.softmax(vg.matmul(y, t.w)), t.x); // three nodes, and two and more in backward
    return { g: vg.backward(vg.sum(y), [t.x]).get(t.x) };
  };
  const compile = async () => {
    const start = performance.now();
    const p = await vg.compile(step, { x, w });
    const ms = performance.now() - start;
    const { dispatches: count } = p.report();
    p.dispose();
    return { ms, count };
  };
  await compile();
  const { ms, count } = await compile();
  if (!flags.json) console.log(`         ${n} nodes asked for, ${count} dispatches`);
  x.dispose();
  w.dispose();
  device.trim();
  return ms;
}

/** `most`: the exponent that the work itself has and 0.4 for noise and caches: what is looked for is a power too many. */
const SERIES = [
  { name: 'attention tokens', sizes: [256, 512, 1024, 2048], run: attention, most: 2.4 },
  { name: 'conv3d voxels', sizes: [4096, 13824, 32768, 110592], run: voxels, most: 1.4 },
  { name: 'slices', sizes: [4, 8, 16, 32], run: slices, most: 1.4 },
  { name: 'dispatches', sizes: [250, 500, 1000, 2000], run: dispatches, most: 1.4 },
  { name: 'graph nodes', sizes: [1250, 2500, 5000, 10000], run: nodes, most: 1.4, limit: { at: 5000, ms: 2000 } },
];

/** Slope of log cost over log size by least squares. */
function exponent(sizes, costs) {
  const [x, y] = [sizes.map(Math.log), costs.map(Math.log)];
  const mean = (v) => v.reduce((a, b) => a + b, 0) / v.length;
  const [mx, my] = [mean(x), mean(y)];
  return x.reduce((s, v, i) => s + (v - mx) * (y[i] - my), 0) / x.reduce((s, v) => s + (v - mx) ** 2, 0);
}

/**
 * JavaScript time a dispatch of a replayed step costs, submit aside and with it, and the GPU objects that a run makes besides its encoder
 * and pass. The fastest of many runs: whatever lengthens one is not ours.
 */
async function replay() {
  const count = 500;
  const x = input([8, 16]);
  const program = await vg.compile(chain(count), { x });
  const { gpu } = device;
  let made = 0;
  for (const name of [
    'createBuffer',
    'createBindGroup',
    'createBindGroupLayout',
    'createPipelineLayout',
    'createShaderModule',
    'createComputePipeline',
    'createComputePipelineAsync',
    'createQuerySet',
    'createTexture',
  ]) {
    const original = gpu[name].bind(gpu);
    gpu[name] = (...args) => {
      made++;
      return original(...args);
    };
  }
  const submit = gpu.queue.submit.bind(gpu.queue);
  let submitted = 0;
  gpu.queue.submit = (...args) => {
    const start = performance.now();
    submit(...args);
    submitted += performance.now() - start;
  };
  const whole = [];
  const encode = [];
  for (let i = 0; i < 100; i++) {
    submitted = 0;
    const start = performance.now();
    program.run();
    const ms = performance.now() - start;
    await device.sync();
    whole.push(ms);
    encode.push(ms - submitted);
  }
  program.dispose();
  x.dispose();
  const perDispatch = (times) => Number(((Math.min(...times) * 1e3) / count).toFixed(2));
  return {
    dispatches: count,
    us_per_dispatch: perDispatch(encode),
    us_per_dispatch_with_submit: perDispatch(whole),
    gpu_objects_per_run: made / 100,
  };
}

let failed = 0;
const wanted = SERIES.filter((s) => !flags.only || s.name.includes(flags.only));
const replays = !flags.only || 'replay'.includes(flags.only);
if (wanted.length === 0 && !replays) {
  device.close();
  refuse(`--only: got "${flags.only}", expected a part of ${SERIES.map(({ name }) => name).join(', ')}, replay.`);
}
for (const { name, sizes, run, most, limit } of wanted) {
  const costs = [];
  for (const n of sizes) costs.push(await run(n));
  const grows = exponent(sizes, costs);
  const late = limit && costs[sizes.indexOf(limit.at)] > limit.ms;
  if (grows > most || late) failed++;
  const row = { series: name, sizes, ms: costs.map((c) => Number(c.toPrecision(4))), exponent: Number(grows.toFixed(2)), most };
  if (flags.record) record({ ...machine({ adapter: device.info.name, driver: device.info.driver }), clock: flags.clock, ...row });
  console.log(
    flags.json
      ? JSON.stringify(row)
      : `${name.padEnd(18)} ${sizes.map((n, i) => `${n}: ${row.ms[i]} ms`).join('  ')}  grows as n^${row.exponent}` +
          `${grows > most ? `, expected at most ${most}` : ''}${late ? `, expected ${limit.ms} ms at ${limit.at}` : ''}`,
  );
}
if (replays) {
  const row = await replay();
  if (row.gpu_objects_per_run > 0) failed++;
  if (flags.record) record({ ...machine({ adapter: device.info.name, driver: device.info.driver }), series: 'replay', ...row });
  console.log(
    flags.json
      ? JSON.stringify({ series: 'replay', ...row })
      : `replay             ${row.us_per_dispatch} us of JavaScript a dispatch (${row.us_per_dispatch_with_submit} with submit), ` +
          `${row.gpu_objects_per_run} GPU objects made a run`,
  );
}
device.close();
process.exitCode = failed > 0 ? 1 : 0;
