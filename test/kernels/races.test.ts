// SPDX-License-Identifier: MIT
// Every kernel with workgroup memory that a row of the case tables dispatches, through wgsl_reflect's race detector: all lanes of
// one workgroup in lockstep, f32, overrides as constants (it cannot size arrays by overrides).
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { detectRaces } from 'wgsl_reflect/wgsl_reflect.module.js';
import { backward } from '../../src/engine/autograd.ts';
import { numel, spec } from '../../src/engine/dtype.ts';
import { lowerCall, type Dispatch } from '../../src/engine/lower.ts';
import { Tensor, tensor } from '../../src/engine/tensor.ts';
import { record } from '../../src/engine/trace.ts';
import type { Caps } from '../../src/gpu/caps.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { dryDevice } from '../../src/gpu/dry.ts';
import { packParams } from '../../src/gpu/params.ts';
import { specialise } from '../../src/gpu/specialise.ts';
import { add, cast } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { inputValues, rows, type NamedCase } from '../cases/case.ts';
import { families } from '../cases/index.ts';
import { noise } from './harness.ts';

/** Every dispatch of a row's forward and backward pass on such a device. */
function dispatchesOf(c: NamedCase, caps: Caps): Dispatch[] {
  const inputs = c.inputs.map((i, at) => tensor(inputValues(c, at), spec(i.shape, i.dtype ?? 'f32')));
  const wanted = (c.grad ?? inputs.map((_, i) => i)).map((i) => inputs[i]).filter((t) => t.dtype === 'f32');
  const { trace } = record(() => {
    const ys: Tensor[] = [c.call(...inputs)].flat();
    const floats = ys.filter((y) => y.node && (y.dtype === 'f32' || y.dtype === 'f16'));
    if (wanted.length > 0) backward(floats.map((y) => sum(cast(y, 'f32'))).reduce(add), wanted);
  });
  for (const t of inputs) t.dispose();
  return trace.nodes.filter((n) => !n.op.view).flatMap((n) => lowerCall(n.op, n.inputs, n.outputs, n.attrs, caps).dispatches);
}

const literal = (type: string | undefined, value: number): string =>
  type === ': bool' ? String(value !== 0) : `${value}${type === ': u32' ? 'u' : ''}`;
const asConstants = (d: Dispatch, code: string): string =>
  code.replace(
    /^override (\w+)(: \w+)? = ([^;]+);/gm,
    (_, name: string, type: string | undefined, value: string) =>
      `const ${name}${type ?? ''} = ${name in d.overrides ? literal(type, d.overrides[name]) : value};`,
  );

/** Elements past the end: a GPU clamps what tiles read there, the detector does not. */
const SLACK = 1 << 14;

function races(d: Dispatch, code = asConstants(d, specialise(d.def, d.spec))): { races: unknown[]; errors: string[] } {
  const group = Object.fromEntries(
    d.def.bindings.map((b, i) => {
      if (b.kind === 'uniform') return [b.binding, { uniform: packParams(d.def, d.params) }];
      return [b.binding, noise(numel(d.bindings[b.name].shape) + SLACK, i)];
    }),
  );
  return detectRaces(code, d.def.entry, [1, 1, 1], { 0: group });
}

/**
 * The smallest dispatch of every kernel with workgroup memory, by file and entry point. What joins runs (lib/wide.wgsl) and what holds
 * tiles (lib/blocks.wgsl) is tried by itself below: the detector gives what a function returns to the last lane to all.
 */
function smallest(list: readonly NamedCase[], caps: Caps): Map<string, Dispatch> {
  const seen = new Map<string, Dispatch>();
  const work = (d: Dispatch): number => Object.values(d.bindings).reduce((s, r) => s + numel(r.shape), 0);
  for (const c of list) {
    if (c.half || c.bench) continue;
    for (const d of dispatchesOf(c, caps)) {
      const before = seen.get(`${d.def.file}:${d.def.entry}`);
      const tried = /var<workgroup> (?!wide)/.test(d.def.wgsl) && !d.def.wgsl.includes('var<workgroup> left_tile');
      if (tried && (!before || work(d) < work(before))) seen.set(`${d.def.file}:${d.def.entry}`, d);
    }
  }
  return seen;
}

/** Does the detector find races? More than it can put on its stack at once, perhaps. */
function racing(detect: () => { races: unknown[] }): boolean {
  try {
    return detect().races.length > 0;
  } catch (e) {
    if (!(e instanceof RangeError)) throw e;
    return true;
  }
}

/** Checks them all; names those that race once their barriers are gone, where the detector sees what a missing barrier does. */
function needBarriers(seen: ReadonlyMap<string, Dispatch>): string[] {
  const found: string[] = [];
  for (const [name, d] of seen) {
    const { errors, races: met } = races(d);
    expect(errors, name).toEqual([]);
    expect(met, name).toEqual([]);
    const open = asConstants(d, specialise(d.def, d.spec)).replaceAll('workgroupBarrier();', '');
    if (racing(() => races(d, open))) found.push(name);
  }
  return found;
}

// Whatever adapter the test runs on: both kinds on paper.
it.each([
  ['a processor', true],
  ['a GPU', false],
])('lanes of one workgroup of %s do not race', async (_, software) => {
  using device = await openDevice({ gpuDevice: dryDevice({ software }) });
  const seen = smallest(Object.values(families).flatMap(rows), device.caps);
  expect([...seen.keys()]).toEqual(
    expect.arrayContaining(['attention.wgsl:attention', 'grad_norm.wgsl:clip_factor', 'graph_conv.wgsl:graph_conv']),
  );
  expect(needBarriers(seen)).toEqual(expect.arrayContaining(['grad_norm.wgsl:clip_factor', 'graph_conv.wgsl:graph_conv']));
});

