#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node bench/sanet.mjs [--method vnet,ctn] [--preset tiny,base] [--batch N] [--iterations N] [--clock driver] [--oracle] [--apart] [--json]
// [--record]: a training iteration of SA-Net, or of other methods, on phantoms. Its time, its dearest kernels by timestamp queries, and the
// bytes of its activation slots. --oracle: the variant of SA-Net that torch_sanet.py computes; --apart: a dispatch for every call, where a
// GPU has several side by side. In a section with a limit (sections.mjs) the iterations that fit into it; a row says how many, the first
// among them, which compiles and is not in `ms`.
import { CLOCKS, stopwatch } from './clock.mjs';
import { median } from './contest.mjs';
import { generate, importEngine } from './engine.mjs';
import { count, oneOf, options, orRefuse, refuse } from './options.mjs';
import { machine, record } from './results.mjs';
import { secondsLeft } from './sections.mjs';

const flags = options({
  method: { type: 'string', default: 'sanet' },
  preset: { type: 'string', default: 'tiny' },
  batch: { type: 'string', default: '1' },
  iterations: { type: 'string', default: '5' },
  clock: { type: 'string', default: 'wall' },
  oracle: { type: 'boolean' },
  apart: { type: 'boolean' },
  json: { type: 'boolean' },
  record: { type: 'boolean' },
});
const [batch, most] = [count('--batch', flags.batch), count('--iterations', flags.iterations)];
oneOf('--clock', flags.clock, CLOCKS);
if (flags.oracle && flags.method !== 'sanet') refuse(`--oracle: got --method ${flags.method}, expected sanet, of which it is a variant.`);
const PROFILE = 5; // iterations' time that a profile may take

generate();
const vg = await importEngine('../bench/sanet_modules.ts');
const cases = flags.method.split(',').flatMap((method) => flags.preset.split(',').map((preset) => ({ method, preset })));
for (const { method, preset } of cases) await orRefuse(() => vg.presetPlan(preset, method));
const device = await vg.openDevice();
if (flags.apart) Object.assign(device, { caps: { ...device.caps, limits: { ...device.caps.limits, maxStorageBuffersPerShaderStage: 1 } } });

/** Kernels of a step, dearest first, and milliseconds of each program: each profiled with its last input, times the number of its runs. */
async function profile(step, volumes, scheduled) {
  const inputs = new Map();
  for (const { program } of step.programs) {
    const run = program.run.bind(program);
    program.run = (input) => {
      inputs.set(program, input);
      return run(input);
    };
  }
  await step.run(volumes, scheduled);
  await device.sync();
  const kernels = new Map();
  const times = [];
  for (const { runs, program } of step.programs) {
    const own = await program.profile(inputs.get(program));
    times.push(own.reduce((sum, { ms }) => sum + ms, 0));
    for (const { label, ms } of own) {
      const entry = label.slice(label.lastIndexOf(' ') + 1);
      const row = kernels.get(entry) ?? { kernel: entry, ms: 0, dispatches: 0 };
      row.ms += ms * runs;
      row.dispatches += runs;
      kernels.set(entry, row);
    }
  }
  return { kernels: [...kernels.values()].sort((a, b) => b.ms - a.ms), times };
}

for (const { method, preset } of cases) {
  const plan = vg.presetPlan(preset, method);
  plan.training.batch = batch;
  if (flags.oracle) {
    plan.method.cross.pseudo = 'selected';
    plan.method.network2d.norm = 'bn';
    plan.method.sam.clicks = 1;
  }
  const sampler = vg.phantomSampler(plan);
  const nets = vg.buildNetworks(plan);
  const optimisers = vg.buildOptimisers(plan, nets);
  const step = await vg.methodOf(plan).step(plan, nets, optimisers, { partial: false });
  const { iterations } = plan.training;
  const scheduled = { iteration: 0, ...vg.methodOf(plan).schedule(plan, iterations, iterations, {}) }; // pseudo labels count in full
  const clock = stopwatch(flags.clock);
  const samples = [];
  let each = 0; // seconds
  for (let i = 0; i === 0 || (i <= most && secondsLeft() > 2 * each); i++) {
    const start = performance.now();
    const end = clock();
    await step.run(await sampler.iteration(i), scheduled);
    await device.sync();
    samples.push(end());
    each = (performance.now() - start) / 1000;
  }
  const profiled = secondsLeft() > PROFILE * each ? await profile(step, await sampler.iteration(0), scheduled) : undefined;
  const programs = step.programs.map(({ name, runs, program }, i) => {
    const { slotBytes, dispatches, flops } = program.report();
    return { program: name, runs, ms: profiled?.times[i], dispatches, gflop: flops / 1e9, slot_mib: slotBytes / 2 ** 20 };
  });
  const row = {
    case: `${method}_${preset}${flags.oracle ? '_oracle' : ''}${flags.apart ? '_apart' : ''}${batch === 1 ? '' : `_batch${batch}`}`,
    pass: 'step',
    engine: 'ours',
    iterations: samples.length,
    ms: samples.length > 1 ? round(median(samples.slice(1))) : undefined,
    first_ms: round(samples[0]),
    clock: flags.clock,
    dispatches: programs.reduce((n, p) => n + p.runs * p.dispatches, 0),
    gflop: round(programs.reduce((n, p) => n + p.runs * p.gflop, 0)),
    programs: programs.map((p) => ({ ...p, ms: p.ms && round(p.ms), gflop: round(p.gflop), slot_mib: round(p.slot_mib) })),
    dearest: profiled?.kernels.slice(0, 10).map((k) => ({ ...k, ms: round(k.ms) })),
  };
  if (flags.record) record({ ...machine({ adapter: device.info.name, driver: device.info.driver }), ...row });
  if (flags.json) console.log(JSON.stringify({ ...row, adapter: device.info.name }));
  else print(row, profiled?.kernels ?? []);
  step.dispose();
  for (const optimiser of optimisers.values()) optimiser.dispose();
}
device.close();

function print({ case: name, iterations, ms, first_ms: first, gflop, programs }, kernels) {
  const total = kernels.reduce((sum, k) => sum + k.ms, 0);
  const timed = ms ? `${ms.toFixed(0)} ms an iteration of ${iterations} (${((gflop / ms) * 1000).toFixed(1)} GFLOP/s), ` : '';
  console.log(`${name}: ${timed}the first ${(first / 1000).toFixed(1)} s${kernels.length === 0 ? '; no time for a profile' : ''}`);
  for (const p of programs)
    console.log(
      `  ${p.program.padEnd(18)} x ${String(p.runs).padEnd(3)} ${(p.ms?.toFixed(1) ?? '-').padStart(8)} ms  ` +
        `${String(p.dispatches).padStart(5)} dispatches  ${p.gflop.toFixed(1).padStart(7)} GFLOP  slots ${p.slot_mib.toFixed(0)} MiB`,
    );
  for (const k of kernels.slice(0, 20))
    console.log(
      `  ${k.kernel.padEnd(26)} ${k.ms.toFixed(1).padStart(8)} ms  ${((100 * k.ms) / total).toFixed(1).padStart(5)} %  ` +
        `${String(k.dispatches).padStart(5)} dispatches`,
    );
}

function round(x) {
  return Number(x.toPrecision(5));
}
