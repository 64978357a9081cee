// SPDX-License-Identifier: MIT
// The engine as it stands in src, bundled for this process: benchmarks never measure a stale dist.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

export const root = join(import.meta.dirname, '..');

/** Writes a checkout's src/gen. Once a run, before any process imports its engine. */
export const generate = (checkout = root) => execFileSync(process.execPath, ['build.mjs', '--gen'], { cwd: checkout, stdio: 'inherit' });

/** The command line, as a run uses it: a checkout that came without packages' scripts has none yet. */
export const buildTool = () => execFileSync(process.execPath, ['build.mjs'], { cwd: root, stdio: 'inherit' });

/** The public module (src/index.ts), or another one below src. */
export async function importEngine(path = 'index.ts') {
  const outfile = join(root, `node_modules/.cache/voxelgrad/bench-${process.pid}.mjs`);
  await build({
    entryPoints: [join(root, 'src', path)],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    packages: 'external',
    outfile,
    logLevel: 'error',
  });
  try {
    return await import(outfile);
  } finally {
    rmSync(outfile);
  }
}
