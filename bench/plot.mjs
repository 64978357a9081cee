#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node bench/plot.mjs: what the recorded rows say. Writes results/README.md (ratios to peers, iterations, replay) and results/growth.svg.
// Of every measurement the newest row counts; a peer's only if it was recorded with ours.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { options } from './options.mjs';

options({});

const folder = process.env.BENCH_RESULTS ?? join(import.meta.dirname, 'results');
const PEERS = {
  jaxjs: 'jax-js',
  tfjs: 'TensorFlow.js',
  ort: 'ONNX Runtime',
  'torch-f32': 'PyTorch f32',
  'torch-tf32': 'PyTorch TF32',
  'torch-f16': 'PyTorch f16',
};

const COLOURS = [
  ['green', '#1b9e77'],
  ['orange', '#d95f02'],
  ['violet', '#7570b3'],
  ['pink', '#e7298a'],
];

/** `Chrome 150`, of a row that a page measured. */
const browserOf = ({ browser }) => /(Firefox|Edg|Chrome|Version)\/\d+/.exec(browser)?.[0].replace('/', ' ');
/** Driver as a person names it: `llvmpipe ... Mesa 26.1.6-1 (LLVM 19.1.7)` -> `Mesa 26.1.6`. A page knows adapter and browser alone. */
const driverOf = (row) => /Mesa [\d.]+/.exec(row.driver)?.[0] ?? (row.driver || `${row.adapter}, ${browserOf(row)}`);
/** `bench/run.mjs` records all engines of a case at once. */
const together = (a, b) => Math.abs(Date.parse(a.date) - Date.parse(b.date)) <= 5000;
const significant = (ms) => Number(ms.toPrecision(4));
const newest = (rows, key) => [...new Map(rows.map((row) => [key(row), row])).values()];

