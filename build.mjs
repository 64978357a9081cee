#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node build.mjs [--gen | --check] [--types] [KERNEL...]
//   (none)    link, reflect, validate on the null backend, write src/gen, dist/wgsl and kernels.lock.json, bundle
//   --gen     link, reflect, write src/gen and dist/wgsl: what tests need first
//   --check   as (none), but fail if kernels.lock.json is out of date instead of writing it, and bundle nothing
//   --types   type declarations into dist/types besides
//   --publish as --types, and the bundles small: no source maps, spaces and local names shortened
//   KERNEL    only these (`conv` or `kernels/conv.wgsl`): no lock, no bundle
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { KernelError, link } from './scripts/build/link.mjs';
import { card } from './scripts/build/cards.mjs';
import { lifted, schema, typescript, writeIfChanged } from './scripts/build/generate.mjs';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    gen: { type: 'boolean' },
    check: { type: 'boolean' },
    types: { type: 'boolean' },
    publish: { type: 'boolean' },
    root: { type: 'string' },
  },
});
const home = import.meta.dirname;
const root = flags.root ?? home; // another root: the tests' sample trees
const kernels = join(root, 'kernels');
const cache = join(root, 'node_modules/.cache/voxelgrad');
const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest('hex');
// Reflection and verdicts hold for one text, one version of these scripts and one Dawn.
const tool = sha256(
  ...readdirSync(join(home, 'scripts/build'))
    .sort()
    .map((f) => readFileSync(join(home, 'scripts/build', f))),
  readFileSync(join(home, 'src/gpu/specialise.ts')),
  readFileSync(join(home, 'node_modules/webgpu/package.json')),
);
const problems = [];

const files = readdirSync(kernels)
  .filter((f) => f.endsWith('.wgsl'))
  .sort();
const wanted = positionals.map((p) => `${basename(p, '.wgsl')}.wgsl`);
for (const w of wanted) if (!files.includes(w)) problems.push(`kernels/${w}: no such file`);
const linked = files
  .filter((f) => !wanted.length || wanted.includes(f))
  .flatMap((file) => attempt(() => ({ file, wgsl: link(kernels, file) })) ?? []);

let specialiseModule;
const text = async () =>
  (specialiseModule ??= await (await import('./scripts/build/bundle.mjs')).importTypescript(join(home, 'src/gpu/specialise.ts')));
const good = [];
for (const { file, wgsl } of linked) {
  const path = join(cache, `${sha256(tool, wgsl)}.json`);
  const kernel = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : await reflectNow(file, wgsl);
  if (!kernel) continue; // its problem is noted; its last good src/gen file stays
  writeIfChanged(path, JSON.stringify(kernel));
  const name = basename(file, '.wgsl');
  writeIfChanged(join(root, 'src/gen', `${name}.ts`), typescript(kernel, wgsl));
  writeIfChanged(join(root, 'dist/wgsl', file), wgsl);
  writeIfChanged(join(root, 'dist/wgsl', `${name}.json`), schema(root, kernel, wgsl));
  if (!flags.gen && !flags.check) writeIfChanged(join(root, 'docs/kernels', `${name}.md`), card(root, kernel, wgsl));
  good.push({ kernel, wgsl, verdict: path.replace(/json$/, 'valid') });
}
if (!wanted.length) {
  if (good.length === files.length)
    writeIfChanged(join(root, 'src/gen/kernels.ts'), lifted(good.map(({ kernel, wgsl }) => ({ ...kernel, wgsl }))));
  removeStale();
}
if (!flags.gen) await validateAll();
if (!wanted.length && !flags.gen) lock();
if (!problems.length && !wanted.length && !flags.gen && !flags.check) {
  try {
    const out = await (await import('./scripts/build/bundle.mjs')).bundle(root, flags.publish);
    console.log(`${good.length} kernel files, ${out.length} bundles`);
  } catch (e) {
    problems.push(e.message);
  }
}
if (!problems.length && (flags.types || flags.publish)) {
  const problem = (await import('./scripts/build/declarations.mjs')).declare(home, home);
  if (problem) problems.push(problem);
}
for (const p of problems) console.error(p);
// While one kernel is being edited, tests of the others go on with its last good definitions.
const usable = flags.gen && files.every((f) => existsSync(join(root, 'src/gen', f.replace(/wgsl$/, 'ts'))));
if (problems.length && !usable) process.exitCode = 1;

function attempt(f) {
  try {
    return f();
  } catch (e) {
    if (!(e instanceof KernelError)) throw e;
    problems.push(e.message);
    return undefined;
  }
}

async function reflectNow(file, wgsl) {
  const { specLines, sourceLine } = await text();
  const { reflect } = await import('./scripts/build/reflect.mjs');
  return attempt(() => {
    let specs;
    try {
      specs = specLines(wgsl);
    } catch (e) {
      const [, line, message] = /^line (\d+): ([\s\S]*)/.exec(e.message);
      throw new KernelError(`${sourceLine(file, wgsl, Number(line))}:1: ${message}`);
    }
    return reflect(file, wgsl, specs, (line) => sourceLine(file, wgsl, line));
  });
}

async function validateAll() {
  const todo = good.filter(({ verdict }) => !existsSync(verdict));
  if (!todo.length) return;
  const { openNull, validate } = await import('./scripts/build/validate.mjs');
  const device = await openNull();
  for (const { kernel, wgsl, verdict } of todo) {
    const found = await validate(device, kernel, wgsl, await text());
    problems.push(...found);
    if (!found.length) writeIfChanged(verdict, '');
  }
  device.close();
}

function lock() {
  const path = join(root, 'kernels.lock.json');
  const now = JSON.stringify(Object.fromEntries(linked.map(({ file, wgsl }) => [file, sha256(wgsl)])), null, 1) + '\n';
  if (!flags.check) return void writeIfChanged(path, now);
  const then = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  const current = JSON.parse(now);
  const changed = [...new Set([...Object.keys(then), ...Object.keys(current)])].filter((f) => then[f] !== current[f]);
  if (changed.length) problems.push(`kernels.lock.json: out of date for ${changed.join(', ')}. Run \`node build.mjs\` and commit it.`);
}

function removeStale() {
  const names = new Set(['kernels', ...files.map((f) => basename(f, '.wgsl'))]);
  for (const [dir, pattern] of [
    ['src/gen', /^(.+)\.ts$/],
    ['dist/wgsl', /^(.+)\.(?:wgsl|json)$/],
    ['docs/kernels', /^(.+)\.md$/],
  ]) {
    mkdirSync(join(root, dir), { recursive: true });
    for (const f of readdirSync(join(root, dir))) {
      const name = pattern.exec(f)?.[1];
      if (name && !names.has(name)) rmSync(join(root, dir, f));
    }
  }
}
