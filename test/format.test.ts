// SPDX-License-Identifier: MIT
// What `npm run format` would change is a fault, and so is what `npm run lint` says.
import { execFileSync } from 'node:child_process';
import { it } from 'vitest';

const node = (...argv: string[]): string => execFileSync(process.execPath, argv, { encoding: 'utf8' });

it('every source is formatted', () => {
  node('node_modules/prettier/bin/prettier.cjs', '--log-level', 'warn', '--check', '.');
});

it('the linter says nothing', () => {
  node('node_modules/oxlint/bin/oxlint', '--deny-warnings', '--format=unix');
});
