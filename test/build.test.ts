// SPDX-License-Identifier: MIT
// build.mjs on sample trees: linking, reflection, errors with file and line, the lock, and the types it writes.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { fill } from '../src/gen/fill.ts';
import type { KernelDef } from '../src/gpu/kernel.ts';
import { sourceLine, specialise, specLines } from '../src/gpu/specialise.ts';

const SPDX = '// SPDX-License-Identifier: MIT\n';
const GOOD = `${SPDX}// @import "lib/twice.wgsl"
alias T = f32; // @spec f32 f16
const N = 2u; // @spec 1u 2u
override WG: u32 = 8u;
override HALF: u32 = WG / 2u;
struct Params { n: u32, s: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;
fn indirect(i: u32) -> f32 { return twice(f32(x[i])) * f32(HALF); }
@compute @workgroup_size(WG)
fn forward(@builtin(global_invocation_id) g: vec3<u32>) {
  let r = indirect(g.x); // @spec *
  if (g.x < params.n) { y[g.x] = T(r); }
}
fn shadows(x: f32) -> f32 { let params = x; return params * f32(N); }
@compute @workgroup_size(1)
fn backward() { y[0] = T(shadows(1.0)); }
`;
const LIB = `${SPDX}enable subgroups;\nfn twice(x: f32) -> f32 { return 2.0 * subgroupMax(x); }\n`;

const trees: string[] = [];
function tree(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'voxelgrad-build-'));
  trees.push(root);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, 'kernels', name)), { recursive: true });
    writeFileSync(join(root, 'kernels', name), text);
  }
  return root;
}
function build(root: string, ...flags: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, '../build.mjs'), '--root', root, ...flags], {
    encoding: 'utf8',
  });
  return { status, out: stdout + stderr };
}
afterAll(() => trees.forEach((root) => rmSync(root, { recursive: true })));

