#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node scripts/docs.mjs: the API pages, docs/api/index.html, by TypeDoc, from the docstrings of what the package exports. A warning is a
// failure. TypeDoc reads TypeScript up to 6.0, which it has beside it in scripts/docs, installed here once from its lock file.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const tool = join(root, 'scripts/docs');
const run = (command, argv) => {
  const { status, error } = spawnSync(command, argv, { cwd: tool, stdio: 'inherit', shell: process.platform === 'win32' });
  if (error) console.error(`docs: ${command} could not be started: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
};

run(process.execPath, [join(root, 'build.mjs'), '--gen']); // the kernels' typed bindings are part of the pages
const installed = join(tool, 'node_modules/.package-lock.json');
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(join(tool, 'package-lock.json')).mtimeMs)
  run('npm', ['ci', '--silent', '--no-audit', '--no-fund']);
run(process.execPath, ['node_modules/typedoc/bin/typedoc']);
