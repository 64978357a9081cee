#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node scripts/export_cases.mjs: the rows of test/cases as JSON on stdout, functions left out, for test/golden/ops/make.py.
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
      bundle: true, format: 'esm', platform: 'node', packages: 'external', outfile, logLevel: 'error',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  const { families, rows } = await loadCases();
  console.log(JSON.stringify(Object.fromEntries(Object.entries(families).map(([name, family]) => [name, rows(family)]))));
}