const rows = readdirSync(folder)
  .filter((f) => f.endsWith('.jsonl') && !f.endsWith('-tiles.jsonl')) // tiles: candidates.mjs
  .sort()
  .flatMap((f) =>
    readFileSync(join(folder, f), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
const drivers = [...new Set(rows.map(driverOf))];

function comparisons(driver) {
  const timed = newest(
    rows.filter((r) => driverOf(r) === driver && r.engine && r.ms && !r.dearest),
    (r) => `${r.case} ${r.pass} ${r.engine}`,
  );
  const present = Object.keys(PEERS).filter((engine) => timed.some((r) => r.engine === engine));
  const lines = timed
    .filter((r) => r.engine === 'ours')
    .map((ours) => {
      const peers = present.map((engine) =>
        timed.find((r) => r.engine === engine && r.case === ours.case && r.pass === ours.pass && together(r, ours)),
      );
      return (
        `| ${ours.case} | ${ours.pass} | ${significant(ours.ms)} | ` +
        `${ours.of_limit === undefined ? '' : `${(100 * ours.of_limit).toFixed(0)} %`} | ` +
        `${peers.map((p) => (p ? (p.ms / ours.ms).toFixed(2) : '')).join(' | ')} |`
      );
    });
  return lines.length === 0
    ? []
    : [
        `| case | pass | ms | of the adapter's limit | ${present.map((engine) => PEERS[engine]).join(' | ')} |`,
        `|---|---|---|---|${'---|'.repeat(present.length)}`,
        ...lines,
        '',
      ];
}

/** Cases in turns with an older checkout. */
function changes(driver) {
  const timed = newest(
    rows.filter((r) => driverOf(r) === driver && r.before),
    (r) => `${r.case} ${r.pass}`,
  );
  const percent = (now, before) => `${now < before ? '' : '+'}${(100 * (now / before - 1)).toFixed(1)} %`;
  return timed.length === 0
    ? []
    : [
        `In turns with an older checkout (\`npm run bench -- --before FOLDER\`; less is faster):\n`,
        '| case | pass | before: commit | ms | now | ms | median | fastest |',
        '|---|---|---|---|---|---|---|---|',
        ...timed.map(
          (r) =>
            `| ${r.case} | ${r.pass} | ${r.before} | ${significant(r.before_ms)} | ${r.commit} | ${significant(r.ms)} | ` +
            `${percent(r.ms, r.before_ms)} | ${percent(r.fastest_ms, r.before_fastest_ms)} |`,
        ),
        '',
      ];
}

/** What a cold shader cache costs: building the training step and its first run. */
function firstSteps(driver) {
  const timed = newest(
    rows.filter((r) => driverOf(r) === driver && r.case === 'resnet_step' && r.first_ms),
    (r) => r.engine,
  );
  return timed.length === 0
    ? []
    : [
        `First step of \`resnet_step\`, nothing compiled before: ` +
          `${timed.map((r) => `${PEERS[r.engine] ?? 'ours'} ${(r.first_ms / 1000).toFixed(1)} s`).join(', ')}.\n`,
      ];
}

function iterations(driver) {
  const timed = newest(
    rows.filter((r) => driverOf(r) === driver && r.engine === 'ours' && r.ms && r.dearest),
    (r) => r.case,
  );
  const [own, others] = [true, false].map((sanet) => timed.filter((r) => r.case.startsWith('sanet_') === sanet));
  const dearest = (r, n) =>
    r.dearest
      .slice(0, n)
      .map((k) => `${k.kernel} ${k.ms}`)
      .join(', ');
  return [
    ...own.map(
      (r) =>
        `An iteration of \`${r.case.replace('sanet_', '')}\`: ${r.ms} ms, ${r.dispatches} dispatches. Dearest: ` +
        `${dearest(r, r.dearest.length)} ms.\n`,
    ),
    ...(others.length === 0
      ? []
      : [
          '| an iteration of a compared method | ms | GFLOP | dispatches | dearest, ms | load before |',
          '|---|---|---|---|---|---|',
          ...others.map((r) => `| ${r.case} | ${r.ms} | ${r.gflop} | ${r.dispatches} | ${dearest(r, 3)} | ${r.load} |`),
          '',
        ]),
  ];
}

function replays(driver) {
  return newest(
    rows.filter((r) => driverOf(r) === driver && r.series === 'replay'),
    () => '',
  ).map(
    (r) =>
      `Replay: ${r.us_per_dispatch} us of JavaScript a dispatch, ${r.us_per_dispatch_with_submit} with submit; ` +
      `${r.gpu_objects_per_run} GPU objects made a run.\n`,
  );
}

const about = (driver) => {
  const last = rows.filter((r) => driverOf(r) === driver).at(-1);
  const { adapter, dawn, node, cores, date, commit } = last;
  const where = last.browser ? `in a page, ${browserOf(last)}` : `Dawn ${dawn} (npm webgpu), Node ${node}`;
  return `${adapter}, ${where}, ${cores} cores; newest row ${date}, commit ${commit}.\n`;
};

const grown = newest(
  rows.filter((r) => r.sizes),
  (r) => `${driverOf(r)} ${r.series}`,
);
const grew = [...new Set(grown.map(driverOf))];
const points = grown.flatMap((r) =>
  r.sizes.map((size, i) => ({ series: r.series, driver: driverOf(r), work: size / r.sizes[0], cost: r.ms[i] / r.ms[0] })),
);
const { document } = parseHTML('<!doctype html><html><body></body></html>');
const svg = Plot.plot({
  document,
  width: 900,
  height: 276,
  marginTop: 44,
  marginBottom: 40,
  marginRight: 20,
  grid: true,
  style: { background: 'white', fontSize: '12px' },
  x: { type: 'log', label: 'work, relative to the smallest', ticks: [1, 2, 4, 8, 16], tickFormat: 'd', labelOffset: 34 },
  y: { type: 'log', label: 'cost, relative to the smallest', tickFormat: 'd' },
  fx: { label: null },
  color: { domain: grew, range: COLOURS.map(([, hex]) => hex) },
  marks: [
    Plot.line(
      grown.flatMap(({ series, sizes }) => [sizes[0], sizes.at(-1)].map((s) => ({ series, work: s / sizes[0], cost: s / sizes[0] }))),
      { x: 'work', y: 'cost', fx: 'series', z: 'series', stroke: '#bbb', strokeDasharray: '4,3' },
    ),
    Plot.lineY(points, { x: 'work', y: 'cost', fx: 'series', stroke: 'driver', marker: true }),
  ],
});
svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
writeFileSync(join(folder, 'growth.svg'), `${svg.outerHTML}\n`);

writeFileSync(
  join(folder, 'README.md'),
  [
    '# Recorded measurements\n',
    "Written by `node bench/plot.mjs` from the rows beside it. A ratio is the peer's time over ours: above 1 we are faster. Every " +
      'result was checked against float64 before it was timed.\n',
    ...drivers.flatMap((driver) => [
      `## ${driver}\n`,
      about(driver),
      ...comparisons(driver),
      ...firstSteps(driver),
      ...changes(driver),
      ...iterations(driver),
      ...replays(driver),
    ]),
    '## Growth\n',
    '![cost against work](growth.svg)\n',
    `Dashed: cost in proportion to work. ${grew.map((driver, i) => `${driver}: ${COLOURS[i][0]}`).join(', ')}. Exponents:\n`,
    `| | ${grew.join(' | ')} |`,
    `|---|${grew.map(() => '---|').join('')}`,
    ...[...new Set(grown.map((r) => r.series))].map(
      (series) =>
        `| ${series} | ` +
        `${grew.map((driver) => grown.find((r) => r.series === series && driverOf(r) === driver)?.exponent ?? '').join(' | ')} |`,
    ),
    '',
  ].join('\n'),
);
