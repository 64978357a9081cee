// SPDX-License-Identifier: MIT
// run.json under several processes at once (`predict --part i/n` side by side): nobody's stage is lost.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { scratch } from '../data/helpers.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = scratch();

it('keeps every stage of four processes that write twenty each, some of them killed', async () => {
  const script = join(run, 'stages.mjs');
  await build({
    stdin: {
      contents:
        `import { recordStage } from './src/cli/run_record.ts';\nfor (let i = 0; i < 20; i++) { recordStage(process.argv[2], { name: ` +
        'process.argv[3] + i, seconds: 1 }, true); console.log(i); }',
      resolveDir: root,
      loader: 'ts',
    },
    outfile: script,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform: 'node',
    logLevel: 'warning',
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  writeFileSync(join(run, 'run.json'), '{"version":1,"stages":[{"name":"train","seconds":5}]}');
  const start = (name: string, killAt = Infinity): Promise<{ done: number; signal: string | null; err: string }> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [script, run, name], { stdio: ['ignore', 'pipe', 'pipe'] });
      let [done, err] = [0, ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        done += text.split('\n').length - 1;
        if (done >= killAt) child.kill('SIGKILL');
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        err += text;
      });
      child.on('close', (_, signal) => resolve({ done, signal, err }));
    });
  const ended = await Promise.all([start('a'), start('b'), start('c', 3), start('d')]);
  expect(ended.map(({ err }) => err)).toEqual(['', '', '', '']);
  const { stages } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
  const count = (name: string): number =>
    stages.filter((s: { name: string; seconds: number }) => s.name.startsWith(name) && s.seconds === (name === 'train' ? 5 : 1)).length;
  expect(['train', 'a', 'b', 'd'].map(count)).toEqual([1, 20, 20, 20]);
  expect(count('c')).toBeGreaterThanOrEqual(ended[2].done);
});
