#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node scripts/export_cases.mjs: the rows of test/cases as JSON on stdout, functions left out, for test/golden/ops/make.py;
// node scripts/export_cases.mjs specials: those of special values, numbers as their bits, for test/golden/specials/make.py.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');

const TABLES = "export { families } from './test/cases/index.ts'; export { rows } from './test/cases/case.ts';";

/** The case tables as a module of this process, with what else is exported by `more`. */
export async function loadCases(more = '') {
  const dir = mkdtempSync(join(root, 'node_modules/.cases-')); // inside, so that packages resolve
  try {
    const outfile = join(dir, 'cases.mjs');
    await build({
      stdin: { contents: `${TABLES} ${more}`, resolveDir: root, loader: 'ts' },
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      outfile,
      logLevel: 'error',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

if (process.argv[1] === import.meta.filename && process.argv[2] === 'specials') {
  const { specials, named, UPSTREAM } = await loadCases(
    "export { specials } from './test/golden/specials/index.ts'; export { named, UPSTREAM } from './test/golden/specials/form.ts';",
  );
  const bits = (values, dtype) =>
    Array.from(new Uint32Array((dtype ? Int32Array.from(values, (v) => v | 0) : Float32Array.from(values)).buffer));
  const families = Object.fromEntries(
    Object.entries(specials).map(([name, table]) => [
      name,
      named(table).map((row) => ({
        ...row,
        inputs: row.inputs.map(({ values, ...input }) => ({ ...input, bits: bits(values, input.dtype) })),
      })),
    ]),
  );
  console.log(JSON.stringify({ upstream: bits(UPSTREAM), families }));
} else if (process.argv[1] === import.meta.filename) {
  const { families, rows } = await loadCases();
  console.log(JSON.stringify(Object.fromEntries(Object.entries(families).map(([name, family]) => [name, rows(family)]))));
}
