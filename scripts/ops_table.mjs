#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node scripts/ops_table.mjs [--check]: writes docs/ops.md, or fails if it is old: the ops that src/index.ts exports, with the gradient
// that the reverse walk finds, their rows of the case tables, and what they are tested against.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCases } from './export_cases.mjs';

const path = join(import.meta.dirname, '../docs/ops.md');

const { families, api, elsewhere, differentiable } = await loadCases(`export * as api from './src/index.ts';
  export { elsewhere } from './test/cases/elsewhere.ts'; export { differentiable } from './test/cases/gradient.ts';`);

/** Ops: calls, and what they are tested against. */
function* ops() {
  for (const [op, cases] of Object.values(families).flatMap(Object.entries)) {
    if (op in api)
      yield [op, elsewhere[op] ? [elsewhere[op]] : cases, `PyTorch float64, ${cases.length} ${cases.length === 1 ? 'row' : 'rows'}`];
  }
  for (const [op, one] of Object.entries(elsewhere)) if (op in api && one.against) yield [op, [one], one.against];
}

async function page() {
  const lines = [];
  const device = await api.openDevice({ backend: 'null', validateOnly: true }); // tracing allocates and computes nothing
  for (const [op, cases, against] of ops()) {
    lines.push(
      `| \`${op}\` | ${cases.some(differentiable) ? 'yes' : '**none**'} | ${cases.some((c) => c.f16) ? 'yes' : '-'} | ${against} |`,
    );
  }
  device.close();
  return `# Ops

<!-- Written by scripts/ops_table.mjs from the case tables of the tests. Do not edit. -->

The ${lines.length} ops that \`voxelgrad\` exports. Where the gradient is **none**, an op has none by nature (integers, comparisons,
updates), and \`compile\` names it where a loss needs one. A \`-\` under f16 says that no test holds it to f16 yet. Values and gradients
are compared with what the last column names. Shapes and options are in the types and docstrings; layouts are channels last
([porting.md](porting.md)); zeros, infinities and NaN are PyTorch's, [exceptions](precision.md) apart.

| op | gradient | f16 | tested against |
|---|---|---|---|
${lines.join('\n')}
`;
}

const now = await page();
if (!process.argv.includes('--check')) writeFileSync(path, now);
else if (!existsSync(path) || now !== readFileSync(path, 'utf8')) {
  console.error('docs/ops.md: the table of ops is old, run `node scripts/ops_table.mjs`.');
  process.exitCode = 1;
}
