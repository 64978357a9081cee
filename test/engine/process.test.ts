// SPDX-License-Identifier: MIT
// A process that used the engine ends by itself, whether it closed the device or not.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(root, 'node_modules/.process-')); // inside, so that packages resolve
  await build({
    stdin: {
      contents: `import { openDevice } from './src/gpu/device.ts';
        import { tensor } from './src/engine/tensor.ts';
        import { square } from './src/ops/pointwise.ts';
        const device = await openDevice();
        console.log((await square(tensor([3])).data())[0]);
        if (process.argv[2] === 'close') device.close();`,
      resolveDir: root, loader: 'ts',
    },
    bundle: true, format: 'esm', platform: 'node', packages: 'external', outfile: join(folder, 'use.mjs'), logLevel: 'error',
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

it.each(['close', 'leave open'])('a process ends by itself: %s', (how) => {
  const { status, signal, stdout } = spawnSync(process.execPath, [join(folder, 'use.mjs'), how], { encoding: 'utf8', timeout: 30_000 });
  expect(stdout).toBe('9\n');
  expect(signal).toBeNull();
  expect(status).toBe(0);
});
