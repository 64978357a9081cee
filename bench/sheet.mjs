#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node bench/sheet.mjs: an adapter on paper. Every dispatch of a case or of a training iteration as that adapter would run it, from a
// lowering on a device that computes nothing: workgroups, lanes, bytes, operations, its floor, and what is lost to idle processors.
import { H200, readCaps } from './caps.mjs';
import { CASES } from './cases.mjs';
import { generate, importEngine } from './engine.mjs';
import { programOf } from './engines/ours.mjs';
import { byKernel, sheetOf } from './floors.mjs';
import { casesOf, options, orRefuse } from './options.mjs';

const HELP = `node bench/sheet.mjs [options]
  --caps FILE       an adapter, as voxelgrad doctor --json prints it (default: bench/adapters/nvidia-h200.json). Its times are at the rates
                    of an H200 unless the file has "rates" like that one; "profile" and "why" are what was measured on it
  --preset NAME     a training iteration of SA-Net (default: tiny); --method NAME of another method
  --case PATTERN    cases of the benchmark instead, forward and backward
  --json            one JSON line a dispatch`;

const flags = options(
  {
    caps: { type: 'string', default: H200 },
    case: { type: 'string' },
    preset: { type: 'string', default: 'tiny' },
    method: { type: 'string', default: 'sanet' },
    json: { type: 'boolean' },
  },
  HELP,
);
const facts = readCaps(flags.caps);
const cases =
  flags.case === undefined
    ? undefined
    : casesOf(
        flags.case,
        CASES.filter(({ kind }) => kind !== 'step'),
      );
const foreign = facts.ratesOf === facts.adapter.name ? '' : ` at the rates of ${facts.ratesOf}`;
if (foreign)
  console.error(
    `${flags.caps} has no "rates": dispatches, workgroups, lanes, bytes and operations are those of ${facts.adapter.name}; times, and ` +
      `what idles, are as if it were as fast as ${facts.ratesOf} (${facts.rates.processors} processors, ${facts.rates.gflops} GFLOP/s, ` +
      `${facts.rates.gbs} GB/s). For its own, add "rates" as in bench/adapters/nvidia-h200.json: the first line that \`npm run bench\` ` +
      `prints there has "gflops" and "gbs".\n`,
  );
generate();
const vg = await importEngine('../bench/sheet_modules.ts');
if (cases) for (const c of cases) for (const pass of c.passes) show(`${c.name} ${pass}`, await ofCase(c, pass));
else show(`${flags.method} ${flags.preset}`, await ofIteration());

function openDry() {
  return orRefuse(() => vg.openDevice({ gpuDevice: vg.dryDevice({ like: facts }) }));
}

async function ofCase(c, pass) {
  await openDry();
  const tensors = Object.fromEntries(Object.entries(c.inputs).map(([name, { shape }]) => [name, vg.zeros(shape, { dtype: c.dtype })]));
  const program = await programOf(vg, c, pass, tensors);
  return sheetOf(program.dispatches(), facts.rates);
}

async function ofIteration() {
  const plan = await orRefuse(() => vg.presetPlan(flags.preset, flags.method));
  await openDry();
  const nets = vg.makeNetworks(plan);
  for (const { net } of vg.networkList(nets)) net.blank();
  const step = await vg.methodOf(plan).step(plan, nets, vg.buildOptimisers(plan, nets), { partial: false });
  return step.programs.flatMap(({ runs, program }) => sheetOf(program.dispatches(), facts.rates).map((row) => ({ ...row, runs })));
}

/** A kernel's recorded time a call, how far the estimate is from it, and why where that is more than a factor of two. */
function measured(recorded, { kernel, alone, calls }) {
  if (recorded === undefined) return '';
  const us = (1e3 * recorded[0]) / recorded[1];
  const ratio = us / (alone / calls);
  const far = ratio > 2 || ratio < 0.5;
  return (
    `${(alone / calls).toFixed(1).padStart(10)}${us.toFixed(1).padStart(13)}  ${ratio.toFixed(1)}x` +
    (far ? `  ${facts.why?.[kernel] ?? 'not explained'}` : '')
  );
}

