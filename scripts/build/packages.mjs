// SPDX-License-Identifier: MIT
// Packages inside of the bundles: what esbuild must be told to carry them, and the file that names them with their licences.
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Left outside of every bundle: Dawn is a binary, and so is what calls MPI, which only those install who use it. */
export const EXTERNAL = ['webgpu', 'koffi'];

/** CommonJS packages `require` Node's modules, which a module of ES cannot: two steps, an import and what it gives as `module.exports`. */
export const nodeModules = {
  name: 'node-modules',
  setup(b) {
    b.onResolve({ filter: /^[\w:/]+$/ }, ({ path, kind }) => {
      const name = path.replace(/^node:/, '');
      return kind === 'require-call' && builtinModules.includes(name) ? { path: name, namespace: 'node-required' } : undefined;
    });
    b.onLoad({ filter: /.*/, namespace: 'node-required' }, ({ path }) => ({
      contents: `module.exports = require('node-imported:${path}').default;`,
    }));
    b.onResolve({ filter: /^node-imported:/ }, ({ path }) => ({ path: path.slice('node-imported:'.length), namespace: 'node-imported' }));
    b.onLoad({ filter: /.*/, namespace: 'node-imported' }, ({ path }) => ({ contents: `export { default } from 'node:${path}';` }));
  },
};

/** A codec's WebAssembly lies in a file beside it, which nobody would find beside a bundle: its bytes go with it, compressed. */
export const codecs = {
  name: 'codecs',
  setup(b) {
    b.onLoad({ filter: /@cornerstonejs\/codec-[\w-]+\/dist\/\w+wasm_decode\.js$/ }, ({ path }) => ({
      contents: `${readFileSync(path, 'utf8').replaceAll('__dirname', '"."')}
const factory = module.exports, packed = require('./${basename(path, '.js')}.wasm');
module.exports = async (given) => {
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return factory({ wasmBinary: await new Response(plain).arrayBuffer(), ...given });
};`,
    }));
    b.onLoad({ filter: /\.wasm$/ }, ({ path }) => ({ contents: gzipSync(readFileSync(path), { level: 9 }), loader: 'binary' }));
  },
};

/** `x?raw` is the text of x, as in Vite (and so in vitest). */
export const texts = {
  name: 'texts',
  setup(b) {
    b.onResolve({ filter: /\?raw$/ }, async ({ path, resolveDir, kind }) => {
      const { path: file, errors } = await b.resolve(path.replace(/\?raw$/, ''), { resolveDir, kind });
      return errors.length ? { errors } : { path: file, namespace: 'text' };
    });
    b.onLoad({ filter: /.*/, namespace: 'text' }, ({ path }) => ({ contents: readFileSync(path, 'utf8'), loader: 'text' }));
  },
};

const PACKAGE = /^(?:.*:)?((?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+))\//;

/** Names and licences of the packages whose code lies in the files that esbuild wrote. @returns {string} Markdown */
export function thirdParty(root, metafiles) {
  const folders = new Map();
  for (const { outputs } of metafiles)
    for (const { inputs } of Object.values(outputs))
      for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
        const [, folder, name] = PACKAGE.exec(input) ?? [];
        if (name && bytesInOutput > 0) folders.set(name, join(root, folder));
      }
  const sections = [...folders].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, folder]) => section(name, folder));
  return (
    `# Packages inside of the bundles\n\nWritten by \`node build.mjs\` from what the files of \`dist/\` hold.\n\n` + sections.join('\n')
  );
}

function section(name, folder) {
  const { version, license, homepage, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (!license) throw new Error(`${name}: its package.json names no licence: it cannot be bundled`);
  const file = readdirSync(folder).find((f) => /^(?:licen[cs]e|copying)(?:\.\w+)?$/i.test(f));
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `${license}, ${author?.name ?? author ?? homepage ?? name}`;
  return `## ${name} ${version}: ${license}\n\n\`\`\`text\n${text}\n\`\`\`\n`;
}
