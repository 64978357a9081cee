// SPDX-License-Identifier: MIT
// Tests hold on a busy machine: no limit of their own on the clock (vitest.config.ts has the one, against what hangs), and none is
// skipped without a reason.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('.', import.meta.url));
const tests = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((f) => f.endsWith('.test.ts') && !f.startsWith('limits'))
  .map((f) => [f, readFileSync(join(root, f), 'utf8')] as const);
const matching = (pattern: RegExp): string[] => tests.filter(([, text]) => pattern.test(text)).map(([file]) => file);

it('no test has a limit of its own', () =>
  expect(matching(/^\s*\}, \d[\d_]*\);/m).filter((f) => !f.endsWith('.full.test.ts'))).toEqual([]));

it('what a machine lacks is said (test/needs.ts, or context.skip with a reason)', () => {
  expect(tests.length).toBeGreaterThan(100);
  expect(matching(/\.(skipIf|runIf)\(|\bskip\(\)/)).toEqual([]);
});
