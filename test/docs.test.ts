// SPDX-License-Identifier: MIT
// What the pages of docs/ and README.md show: `ts` blocks of a page are one program, which prints what the comments beside its console.log
// say; blocks that name a file are lines of that file; links lead somewhere.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { METHODS } from '../src/methods/methods.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const docs = readdirSync(join(root, 'docs'))
  .filter((f) => f.endsWith('.md'))
  .sort()
  .map((f) => `docs/${f}`);
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs];

/** `ts` blocks of a page, and the file that each is said to come from. */
const blocks = (page: string): { file: string; code: string }[] =>
  [...read(page).matchAll(/^ *```ts *(\S*)\n([^]*?)^ *```$/gm)].map(([, file, code]) => ({ file: file, code: code }));
const trimmed = (text: string): string[] => text.split('\n').map((line) => line.trim());

describe('pages', () => {
  const programs = docs.filter((page) => blocks(page).some(({ file }) => !file));
  it('have programs', () => expect(programs).toEqual(expect.arrayContaining(['docs/custom_ops.md', 'docs/memory.md', 'docs/porting.md'])));

  it.each(programs)('%s: its program prints what it says', async (page) => {
    const code = blocks(page)
      .filter(({ file }) => !file)
      .map((b) => b.code)
      .join('\n');
    const folder = join(root, 'node_modules/.cache/docs'); // below node_modules, so that packages are found
    mkdirSync(folder, { recursive: true });
    const outfile = join(folder, `${page.replace(/\W/g, '_')}.mjs`);
    await build({
      stdin: { contents: code, loader: 'ts', resolveDir: root },
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'es2022',
      packages: 'external',
      logLevel: 'silent',
      alias: { voxelgrad: join(root, 'src/index.ts') },
    });
    const { stdout, stderr, status } = spawnSync(process.execPath, [outfile], { encoding: 'utf8' });
    expect(stderr.replace(/^Warning: max.*$/gm, '').trim()).toBe('');
    expect(status).toBe(0);
    const expected = [...code.matchAll(/^ *console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
    expect(expected.length).toBeGreaterThan(0);
    expect(stdout.trim().split('\n')).toEqual(expected);
  });

  it('show lines of the files that they name', () => {
    const shown = pages.flatMap((page) =>
      blocks(page)
        .filter(({ file }) => file)
        .map((b) => ({ page, ...b })),
    );
    expect(shown.length).toBeGreaterThan(5);
    for (const { page, file, code } of shown)
      expect(trimmed(read(file)).join('\n'), `${page}: ${file}`).toContain(trimmed(code).join('\n').trim());
  });

  it('link to what is there', () => {
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#]+)[^)]*\)/g)]
        .map(([, to]) => to)
        .filter((to) => !/^https?:/.test(to) && !existsSync(join(root, dirname(page), to)))
        .map((to) => `${page}: ${to}`),
    );
    expect(broken).toEqual([]);
  });
});

it('README.md is a front door: short, with the methods that there are', () => {
  expect(read('README.md').split('\n').length - 1).toBeLessThanOrEqual(150);
  const [, list] = /<!-- methods -->(.*)<!-- \/methods -->/.exec(read('README.md'))!;
  expect(list.replaceAll('`', '').split(', ')).toEqual(Object.keys(METHODS));
});
