// SPDX-License-Identifier: MIT
// The package as a stranger gets it: packed, installed elsewhere, used on a device that is not ours.
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { install, type Installed } from './pack.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let app: Installed;
beforeAll(() => {
  app = install(join(root, 'test/embed/consumer'), ['webgpu', '@webgpu/types']);
});
afterAll(() => app?.remove());

describe('the packed package', () => {
  it('gives its kernels to a device that is not ours, typed and raw', () => {
    const result = JSON.parse(
      execFileSync(process.execPath, ['main.mjs'], { cwd: app.folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
    );
    expect(Object.keys(result.errors)).toEqual(
      expect.arrayContaining(['conv typed', 'attention typed', 'attention raw', 'graph_conv typed', 'graph_conv raw']),
    );
    for (const [way, error] of Object.entries(result.errors)) expect(error, way).toBeLessThan(2e-5);
    expect(result).toMatchObject({ uncaptured: [], lost: false, added: [] });
    expect(result.refused).toMatch(/^KernelCompileError: conv .*f16/s);
    const expected: Record<string, RegExp | null> = {
      'no binding': /VoxelgradError: graph_conv: got no binding a, expected a, x, w, y/,
      'no buffer': /graph_conv: got bindings\.x a Float32Array/,
      'one buffer read and written': /graph_conv: got one buffer as a \(read\) and as y \(read_write\)/,
      'a range outside': /graph_conv: got bytes 256 to/,
      'no params': /graph_conv: params\.batch is missing/,
      'too many workgroups': /LimitError: graph_conv: got a grid of \[70000\]/,
      'a grid in halves': /LimitError: graph_conv: got a grid/,
      'no grid': /LimitError: graph_conv: got a grid of undefined/,
      'an unknown spec': /KernelCompileError: .*graph_conv: unknown spec U/,
      'lanes beyond a subgroup': /KernelCompileError: norm: got LANES 256 on a device/,
      'lanes that do not fill a workgroup': /KernelCompileError: norm: got WG 6 for LANES 4/,
      'SG 8 where subgroups have 4':
        /KernelCompileError: conv: got SG 8 on a device whose subgroups may have 4 lanes, expected spec \{ SG: '4u' \}/,
      'SG left out': null,
    };
    expect(Object.keys(result.misuse)).toEqual(expect.arrayContaining(Object.keys(expected)));
    for (const [what, message] of Object.entries(expected))
      if (message) expect(result.misuse[what], what).toMatch(message);
      else expect(result.misuse[what], what).toBeNull();
  });

  it('types what it exports, @webgpu/types included', () => {
    const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', app.folder], { encoding: 'utf8' });
    expect(tsc.stdout + tsc.stderr).toBe('');
  });

  it('keeps the engine and Node out of `voxelgrad/kernels`', () => {
    const seen = new Set<string>();
    const texts: string[] = [];
    const follow = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      const text = readFileSync(file, 'utf8');
      texts.push(text);
      for (const [, to] of text.matchAll(/\b(?:from|import)\s*"([^"]+)"/g)) {
        expect(to, file).toMatch(/^\.{1,2}\//);
        follow(join(dirname(file), to));
      }
    };
    follow(join(app.folder, 'node_modules/voxelgrad/dist/kernels.js'));
    expect(texts.join('\n')).not.toMatch(/class (Tensor|Device|Program)\b|import\(/);
  });

  it('exports every entry point of every kernel file under its name', async () => {
    const kernels = (await import('../../src/kernels.ts')) as Record<string, unknown>;
    const schemas = readdirSync(join(root, 'dist/wgsl'))
      .filter((f) => f.endsWith('.json'))
      .map((f) => JSON.parse(readFileSync(join(root, 'dist/wgsl', f), 'utf8')));
    const entries = schemas.flatMap((s: { entries: { entry: string }[] }) => s.entries.map((e) => e.entry));
    expect(entries.filter((name) => !(name in kernels))).toEqual([]);
  });

  it('brings few packages and few bytes beside Dawn, and says what is missing without it', () => {
    expect(app.packages.map(({ name }) => name).sort()).toEqual(['@webgpu/types', 'voxelgrad', 'webgpu']);
    const bytes = app.packages.reduce((sum, p) => sum + (p.name === 'webgpu' ? 0 : p.bytes), 0);
    console.log(`installed: ${app.packages.length} packages, ${(bytes / 1e6).toFixed(2)} MB beside Dawn`);
    expect(bytes).toBeLessThan(5e6);
    const run = (...argv: string[]): string => {
      const { stdout, stderr } = spawnSync(process.execPath, argv, { cwd: app.folder, encoding: 'utf8' });
      return stdout + stderr.replace(/^Warning: max.*$/gm, '').trim();
    };
    const sum = `const { openDevice, sum, tensor } = await import('voxelgrad');
      using device = await openDevice();
      console.log(await sum(tensor([1, 2, 39])).item());`;
    expect(run('node_modules/voxelgrad/bin/voxelgrad.mjs', '--help')).toMatch(/Usage: voxelgrad/);
    expect(run('--input-type=module', '-e', sum.replace('using', 'const') + 'device.close();')).toBe('42\n');
    // The verbs and `voxelgrad/sanet` have one list of methods.
    writeFileSync(
      join(app.folder, 'mine.mjs'),
      `import { addMethod, METHODS } from 'voxelgrad/sanet';\naddMethod({ ...METHODS.vnet, name: 'mine' });\n`,
    );
    expect(run('--import', './mine.mjs', 'node_modules/voxelgrad/bin/voxelgrad.mjs', 'plan', '--help')).toContain('"mine"');
    rmSync(join(app.folder, 'node_modules/webgpu'));
    expect(run('--input-type=module', '-e', sum.replace('using', 'const'))).toMatch(
      /VoxelgradError: openDevice: the package `webgpu` .* cannot be loaded, got Cannot find package 'webgpu'.*npm install webgpu/s,
    );
    expect(run('node_modules/voxelgrad/bin/voxelgrad.mjs', 'doctor')).toMatch(/npm install webgpu/);
    symlinkSync(join(root, 'node_modules/webgpu'), join(app.folder, 'node_modules/webgpu'));
  });

  it('names every package that a bundle holds, with its licence', () => {
    const text = readFileSync(join(app.folder, 'node_modules/voxelgrad/dist/THIRD_PARTY.md'), 'utf8');
    const named = [...text.matchAll(/^## (\S+) [\d.]+: (.+)$/gm)].map(([, name, licence]) => [name, licence]);
    const { devDependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
      'devDependencies' | 'peerDependencies',
      Record<string, string>
    >;
    const imported = new Set<string>();
    for (const file of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((f) => /\.tsx?$/.test(f)))
      for (const [, path] of readFileSync(join(root, 'src', file), 'utf8').matchAll(
        /^(?!import type).*(?:from |import\()'((?:@[\w-]+\/)?[\w-]+)/gm,
      ))
        if (path in devDependencies && !(path in peerDependencies)) imported.add(path);
    expect(imported.size).toBeGreaterThan(8);
    expect([...imported].filter((name) => !named.some(([other]) => other === name))).toEqual([]);
    expect(named.filter(([, licence]) => !/^(?:MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0)$/.test(licence))).toEqual([]);
    expect(text).toMatch(/Apache License\s+Version 2\.0/);
  });

  it('holds what `exports` and `bin` name, every kernel, and nothing else of the repository', () => {
    const named = JSON.stringify(JSON.parse(readFileSync(join(app.folder, 'node_modules/voxelgrad/package.json'), 'utf8')).exports).match(
      /\.\/[^"*]+\.(?:js|d\.ts|json)(?=")/g,
    )!;
    for (const path of [
      ...named,
      './bin/voxelgrad.mjs',
      './dist/cli.js',
      './dist/wgsl/conv.wgsl',
      './dist/wgsl/conv.json',
      './LICENSE',
      './CONTRIBUTING.md',
      './docs/custom_ops.md',
      './docs/architecture.svg',
      './examples/custom_op.ts',
      './examples/data/digits.pth',
    ]) {
      expect(app.files, path).toContain(path.slice(2));
    }
    expect(app.files.filter((f) => /^(src|kernels|test|bench|scripts|node_modules)\b|\.map$/.test(f))).toEqual([]);
  });
});
