// SPDX-License-Identifier: MIT
// TensorFlow.js for Node: its module build is bundled, with all gradients, because its Node entry has none.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

export async function importTensorFlow() {
  globalThis.window = globalThis; // it asks for a browser's
  const resolveDir = join(import.meta.dirname, '..');
  const outfile = join(resolveDir, `node_modules/.cache-tfjs-${process.pid}.mjs`);
  const contents = [
    'export * from "@tensorflow/tfjs-core";',
    ...['tfjs-core/dist/register_all_gradients', 'tfjs-core/dist/public/chained_ops/register_all_chained_ops', 'tfjs-backend-webgpu'].map(
      (path) => `import "@tensorflow/${path}";`,
    ),
  ].join('\n');
  await build({
    stdin: { contents, resolveDir },
    bundle: true,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    outfile,
    logLevel: 'error',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  try {
    return await import(outfile);
  } finally {
    rmSync(outfile);
  }
}
