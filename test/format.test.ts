// SPDX-License-Identifier: MIT
// What `npm run format` would change is a fault, and so is what `npm run lint` says.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const node = (...argv: string[]): string => execFileSync(process.execPath, argv, { encoding: 'utf8' });

it('every source is formatted', () => {
  node('node_modules/prettier/bin/prettier.cjs', '--log-level', 'warn', '--check', '.');
});

it('the linter says nothing', () => {
  node('node_modules/oxlint/bin/oxlint', '--deny-warnings', '--format=unix');
});

/** Files in which lines past the 140th column stay, each with its reason. */
const LONG: Readonly<Record<string, string>> = {
  'src/report/section_distances.ts': 'markup, whose white space shows',
  'src/report/section_overlays.ts': 'markup, whose white space shows',
  'src/report/section_results.ts': 'markup, whose white space shows',
  'src/report/section_slices.ts': 'markup, whose white space shows',
  'src/report/section_training.ts': 'markup, whose white space shows',
  'src/report/section_verdict.ts': 'markup, whose white space shows',
};

it('no line is longer than 140 characters, in strings, remarks and shaders neither', () => {
  const endings = ['ts', 'tsx', 'mjs', 'mts', 'css', 'html', 'wgsl', 'py'];
  const files = execFileSync('git', ['ls-files', ...endings.map((ending) => `*.${ending}`)], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const long = files.flatMap((file) => {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.flatMap((line, i) => ([...line].length > 140 && !line.includes('https://') ? [`${file}:${i + 1}`] : []));
  });
  const named = new Set(long.map((place) => place.replace(/:\d+$/, '')));
  expect(long.filter((place) => !(place.replace(/:\d+$/, '') in LONG))).toEqual([]);
  expect(Object.keys(LONG).filter((file) => !named.has(file))).toEqual([]); // a reason that is no longer needed goes
});