function show(title, rows) {
  if (flags.json) return rows.forEach((row) => console.log(JSON.stringify(row)));
  const runs = (row) => row.runs ?? 1;
  const sum = (f) => rows.reduce((n, row) => n + f(row) * runs(row), 0);
  const total = sum(() => 1);
  const ms = (us) => `${(us / 1e3).toFixed(2)} ms`;
  console.log(
    `${title}, one run, on ${facts.adapter.name}${foreign}: ${total} dispatches of ${sum((r) => r.calls)} calls, ` +
      `${(sum((r) => r.flops) / 1e9).toFixed(1)} GFLOP, floor ` +
      `${ms(sum((r) => r.floor))}, of which ${ms(total * facts.rates.dispatch_us)} are what dispatches cost and ` +
      `${ms(sum((r) => r.lost))} idle processors; estimate ${ms(sum((r) => r.estimate))}`,
  );
  const bands = [
    [1, 7],
    [8, 32],
    [33, facts.rates.processors - 1],
    [facts.rates.processors, 4 * facts.rates.processors - 1],
    [4 * facts.rates.processors, Infinity],
  ];
  console.log(
    'workgroups: ' +
      bands
        .map(
          ([low, high]) =>
            `${low}${high === Infinity ? ' and more' : `-${high}`}: ` +
            `${rows.reduce((n, r) => n + (r.groups >= low && r.groups <= high ? runs(r) : 0), 0)}`,
        )
        .join(', '),
  );
  const profile = facts.profile?.[title] ?? {}; // milliseconds and dispatches, as they were then: what has changed since, `why` says
  const heads = Object.keys(profile).length > 0 ? '  alone us  measured us, each' : '';
  console.log(`\nby kernel                 dispatches     calls   floor ms    lost ms  estimate ms  estimate us${heads}`);
  for (const k of byKernel(rows).filter((each, i) => i < 20 || profile[each.kernel] !== undefined))
    console.log(
      `${k.kernel.padEnd(26)}${String(k.dispatches).padStart(10)}${String(k.calls).padStart(10)}` +
        (k.floor / 1e3).toFixed(2).padStart(11) +
        `${(k.lost / 1e3).toFixed(2).padStart(11)}${(k.estimate / 1e3).toFixed(2).padStart(13)}` +
        `${(k.estimate / k.dispatches).toFixed(1).padStart(13)}${measured(profile[k.kernel], k)}`,
    );
  const gone = Object.entries(profile).filter(([kernel]) => !rows.some((row) => row.kernel === kernel));
  if (gone.length > 0)
    console.log(`recorded, and no longer dispatched: ${gone.map(([kernel, [took, n]]) => `${kernel} (${took} ms, ${n})`).join(', ')}`);
  const losers = rows.filter((r) => r.lost > 0).sort((a, b) => b.lost * runs(b) - a.lost * runs(a));
  if (losers.length === 0) return console.log('\nno dispatch leaves processors idle that have work');
  console.log('\nthe ten that lose most    workgroups      lanes       MB      MFLOP   floor us    lost us');
  for (const r of losers.slice(0, 10)) {
    console.log(
      `${`${r.kernel}${runs(r) > 1 ? ` x ${runs(r)}` : ''}`.padEnd(26)}${String(r.groups).padStart(10)}` +
        `${String(r.lanes).padStart(11)}${(r.bytes / 1e6).toFixed(2).padStart(9)}${(r.flops / 1e6).toFixed(1).padStart(11)}` +
        `${r.floor.toFixed(1).padStart(11)}${r.lost.toFixed(1).padStart(11)}   ${r.label}`,
    );
  }
}
