// SPDX-License-Identifier: MIT
// Bundles main.ts (Node 20 runs no TypeScript) and runs it.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '../..');
// below node_modules, so that packages are found
const outfile = join(root, `node_modules/.cache/voxelgrad/conformance-${process.pid}.mjs`);
await build({
  entryPoints: [join(root, 'test/conformance/main.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'es2022',
  packages: 'external',
});
const { main } = await import(pathToFileURL(outfile).href);
rmSync(outfile);
// Never process.exit: a process that is torn down with a live GPU device can die of a segmentation fault.
process.exitCode = await main(process.argv.slice(2), (line) => console.log(line));
