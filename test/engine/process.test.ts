// SPDX-License-Identifier: MIT
// A process that used the engine ends by itself, whether it closed the device or not, and finds its globals as they were.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(root, 'node_modules/.process-')); // inside, so that packages resolve
  writeFileSync(
    join(folder, 'use.mjs'),
    `import { openDevice, square, tensor } from './index.js';
    const device = await openDevice();
    console.log((await square(tensor([3])).data())[0]);
    if (process.argv[2] === 'close') device.close();`,
  );
  writeFileSync(
    join(folder, 'globals.mjs'),
    `const before = new Set(Reflect.ownKeys(globalThis));
    for (const name of ['kernels', 'index', 'use', 'sanet']) {
      await import('./' + name + (name === 'use' ? '.mjs' : '.js'));
      console.log(name, ...Reflect.ownKeys(globalThis).filter((key) => !before.has(key)));
    }`,
  );
  await build({
    entryPoints: ['index', 'kernels', 'sanet'].map((name) => join(root, `src/${name}.ts`)),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    target: 'es2022',
    outdir: folder,
    logLevel: 'error',
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) => {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [join(folder, args[0]), ...args.slice(1)], {
    encoding: 'utf8',
    timeout: 600_000,
  });
  return { status, signal, stdout, error: stderr.replace(/^Warning: max.*$/gm, '').trim() };
};

it.each(['close', 'leave open'])('a process ends by itself: %s', (how) => {
  expect(run('use.mjs', how)).toEqual({ stdout: '9\n', signal: null, status: 0, error: '' });
});

it('the entry points install nothing on globalThis, imported or used', () => {
  // What zod 4 keeps there, so that its copies share one registry, is not ours.
  const stdout = 'kernels\nindex\n9\nuse\nsanet __zod_globalConfig __zod_globalRegistry\n';
  expect(run('globals.mjs', 'close')).toEqual({ stdout, signal: null, status: 0, error: '' });
});
