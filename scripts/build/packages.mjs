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
  const seen = new Map();
  const sections = [...folders].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, folder]) => section(name, folder, seen));
  return (
    `# Packages inside of the bundles\n\nWritten by \`node build.mjs\` from what the files of \`dist/\` hold. ` +
    `A licence that several packages have\nstands under the first of them; the others have their own copyright beside it.\n\n` +
    sections.join('\n')
  );
}

const OWN = /^.*copyright.*(?:\d{4}|\(c\)).*$/gim; // the line of a licence that differs from package to package
const TITLE = /^.*\blicen[cs]e\b[^.\n]*$/im; // 'MIT License', or 'The MIT License (MIT)'

/** `seen`: licences that stand under an earlier package, by their words. */
function section(name, folder, seen) {
  const { version, license, homepage, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (!license) throw new Error(`${name}: its package.json names no licence: it cannot be bundled`);
  const file = readdirSync(folder).find((f) => /^(?:licen[cs]e|copying)(?:\.\w+)?$/i.test(f));
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `${license}, ${author?.name ?? author ?? homepage ?? name}`;
  const words = text
    .replace(OWN, '')
    .replace(TITLE, '')
    .replace(/[\s"']+/g, ' ')
    .trim();
  const first = seen.get(words);
  if (!first) seen.set(words, name);
  const shown = first
    ? `${(text.match(OWN) ?? [name]).map((line) => line.trim()).join('\n')}\nThe licence is that of ${first} above.`
    : text;
  return `## ${name} ${version}: ${license}\n\n\`\`\`text\n${shown}\n\`\`\`\n`;
}