describe('build', () => {
  it('links, reflects through functions and past shadowing names, and evaluates override defaults', async () => {
    const root = tree({ 'sample.wgsl': GOOD, 'lib/twice.wgsl': LIB });
    expect(build(root)).toMatchObject({ status: 0 });
    const { forward, backward } = (await import(pathToFileURL(join(root, 'src/gen/sample.ts')).href)) as Record<string, KernelDef>;
    expect(forward.wgsl.split('\n').slice(0, 3)).toEqual([SPDX.trim(), 'enable subgroups;', '// @line sample.wgsl:2']);
    expect(forward.bindings.map((b) => [b.name, b.binding, b.kind, b.type])).toEqual([
      ['params', 0, 'uniform', 'Params'],
      ['x', 1, 'read', 'array<T>'],
      ['y', 2, 'read_write', 'array<T>'],
    ]);
    expect(forward.params).toEqual({ size: 8, fields: { n: { offset: 0, type: 'u32' }, s: { offset: 4, type: 'f32' } } });
    expect(forward.overrides).toEqual({ WG: { type: 'u32', default: 8 }, HALF: { type: 'u32', default: 4 } });
    expect(forward.spec).toEqual({ T: ['f32', 'f16'], r: ['*'] });
    expect(backward.bindings.map((b) => b.name)).toEqual(['y']);
    expect(backward.spec).toEqual({ T: ['f32', 'f16'], N: ['2u', '1u'] });
    expect(readFileSync(join(root, 'src/gen/sample.ts'), 'utf8')).toContain(
      "forward: KernelDef<'x' | 'y', 'n' | 's', 'WG' | 'HALF', 'T' | 'r'>",
    );
    expect(JSON.parse(readFileSync(join(root, 'dist/wgsl/sample.json'), 'utf8')).entries[1].workgroup).toEqual(['1']);
    expect(readFileSync(join(root, 'dist/wgsl/sample.wgsl'), 'utf8')).toBe(forward.wgsl);
  });

  it('names file and line of an error in a kernel, in a library and in one spec only', () => {
    const root = tree({
      'sample.wgsl': GOOD.replace('T(r)', 'T(q)'),
      'lib/twice.wgsl': LIB,
      'half.wgsl': `${SPDX}alias T = f32; // @spec f32 f16
@group(0) @binding(1) var<storage, read_write> y: array<T>;
@compute @workgroup_size(1)
fn half() { y[0] = 1e6f; }
`,
      'user.wgsl': `${SPDX}// @import "lib/bad.wgsl"\n@compute @workgroup_size(1)\nfn user() { bad(); }\n`,
      'lib/bad.wgsl': `${SPDX}\nfn bad() { return 1; }\n`,
    });
    const { status, out } = build(root);
    expect(status).toBe(1);
    expect(out).toContain("kernels/sample.wgsl:15:36: unresolved value 'q'");
    expect(out).toMatch(/kernels\/half\.wgsl:5:\d+: .*\[T = f16\]/);
    expect(out).toMatch(/kernels\/lib\/bad\.wgsl:3:\d+: /);
  });

  it.each([
    ['no licence line', 'fn f() {}\n', /a\.wgsl:1:1: first line/],
    ['a missing import', `${SPDX}// @import "lib/none.wgsl"\n`, /a\.wgsl:2:1: cannot import/],
    ['a spec tag that cannot be rewritten', `${SPDX}fn f() { } ; // @spec 1 2\n`, /a\.wgsl:2:1: a @spec line is/],
    [
      'an override without default',
      `${SPDX}override W: u32;\n@compute @workgroup_size(W)\nfn f() { }\n`,
      /a\.wgsl:2:1: override W needs a default/,
    ],
    [
      'too many invocations',
      `${SPDX}override W: u32 = 512u;\n@compute @workgroup_size(W)\nfn f() { }\n`,
      /a\.wgsl:4:1: f: .*(limit|exceed)/,
    ],
    [
      'too much workgroup memory',
      `${SPDX}var<workgroup> m: array<f32, 5000>;\n@compute @workgroup_size(1)\nfn f() { m[0] = 1.0; }\n`,
      /a\.wgsl:4:1: f: .*16384/,
    ],
    [
      'a Params field of another type',
      `${SPDX}struct Params { v: vec2<f32> }\n@group(0) @binding(0) var<uniform> params: Params;\n@compute @workgroup_size(1)\nfn ` +
        'f() { _ = params.v; }\n',
      /a\.wgsl:2:1: Params\.v: vec2/,
    ],
    [
      'a binding number used twice',
      `${SPDX}@group(0) @binding(1) var<storage, read_write> a: array<u32>;\n@group(0) @binding(1) var<storage, read_write> b: ` +
        'array<u32>;\n@compute @workgroup_size(1)\nfn f() { a[0] = b[0]; }\n',
      /a\.wgsl:4:1: f: bindings a and b have the same number 1/,
    ],
    [
      'nine storage buffers',
      SPDX +
        [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `@group(0) @binding(${n}) var<storage, read_write> b${n}: array<u32>;\n`).join('') +
        '@compute @workgroup_size(1)\nfn f() { b1[0] = b2[0] + b3[0] + b4[0] + b5[0] + b6[0] + b7[0] + b8[0] + b9[0]; }\n',
      /f: 9 storage buffers/,
    ],
  ])('refuses %s', (_, wgsl, message) => {
    const { status, out } = build(tree({ 'a.wgsl': wgsl }));
    expect(out).toMatch(message);
    expect(status).toBe(1);
  });

  it('lets a kernel with a @limits line pass the default limits', () => {
    expect(
      build(tree({ 'a.wgsl': `${SPDX}// @limits maxComputeInvocationsPerWorkgroup=512\n@compute @workgroup_size(512)\nfn f() { }\n` })),
    ).toMatchObject({ status: 0 });
  });

  it('checks the types of subgroup matrices for smaller subgroups than the null adapter has', () => {
    const matrix = (load: string) =>
      `${SPDX}enable f16;\nenable subgroups;\nenable chromium_experimental_subgroup_matrix;\nvar<workgroup> m: array<f16, ` +
      `64>;\n@compute @workgroup_size(32)\nfn f() { _ = ${load}; }\n`;
    expect(build(tree({ 'a.wgsl': matrix('subgroupMatrixLoad<subgroup_matrix_left<f16, 8, 8>, row_major>(&m, 0u, 8u)') }))).toMatchObject({
      status: 0,
    });
    expect(build(tree({ 'a.wgsl': matrix('subgroupMatrixLoad<subgroup_matrix_left<f16, 8, 8>, row_major>(&m, 0u, 9u)') })).out).toMatch(
      /a\.wgsl:7:14: .*too small/,
    );
  });

  it('leaves no chunk of an earlier build behind, which would be published', () => {
    const root = tree({ 'sample.wgsl': GOOD, 'lib/twice.wgsl': LIB });
    mkdirSync(join(root, 'src'));
    for (const entry of ['index', 'sanet'])
      writeFileSync(join(root, `src/${entry}.ts`), `import { shared } from './shared.ts'; console.log('${entry}', shared);`);
    const chunks = (shared: string): string[] => {
      writeFileSync(join(root, 'src/shared.ts'), `export const shared = '${shared}';`);
      expect(build(root)).toMatchObject({ status: 0 });
      return readdirSync(join(root, 'dist/chunks')).sort();
    };
    const [first, second] = [chunks('first'), chunks('second')];
    expect(second).toHaveLength(2); // the chunk and its map
    expect(second).not.toEqual(first);
  });

  it('writes a card of each kernel, and the same for programs', () => {
    const root = tree({
      'sample.wgsl': `${SPDX}// Doubles what it gets.
alias T = f32; // @spec f32 f16
override WG: u32 = 8u; // lanes a workgroup
struct Params { n: u32 } // elements
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<T>; // [n]; filled by once
// Workgroups: 1
@compute @workgroup_size(WG)
fn twice() { if (params.n > 0u) { y[0] = y[0] + y[0]; } }
`,
    });
    expect(build(root)).toMatchObject({ status: 0 });
    const text = readFileSync(join(root, 'docs/kernels/sample.md'), 'utf8');
    for (const line of [
      'Doubles what it gets.',
      '| `n` | u32 | 0 | elements |',
      'Workgroups: 1, of WG lanes each.',
      '| 1 | `y` | read_write | `array<T>` | [n]; filled by once |',
      'Filled by another kernel first: `y` by once.',
      '| `T` | `f32` `f16` |',
      '| `WG` | u32 | 8 | lanes a workgroup |',
      "Features: none; `shader-f16` for specs of f16. Limits: WebGPU's defaults.",
    ])
      expect(text).toContain(line);
    expect(JSON.parse(readFileSync(join(root, 'dist/wgsl/sample.json'), 'utf8'))).toMatchObject({
      about: 'Doubles what it gets.',
      entries: [
        {
          entry: 'twice',
          workgroups: '1',
          params: { fields: { n: { meaning: 'elements' } } },
          bindings: [{ name: 'params' }, { name: 'y', shape: '[n]; filled by once' }],
        },
      ],
    });
  });

  it('fails --check until the lock is written, and again when a kernel changes', () => {
    const root = tree({ 'sample.wgsl': GOOD, 'lib/twice.wgsl': LIB });
    expect(build(root, '--check')).toMatchObject({ status: 1 });
    expect(build(root)).toMatchObject({ status: 0 });
    expect(build(root, '--check')).toMatchObject({ status: 0 });
    writeFileSync(join(root, 'kernels/lib/twice.wgsl'), LIB.replace('2.0', '3.0'));
    expect(build(root, '--check').out).toContain('kernels.lock.json: out of date for sample.wgsl');
  });
});

