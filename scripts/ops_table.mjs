#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node scripts/ops_table.mjs [--check]: writes the table of ops in README.md, or fails if it is old: what has rows in the case
// tables, and the other ops that src/index.ts exports, with the gradient that the reverse walk finds and the rows of the case tables.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCases } from './export_cases.mjs';

const path = join(import.meta.dirname, '../README.md');
const [BEGIN, END] = ['<!-- ops:begin -->', '<!-- ops:end -->'];

const { families, api, elsewhere, differentiable } = await loadCases(`export * as api from './src/index.ts';
  export { elsewhere } from './test/cases/elsewhere.ts'; export { differentiable } from './test/cases/gradient.ts';`);

/** Ops: calls, and what they are tested against. */
function* ops() {
  for (const [op, cases] of Object.values(families).flatMap(Object.entries)) {
    yield [op, elsewhere[op] ? [elsewhere[op]] : cases, `PyTorch float64, ${cases.length} ${cases.length === 1 ? 'row' : 'rows'}`];
  }
  for (const [op, one] of Object.entries(elsewhere)) if (op in api && one.against) yield [op, [one], one.against];
}

async function table() {
  const lines = ['| op | forward | gradient | f16 rows | tested against |', '|---|---|---|---|---|'];
  const device = await api.openDevice({ backend: 'null', validateOnly: true }); // tracing allocates and computes nothing
  for (const [op, cases, against] of ops()) {
    const yes = (has) => (cases.some(has) ? 'yes' : '-');
    lines.push(`| \`${op}\` | yes | ${yes(differentiable)} | ${yes((c) => c.f16)} | ${against} |`);
  }
  device.close();
  return lines.join('\n');
}

const readme = readFileSync(path, 'utf8');
const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
if (from < 0 || to < from) throw new Error(`README.md: got no ${BEGIN} ... ${END}`);
const now = `${readme.slice(0, from)}${BEGIN}\n${await table()}\n${readme.slice(to)}`;
if (!process.argv.includes('--check')) writeFileSync(path, now);
else if (now !== readme) {
  console.error('README.md: the table of ops is old, run `node scripts/ops_table.mjs`.');
  process.exitCode = 1;
}
