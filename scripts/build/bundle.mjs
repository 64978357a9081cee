// SPDX-License-Identifier: MIT
// src -> dist with esbuild. Entry points whose file does not exist are left out.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { codecs, EXTERNAL, nodeModules, texts, thirdParty } from './packages.mjs';
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
export const neighbours = {
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

// The text of all kernels, of which every bundle would carry a copy: one file beside the chunks.
const KERNELS = 'dist/chunks/wgsl.js';
const sharedKernels = {
  name: 'shared-kernels',
  setup(b) {
    b.onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, resolveDir }) => {
      const file = resolve(resolveDir, path);
      return basename(dirname(file)) === 'gen' && basename(file) !== 'kernels.ts' ? { path: './wgsl.js', external: true } : undefined;
    });
  },
};

/** WGSL without remarks and white space, a third of it; dist/wgsl has them. What follows `// @spec` is read when a kernel is compiled. */
const bare = (text) =>
  text
    .replace(/[ \t]*\/\/(?! @spec)[^\n]*/g, '')
    .replace(/\n\s+/g, '\n')
    .replace(/^(?!.*@spec).*$/gm, (line) =>
      line.replace(/ (->|[-=!+*/<>]=|&&|\|\||<<|>>|[=+*/%<>&|^{]|(?<!- )-(?! ?-)) ?|([,:;]) /g, '$1$2'),
    )
    .replace(/(?<=[;{},])\n(?!.*@spec)/g, '');

// What kernels import stands once, a quarter of their text: `// @line` says where it begins and ends.
const bareKernels = (folder, files) => ({
  name: 'bare-kernels',
  setup(b) {
    const parts = new Map(
      files.map((f) => [
        f,
        readFileSync(join(folder, f), 'utf8')
          .split(/^(?=\/\/ @line )/m)
          .map(bare),
      ]),
    );
    const seen = [...parts.values()].flat();
    const shared = [...new Set(seen)].filter(
      (part) => part.length > 99 && !part.includes('`') && seen.lastIndexOf(part) > seen.indexOf(part),
    );
    b.onResolve({ filter: /^shared$/ }, ({ path }) => ({ path, namespace: 'kernels' }));
    b.onLoad({ filter: /^/, namespace: 'kernels' }, () => ({
      contents: shared.map((text, i) => `export const s${i}=\`${text}\`;`).join(''),
    }));
    b.onLoad({ filter: /[\\/]gen[\\/][^\\/]+\.ts$/ }, ({ path }) => {
      const text = parts.get(basename(path)).map((part) => (shared.includes(part) ? `\${s${shared.indexOf(part)}}` : part));
      return { contents: `import{${shared.map((_, i) => `s${i}`)}}from'shared';${text.join('')}`, loader: 'ts' };
    });
  },
});

async function bundleKernels(root, common) {
  const files = readdirSync(join(root, 'src/gen')).filter((f) => f !== 'kernels.ts');
  const contents = files.map((f) => `export * from './${f}';`).join('');
  await build({
    ...common,
    stdin: { contents, resolveDir: join(root, 'src/gen') },
    plugins: [bareKernels(join(root, 'src/gen'), files)],
    outdir: undefined,
    outfile: KERNELS,
  });
}

/** An import that a chunk makes of its neighbour, as a file one folder up makes it. */
function fromAbove(root, files) {
  for (const file of files.filter((f) => dirname(f) === 'dist' && f.endsWith('.js'))) {
    const path = join(root, file);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('"./wgsl.js"', '"./chunks/wgsl.js"'));
  }
}

/**
 * `small` is what is published: the kernels' text once; names of functions and classes stay, for errors. @returns {Promise<string[]>} files
 * written
 */
export async function bundle(root, small = false) {
  const common = {
    absWorkingDir: root,
    outdir: 'dist',
    bundle: true,
    format: 'esm',
    target: 'es2022',
    sourcemap: !small,
    minify: small,
    keepNames: true, // errors and printed tensors name classes
    metafile: true,
    logLevel: 'warning',
    legalComments: 'none', // THIRD_PARTY.md has them
  };
  const out = small ? [KERNELS] : [],
    metafiles = [],
    shared = small ? [sharedKernels] : [];
  if (small) await bundleKernels(root, common);
  const node = here(root, NODE);
  if (Object.keys(node).length) {
    // Splitting: the entry points share one Tensor class, so objects made by one are known to the others.
    const r = await build({
      ...common,
      entryPoints: node,
      platform: 'node',
      external: EXTERNAL,
      plugins: [...shared, nodeModules, codecs, texts],
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
    });
    out.push(...Object.keys(r.metafile.outputs));
    metafiles.push(r.metafile);
    removeOthers(root, out);
  }
  const browser = here(root, BROWSER);
  if (Object.keys(browser).length) {
    const r = await build({
      ...common,
      entryPoints: browser,
      platform: 'browser',
      plugins: [...shared, neighbours, codecs],
      splitting: small, // published, the engine is there once; a checkout's bundles are single files
      chunkNames: 'chunks/[name]-[hash]',
    });
    for (const [file, { imports }] of Object.entries(r.metafile.outputs)) {
      const foreign = imports.filter((i) => i.external && i.path !== './wgsl.js');
      if (foreign.length) throw new Error(`${file}: imports ${foreign.map((i) => i.path).join(', ')}, expected none`);
    }
    out.push(...Object.keys(r.metafile.outputs));
    metafiles.push(r.metafile);
  }
  const studio = await bundleStudio(root, common, [neighbours, codecs]);
  out.push(...studio.files);
  metafiles.push(...studio.metafiles);
  if (small) fromAbove(root, out);
  if (metafiles.length) writeFileSync(join(root, 'dist/THIRD_PARTY.md'), thirdParty(root, metafiles));
  return out.filter((path) => path.endsWith('.js'));
}
