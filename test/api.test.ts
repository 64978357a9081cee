// SPDX-License-Identifier: MIT
// Every value that an entry point of the package exports has a docstring. `npm run docs` makes pages of them (api.full.test.ts).
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';

const DECLARED = /^export (?:declare |abstract |async )*(?:const|let|function\*?|class) (\w+)/gm;

/** Where each value that a file exports is declared. Entry points name what they export, or a whole file. */
function values(file: string): { file: string; name: string }[] {
  const text = readFileSync(file, 'utf8');
  const passed = [...text.matchAll(/^export (?!type )(?:\{([^}]*)\}|\*(?: as \w+)?) from '([^']+)'/gm)].flatMap(([, names, from]) => {
    const all = values(join(dirname(file), from));
    if (names === undefined) return all;
    const wanted = names.split(',').map((name) => name.trim());
    return wanted.filter((name) => name && !name.startsWith('type ')).map((name) => all.find((v) => v.name === name) ?? { file, name });
  });
  return [...passed, ...[...text.matchAll(DECLARED)].map(([, name]) => ({ file, name }))];
}

it.each(['index', 'kernels', 'sanet', 'sanet.browser'])('every value that src/%s.ts exports has a docstring', (entry) => {
  const found = values(`src/${entry}.ts`);
  expect(found.length).toBeGreaterThan(40);
  const bare = found.filter(({ file, name }) => {
    const text = readFileSync(file, 'utf8');
    const at = [...text.matchAll(DECLARED)].find(([, declared]) => declared === name)?.index;
    return at === undefined || !text.slice(0, at).trimEnd().endsWith('*/');
  });
  expect(bare.map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
});

it('every method of tensors has one', () => {
  const [, body] = /interface Tensor \{([^]*?)\n {2}\}/.exec(readFileSync('src/methods_of_tensor.ts', 'utf8'))!;
  const methods = [...body.matchAll(/^ {4}\w+\(.*$/gm)];
  expect(methods.length).toBeGreaterThan(40);
  expect(methods.filter((m) => !body.slice(0, m.index).trimEnd().endsWith('*/')).map(([line]) => line)).toEqual([]);
});
