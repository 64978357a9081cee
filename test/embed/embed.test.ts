// SPDX-License-Identifier: MIT
// The package as a stranger gets it: packed, installed elsewhere, used on a device that is not ours.
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { install, type Installed } from './pack.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let app: Installed;
beforeAll(() => {
  app = install(join(root, 'test/embed/consumer'), ['webgpu', '@webgpu/types', 'zod']);
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
      for (const [, to] of text.matchAll(/(?:from|import)\s*"([^"]+)"/g)) {
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
      './kernels/conv.wgsl',
      './LICENSE',
      './CONTRIBUTING.md',
      './docs/custom_ops.md',
      './docs/architecture.svg',
      './examples/custom_op.ts',
      './examples/data/digits.pth',
    ]) {
      expect(app.files, path).toContain(path.slice(2));
    }
    expect(app.files.filter((f) => /^(src|test|bench|scripts|node_modules)\b/.test(f))).toEqual([]);
  });
});
