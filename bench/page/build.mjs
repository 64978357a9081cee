// SPDX-License-Identifier: MIT
// dist/bench: the cases of this folder as a static page, for adapters that nobody here has. Peers that are not installed are left out.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { neighbours } from '../../scripts/build/bundle.mjs';

const here = import.meta.dirname;
const PEERS = { jaxjs: '@jax-js/jax', tfjs: '@tensorflow/tfjs-backend-webgpu' };
/** What is another file in a page than in Node. */
const OTHERS = { './dawn.mjs': 'browser.mjs', './tensorflow.mjs': 'tensorflow.mjs', '../engine.mjs': 'engine.mjs' };

const commit = () => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: here,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
};

/** Writes the page to a folder, which is emptied first. @returns the folder */
export async function buildPage(folder) {
  const engines = ['ours', ...Object.keys(PEERS).filter((name) => existsSync(join(here, '../node_modules', PEERS[name])))];
  const table = `export const ENGINES = { ${engines.map((name) => `${name}: () => import('./engines/${name}.mjs')`).join(', ')} };`;
  const parts = {
    name: 'parts-of-a-page',
    setup(b) {
      b.onResolve({ filter: /\/(dawn|tensorflow|engine)\.mjs$/ }, ({ path, importer }) =>
        OTHERS[path] && importer.includes('/engines/') ? { path: join(here, OTHERS[path]) } : undefined,
      );
      b.onResolve({ filter: /^engines$/ }, () => ({ path: 'engines', namespace: 'engines' }));
      b.onLoad({ filter: /.*/, namespace: 'engines' }, () => ({ contents: table, resolveDir: join(here, '..') }));
    },
  };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await build({
    entryPoints: { main: join(here, 'main.mjs'), worker: join(here, 'worker.mjs') },
    outdir: folder,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    chunkNames: 'chunks/[name]-[hash]',
    define: { COMMIT: JSON.stringify(commit()) },
    plugins: [parts, neighbours],
    logLevel: 'error',
  });
  for (const file of ['index.html', 'page.css']) cpSync(join(here, file), join(folder, file));
  return folder;
}
