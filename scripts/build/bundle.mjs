// SPDX-License-Identifier: MIT
// src -> dist with esbuild. Entry points whose file does not exist are left out.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { bundleStudio } from './studio.mjs';

const NODE = { voxelgrad: 'src/index.ts', kernels: 'src/kernels.ts', sanet: 'src/sanet.ts', cli: 'src/cli/main.ts' };
const BROWSER = { 'voxelgrad.browser': 'src/index.ts', 'sanet.browser': 'src/sanet.browser.ts' };
const here = (root, table) => Object.fromEntries(Object.entries(table).filter(([, path]) => existsSync(join(root, path))));

/** A TypeScript file without packages, as a module in this process: build and run time share src/gpu/specialise.ts. */
export async function importTypescript(path) {
  const { outputFiles } = await build({ entryPoints: [path], bundle: true, format: 'esm', write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

// In a browser `x.browser.ts` stands in for its neighbour `x.ts`.
const neighbours = {
  name: 'browser-neighbours',
  setup(b) {
    b.onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, resolveDir }) => {
      const other = resolve(resolveDir, path.replace(/ts$/, 'browser.ts'));
      return existsSync(other) ? { path: other } : undefined; // `x.browser.ts` itself has no `x.browser.browser.ts`
    });
  },
};

/** Chunks are named by their content: those of earlier builds would stay, and be published. */
function removeOthers(root, written) {
  const now = new Set(written.map((path) => basename(path)));
  const chunks = join(root, 'dist/chunks');
  if (!existsSync(chunks)) return;
  for (const f of readdirSync(chunks)) if (!now.has(f)) rmSync(join(chunks, f));
}

/** @returns {Promise<string[]>} files written */
export async function bundle(root) {
  const common = {
    absWorkingDir: root,
    outdir: 'dist',
    bundle: true,
    format: 'esm',
    target: 'es2022',
    sourcemap: true,
    metafile: true,
    logLevel: 'warning',
  };
  const out = [];
  const node = here(root, NODE);
  if (Object.keys(node).length) {
    // Splitting: the entry points share one Tensor class, so objects made by one are known to the others.
    const r = await build({
      ...common,
      entryPoints: node,
      platform: 'node',
      packages: 'external',
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
    });
    out.push(...Object.keys(r.metafile.outputs));
    removeOthers(root, out);
  }
  const browser = here(root, BROWSER);
  if (Object.keys(browser).length) {
    const r = await build({ ...common, entryPoints: browser, platform: 'browser', plugins: [neighbours] });
    for (const [file, { imports }] of Object.entries(r.metafile.outputs)) {
      const foreign = imports.filter((i) => i.external);
      if (foreign.length) throw new Error(`${file}: imports ${foreign.map((i) => i.path).join(', ')}, expected none`);
    }
    out.push(...Object.keys(r.metafile.outputs));
  }
  out.push(...(await bundleStudio(root, common, [neighbours])));
  return out.filter((path) => path.endsWith('.js'));
}