/**
 * lib/blocks.wgsl over a product whose functions are written out, for the detector gives the value that a function returns to the last
 * lane to all lanes. They touch no workgroup memory. 2 x 2 outputs a lane, lanes in `slices` groups.
 */
function tiles(along: boolean, slices: number): { code: string; outputs: number } {
  const [LX, group] = [8, 256 / slices];
  const [LY, BN] = [group / LX, 2 * LX];
  const BM = 2 * LY;
  const QUADS = BM + BN > 64 ? 4 : 8;
  const AT_ONCE = 256 / QUADS;
  const sizes = { SLICES: slices, GROUP: group, LX, LY, TM: 2, TN: 2, BM, BN, BK: 4 * QUADS, QUADS, AT_ONCE, LEFT: 1, RIGHT: 1 };
  expect(Math.max(BM, BN)).toBeLessThanOrEqual(AT_ONCE); // one read of each operand a lane
  const LEVELS = Math.floor(slices / 2);
  const constants = Object.entries({ ...sizes, LEVELS }).map(([name, value]) => `const ${name} = ${value}u;`);
  const calls: [RegExp, string][] = [
    [/^const TM = [\s\S]*?\nalias S = f32;/m, constants.join('\n')],
    [/array<f32, max\(1u, .*?\)>/, `array<f32, ${Math.max(1, LEVELS * group * 4)}>`],
    [/\nfn turned[^\n]*\n/, '\n'],
    [/turned\((a_slot\.x \+ AT_ONCE \* i|b_slot\.x \+ AT_ONCE \* i|\w+), (\w+(?:\.y)?)\)/g, '(($1) ^ (2u * ($2 % 4u)))'],
    [/place\(tile\)/, 'Place(0u, 0u, 2u)'],
    [/slot\(lane, AT_ONCE, \w+\(\)\)/g, along ? 'vec2<u32>(lane / QUADS, lane % QUADS)' : 'vec2<u32>(lane % AT_ONCE, lane / AT_ONCE)'],
    [/(left_row|right_col|step|out_row)\(.*?\);/g, '0u;'],
    [/(left|right)\(\w+\[i\], .*?\);/g, 'vec4<f32>(f32(lane));'],
    [/emit\(p, out, (.*?), (acc.*?)\);/, 'y[(p.m0 + ty + LY * r) * BN + $1] = $2;'],
    [/ {2}if \(!pending[\s\S]*/, '}'],
  ];
  const text = readFileSync(new URL('../../kernels/lib/blocks.wgsl', import.meta.url), 'utf8');
  const code = `alias Row = u32;
alias Col = u32;
struct Place { m0: u32, n0: u32, steps: u32 }
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
${calls.reduce((wgsl, [from, to]) => wgsl.replace(from, to), text)}
@compute @workgroup_size(256) fn main(@builtin(local_invocation_index) lane: u32) { blocks(0u, lane); }`;
  return { code, outputs: BM * BN };
}

it.each([
  ['read along the reduction', true, 1, [0]],
  ['read along rows', false, 1, [1]],
  ['of lanes that share the reduction', true, 4, [2, 3]],
] as const)('nor do those of workgroup tiles, %s', (_, along, slices, needed) => {
  const { code, outputs } = tiles(along, slices);
  const y = new Float32Array(outputs);
  const run = (wgsl: string) => detectRaces(wgsl, 'main', [1, 1, 1], { 0: { 0: y } });
  expect(run(code)).toEqual({ races: [], errors: [] });
  expect(y.every((v) => v > 0)).toBe(true);
  // Each barrier is needed: those of a step are taken out of one way to read, those of the sums where there are any.
  const parts = code.split('workgroupBarrier();');
  for (const i of needed) {
    const without = [parts.slice(0, i + 1).join('workgroupBarrier();'), parts.slice(i + 1).join('workgroupBarrier();')].join('');
    expect(
      racing(() => run(without)),
      `barrier ${i}`,
    ).toBe(true);
  }
});

it('nor do those of a workgroup that joins runs: each of its barriers is needed', () => {
  const text = readFileSync(new URL('../../kernels/lib/wide.wgsl', import.meta.url), 'utf8');
  const code = `alias A = f32;\nconst WG = 8u;\n${text.replace('override WIDE: bool = false', 'const WIDE = true')}
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(WG) fn main(@builtin(local_invocation_index) lane: u32) {
  y[lane] = total(f32(lane), lane);
  y[lane] += total(1.0, lane);
}`;
  const run = (wgsl: string) => detectRaces(wgsl, 'main', [1, 1, 1], { 0: { 0: new Float32Array(8) } });
  expect(run(code)).toEqual({ races: [], errors: [] });
  const barriers = code.split('workgroupBarrier();');
  expect(barriers.length).toBe(4);
  for (let i = 1; i < barriers.length; i++) {
    const without = [barriers.slice(0, i).join('workgroupBarrier();'), barriers.slice(i).join('workgroupBarrier();')].join('');
    expect(
      racing(() => run(without)),
      `barrier ${i}`,
    ).toBe(true);
  }
});
