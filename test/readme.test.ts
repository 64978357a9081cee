import { voxelgrad } from './cli/voxelgrad.ts';
// SPDX-License-Identifier: MIT
// What README.md shows is run, so that it cannot rot.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const entry = join(root, 'src/index.ts');

describe('README.md', () => {
  it('the training example runs, and its loss falls', async () => {
    const [, code] = /```ts\n([^]*?)```/.exec(readme)!;
    const folder = join(root, 'node_modules/.cache/readme-example'); // below node_modules, so that packages are found
    mkdirSync(folder, { recursive: true });
    await build({
      stdin: { contents: code, loader: 'ts', resolveDir: root },
      outfile: join(folder, 'example.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'es2022',
      packages: 'external',
      alias: { voxelgrad: entry },
      logLevel: 'silent',
    });
    const { stdout, stderr, status } = spawnSync(process.execPath, [join(folder, 'example.mjs')], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    expect(stderr.replace(/^Warning: max.*$/gm, '').trim()).toBe('');
    expect(status).toBe(0);
    const losses = stdout
      .trim()
      .split('\n')
      .map((line) => Number(line.split(' ')[1]));
    expect(losses).toHaveLength(6);
    expect(losses[5]).toBeLessThan(losses[0] / 2);
  });

  it('names only verbs and options that exist', async () => {
    for (const [, line] of readme.matchAll(/^npx voxelgrad (.*?)\s*(?:#.*)?$/gm)) {
      const [verb, ...rest] = line.split(/\s+/);
      const { code, out: help } = await voxelgrad([verb, '--help']);
      expect(code, verb).toBe(0);
      for (const option of rest.filter((word) => word.startsWith('--'))) expect(help, `${verb} ${option}`).toContain(option);
    }
  });

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const named = [...readme.matchAll(/npm (?:run )?([a-z][\w:]*)/g)]
      .map((m) => m[1])
      .filter((name) => !['and', 'pack', 'install'].includes(name)); // npm's own commands, and prose;
    expect(named.length).toBeGreaterThan(2);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});
