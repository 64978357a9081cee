// SPDX-License-Identifier: MIT
// node bench/candidates.mjs [--preset tiny,base] [--shapes 'f32 1024x64 1,...'] [--case PATTERN] [--tiles PATTERN]: every tile of every
// family on the products of SA-Net, on a GPU with long reductions whole and cut (`k4`: into 4), and on the cases that hold a product, each
// checked against the built-in choice. Rows go to ADAPTER-tiles.jsonl as they are measured: what TABLE in ops/gemm.ts is made from.
import { CASES, GPU_CASES } from './cases.mjs';
import { median } from './contest.mjs';
import { importEngine } from './engine.mjs';
import { programOf } from './engines/ours.mjs';
import { inputsOf } from './inputs.mjs';
import { options } from './options.mjs';
import { machine, record } from './results.mjs';

const flags = options({
  preset: { type: 'string', default: 'tiny,base' },
  shapes: { type: 'string' },
  case: { type: 'string', default: '.' },
  tiles: { type: 'string', default: '.' },
});
const ROUNDS = 5;
const SAMPLE_MS = 4;
const CUTS = [1, 2, 4, 8, 16];
const vg = await importEngine('../bench/candidates_modules.ts');
const { info, caps } = await vg.openDevice().then((device) => {
  device.close();
  return device;
});
const base = machine({ adapter: info.name, driver: info.driver });

for (const shape of await shapes()) {
  const device = await vg.openDevice();
  show(shape, 'product', await attempt(shape, () => vg.raceTiles(shape, tilesAndRanges)));
  device.close();
}
const cases = [...CASES, ...GPU_CASES].filter(
  (c) => ['matmul', 'conv', 'attention'].includes(c.kind) && new RegExp(flags.case).test(c.name) && (c.dtype === 'f32' || caps.f16),
);
for (const c of cases.sort((a, b) => a.flops - b.flops))
  for (const pass of c.passes) show(c.name, pass, await attempt(c.name, () => raceCase(c, pass)));

function tilesOf(caps, dtype) {
  return vg.everyTile(caps, dtype).filter((tile) => new RegExp(flags.tiles).test(vg.tileName(tile)));
}

/** The same; where a reduction may be cut, whole and into as many ranges as the rule says, half, twice and four times as many. */
function tilesAndRanges(caps, dtype, m, n, others, k) {
  return tilesOf(caps, dtype).flatMap((tile) => {
    const rule = vg.rangesOf(caps, tile, vg.tileCount(tile, m, n) * others, k);
    return k ? [...new Set([1, Math.ceil(rule / 2), rule, 2 * rule, 4 * rule])].map((splits) => ({ ...tile, splits })) : [tile];
  });
}

async function shapes() {
  if (flags.shapes !== undefined) return flags.shapes.split(',').filter(Boolean);
  const found = new Set();
  for (const preset of flags.preset.split(',')) for (const shape of await vg.shapeClasses(vg.presetPlan(preset), caps)) found.add(shape);
  return found;
}

/** A kernel that fails is a line, not the end. */
async function attempt(name, race) {
  try {
    return await race();
  } catch (e) {
    console.error(`${name}: ${String(e.message).split('\n')[0]}`);
    return [];
  }
}

/** The whole op with every product of it by one tile; first as the table chooses, last the soonest tile with all reductions cut. */
async function raceCase(c, pass) {
  const times = [];
  let expected;
  const values = inputsOf(c);
  const race = async (tile) => {
    const device = await vg.openDevice({ tiles: () => new Proxy({}, { get: () => tile }) });
    const tensors = Object.fromEntries(
      Object.entries(c.inputs).map(([name, { shape }]) => [name, vg.tensor(values[name], { shape, dtype: c.dtype })]),
    );
    const program = await programOf(vg, c, pass, tensors);
    const outputs = await Promise.all(Object.values(program.run()).map((t) => t.data()));
    const got = outputs.map((out) => (c.dtype === 'f16' ? Float32Array.from(out, vg.fromF16) : out));
    expected ??= got;
    if (got.some((out, i) => !(distance(out, expected[i]) < (c.dtype === 'f16' ? 1e-2 : 1e-4)))) {
      device.close();
      console.error(`${c.name} ${pass}: ${tile} computes something else`);
      return;
    }
    const timed = async (runs) => {
      const start = performance.now();
      for (let i = 0; i < runs; i++) program.run();
      await device.sync();
      return (performance.now() - start) / runs;
    };
    const runs = Math.max(1, Math.min(50, Math.ceil(SAMPLE_MS / (await timed(1)))));
    const samples = [];
    for (let i = 0; i < ROUNDS; i++) samples.push(await timed(runs));
    times.push({ tile: tile ?? 'table', ms: median(samples) });
    device.close();
  };
  for (const tile of [undefined, ...tilesOf(caps, c.dtype).map(vg.tileName)]) await race(tile);
  const [, ...named] = times;
  if (caps.software || named.length === 0) return times;
  const { tile: soonest } = named.reduce((x, y) => (y.ms < x.ms ? y : x));
  for (const cut of CUTS) await race(`${soonest} k${cut}`);
  return times;
}

/** |a - b| / |b|, as vectors. */
function distance(a, b) {
  let off = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    off += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(off / (size || 1));
}

function show(name, pass, times) {
  for (const { tile, ms } of times)
    record({ ...base, case: name, pass, engine: 'ours', tile, ms: Number(ms.toPrecision(5)) }, `${base.adapter} tiles`);
  const [own] = times;
  if (!own) return;
  const sorted = [...times].sort((a, b) => a.ms - b.ms);
  console.log(
    `${name.padEnd(22)} ${pass.padEnd(8)} ${own.tile} ${own.ms.toFixed(3)} ms; ${sorted
      .slice(0, 3)
      .map(({ tile, ms }) => `${tile} ${((100 * ms) / own.ms).toFixed(0)} %`)
      .join(', ')}`,
  );
}
