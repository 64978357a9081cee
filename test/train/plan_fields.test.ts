// SPDX-License-Identifier: MIT
// A field of the plan that nobody reads would be a promise that nobody keeps: each one is named by code that decides something with it,
// or has a single value that its schema says.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const code = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((f) => f.endsWith('.ts') && !f.startsWith('gen') && !/plan\.ts|presets/.test(f))
  .map((f) => readFileSync(join(src, f), 'utf8'))
  .join('\n')
  .replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');

const leaves = (value: unknown, path: string[] = []): string[][] =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]))
    : [path];

/** Whether the schema of a field names one value and refuses the rest. */
function fixed(path: readonly string[]): boolean {
  const json = JSON.parse(JSON.stringify(presetPlan('demo')));
  const holder = path.slice(0, -1).reduce((o, key) => o[key], json);
  holder[path.at(-1)!] = 'another';
  try {
    parsePlan(json);
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return /expected ("[^"]*"|true|false|-?[\d.]+)\.(\s|$)/.test((error as Error).message);
  }
}

it('every field is read or fixed', () => {
  const unread = leaves(presetPlan('demo')).filter((path) => !fixed(path) && !new RegExp(`\\b${path.at(-1)}\\b`).test(code));
  expect(unread.map((path) => path.join('.'))).toEqual([]);
  expect(
    leaves(presetPlan('demo'))
      .filter(fixed)
      .map((path) => path.join('.')),
  ).toEqual(expect.arrayContaining(['version', 'method.network2d.graph.projection']));
  expect(fixed(['training', 'precision'])).toBe(false);
  expect(fixed(['training', 'batch'])).toBe(false);
});