describe('specialise', () => {
  const def = {
    file: 's.wgsl',
    entry: 'f',
    wgsl: 'alias T = f32; // @spec f32 f16\nfn f() {\n  let r = a + 1.0; // @spec *\n}\n',
    spec: { T: ['f32', 'f16'], r: ['*'] },
  };
  it('rewrites tagged lines and nothing else', () => {
    expect(specialise(def, { r: 'min(a, b)' })).toBe(def.wgsl.replace('a + 1.0', 'min(a, b)'));
    expect(specialise(def, { T: 'f16' })).toBe(`enable f16; ${def.wgsl.replace('= f32', '= f16')}`);
    expect(specialise(def, {})).toBe(def.wgsl);
    expect(specLines(def.wgsl)).toEqual([
      { name: 'T', follows: false, line: 1, values: ['f32', 'f16'] },
      { name: 'r', follows: false, line: 3, values: ['*'] },
    ]);
  });
  it('rewrites lines that follow another', () => {
    const follower = { ...def, wgsl: `${def.wgsl}const W = 1u; // @spec T: 1u 2u\n` };
    expect(specialise(follower, { T: 'f16' })).toContain('const W = 2u;');
    expect(specialise(follower, { r: 'a' })).toContain('const W = 1u;');
    expect(() => specLines(`${def.wgsl}const W = 1u; // @spec T: 1u\n`)).toThrow('line 5: got 1 values for the 2 of T, whose');
  });
  it('refuses unknown names and values', () => {
    expect(() => specialise(def, { T: 'u8' })).toThrow('kernels/s.wgsl f: spec T, got u8, expected f32 or f16.');
    expect(() => specialise(def, { U: 'f32' })).toThrow('unknown spec U, expected one of T, r');
    expect(() => specialise(def, { r: '1.0; y[0] = 2.0' })).toThrow('expected one expression');
  });
  it('finds the file and line of linked text', () => {
    const linked = 'one\n// @line lib/a.wgsl:1\na1\na2\n// @line s.wgsl:3\nthree\n';
    expect([1, 3, 4, 6].map((line) => sourceLine('s.wgsl', linked, line))).toEqual([
      'kernels/s.wgsl:1',
      'kernels/lib/a.wgsl:1',
      'kernels/lib/a.wgsl:2',
      'kernels/s.wgsl:3',
    ]);
  });
});

describe('types', () => {
  it('make a wrong binding, field, override or spec name a TypeScript error', () => {
    type Names<K> = K extends KernelDef<infer B, infer P, infer O, infer S> ? { b: B; p: P; o: O; s: S } : never;
    const ok: Names<typeof fill> = { b: 'y', p: 'value', o: 'WG', s: 'T' };
    // @ts-expect-error `x` is not a binding of fill
    const bad: Names<typeof fill>['b'] = 'x';
    expect([ok.b, bad]).toEqual(['y', 'x']);
    expect(fill.params?.fields.value.offset).toBe(4);
  });
});
