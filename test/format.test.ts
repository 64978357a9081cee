// SPDX-License-Identifier: MIT
// What `npm run format` would change is a fault.
import { execFileSync } from 'node:child_process';
import { it } from 'vitest';

it('every source is formatted', () => {
  execFileSync(process.execPath, ['node_modules/prettier/bin/prettier.cjs', '--log-level', 'warn', '--check', '.'], { stdio: 'pipe' });
}, 120_000);
