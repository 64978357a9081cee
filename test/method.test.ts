// SPDX-License-Identifier: MIT
// What comments call the specification is docs/method.md: every section and item that they cite is there.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const method = readFileSync(`${root}/docs/method.md`, 'utf8');
const sources = ['src', 'kernels', 'test'].flatMap((folder) =>
  readdirSync(`${root}/${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((f) => /\.(ts|wgsl|py|md)$/.test(f) && !f.startsWith('gen/'))
    .map((f) => `${folder}/${f}`),
);

const has = (section: string): boolean => {
  const [, part, letter] = /^([A-E](?:\.\d+)?|\d(?:\.\d)?)([a-g])?$/.exec(section)!;
  const start = method.search(
    new RegExp(
      /^[A-E]\.?/.test(part)
        ? `(?:^|\\W)${part.replace('.', '\\.')}\\b`
        : part.includes('.')
          ? `\\*\\*${part.replace('.', '\\.')}\\*\\*`
          : `^## ${part} `,
      'm',
    ),
  );
  return start >= 0 && (!letter || method.slice(start).split('\n- **')[0].includes(`(${letter})`));
};

it('has every section that a comment cites', () => {
  const cited = sources.flatMap((file) =>
    [
      ...readFileSync(`${root}/${file}`, 'utf8').matchAll(
        /specification,?(?: section)? ((?:[A-E](?:\.\d+)?|\d(?:\.\d)?)[a-g]?)(?![\w-])/gi,
      ),
    ].map((m) => ({ file, section: m[1] })),
  );
  expect(cited.length).toBeGreaterThan(30);
  expect(cited.filter(({ section }) => !has(section))).toEqual([]);
});

it('has one decision for each of the 28 open questions', () => {
  const list = method.slice(method.indexOf('## D'), method.indexOf('## E'));
  expect([...list.matchAll(/^(\d+)\. /gm)].map((m) => Number(m[1]))).toEqual(Array.from({ length: 28 }, (_, i) => i + 1));
});

it('is all that the repository cites: no document that a clone lacks', () => {
  expect(
    sources.filter(
      (file) => file !== 'test/method.test.ts' && /design section \d|sanet-spec|\bperf\.md/.test(readFileSync(`${root}/${file}`, 'utf8')),
    ),
  ).toEqual([]);
});
