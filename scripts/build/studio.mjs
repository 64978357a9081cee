// SPDX-License-Identifier: MIT
// src/studio -> dist/studio: the page, its worker, the service worker that keeps both for visits without a network, and the files of
// src/studio/static. Everything any static host needs.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const ENTRIES = { page: 'src/studio/page/main.tsx', worker: 'src/studio/worker.ts' };

// Decoders of compressed DICOM and the DOM of reports ask for these where they find themselves in Node, and for no other reason.
const nodeless = {
  name: 'nodeless',
  setup(b) {
    b.onResolve({ filter: /^(fs|path|crypto|canvas)$/ }, ({ path }) => ({ path, namespace: 'nodeless' }));
    b.onLoad({ filter: /.*/, namespace: 'nodeless' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** @returns {Promise<{ files: string[], metafiles: object[] }>} scripts written, and what esbuild says of them */
export async function bundleStudio(root, common, plugins) {
  const entryPoints = Object.fromEntries(Object.entries(ENTRIES).filter(([, path]) => existsSync(join(root, path))));
  if (!Object.keys(entryPoints).length) return { files: [], metafiles: [] };
  const out = join(root, 'dist/studio');
  rmSync(out, { recursive: true, force: true });
  // Splitting: what few need (DICOM segmentations, decoders, the report) is loaded where it is used.
  const options = {
    ...common,
    // zod asks whether it may make functions from text, which the policy of the page forbids and Chromium notes.
    banner: { js: '(globalThis.__zod_globalConfig ??= {}).jitless = true;' },
    outdir: out,
    minify: true,
    platform: 'browser',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    plugins: [...plugins, nodeless],
  };
  const { metafile } = await build({ ...options, entryPoints, splitting: true, chunkNames: 'chunks/[name]-[hash]' });
  for (const [file, { imports }] of Object.entries(metafile.outputs)) {
    const foreign = imports.filter((i) => i.external);
    if (foreign.length) throw new Error(`${file}: imports ${foreign.map((i) => i.path).join(', ')}, expected none`);
  }
  const given = join(root, 'src/studio/static');
  if (existsSync(given)) cpSync(given, out, { recursive: true });
  const files = readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.map'))
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(out.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort();
  const digest = createHash('sha256');
  for (const file of files) digest.update(`${file}\n`).update(readFileSync(join(out, file)));
  await build({
    ...options,
    entryPoints: { sw: 'src/studio/sw.ts' },
    format: 'iife',
    define: { FILES: JSON.stringify(files), VERSION: JSON.stringify(digest.digest('hex').slice(0, 16)) },
  });
  return { files: [...Object.keys(metafile.outputs), 'dist/studio/sw.js'], metafiles: [metafile] };
}
