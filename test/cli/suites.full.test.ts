// SPDX-License-Identifier: MIT
// `npm run lidc -- --suite` with the verbs as they are, on phantoms: few iterations, one run stopped and taken up again.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { tinyDataset } from '../train/tiny_run.ts';

const { runSuite } = await import(new URL('../../scripts/lidc/run_suite.mjs', import.meta.url).href);
const repo = fileURLToPath(new URL('../..', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'voxelgrad-suites-'));
afterAll(() => rmSync(root, { recursive: true }));

it('trains, predicts, evaluates and compares two seeds of a method', async () => {
  const data = await tinyDataset(join(root, 'data')),
    out = join(root, 'out');
  const start = (only: number): any =>
    runSuite('table1', {
      data,
      out,
      preset: 'demo',
      iterations: 12,
      set: ['data.roi=[16,32,32]', 'split.folds=2'],
      seeds: [1, 2],
      methods: ['vnet'],
      only,
      say: (line: string) => console.log(line),
      voxelgrad: (...args: string[]) => {
        const { status, stderr } = spawnSync(process.execPath, [join(repo, 'bin', 'voxelgrad.mjs'), ...args], { encoding: 'utf8' });
        if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
      },
    });
  start(1);
  expect(existsSync(join(out, 'table1'))).toBe(false); // one run is nothing to compare
  const { runs } = start(9);
  expect(runs.map((r: any) => [r.name, r.state.done])).toEqual([
    ['third_vnet_seed1', true],
    ['third_vnet_seed2', true],
  ]);
  expect(readdirSync(join(out, 'runs'))).toHaveLength(2);
  const { methods } = JSON.parse(readFileSync(join(out, 'table1', 'comparison.json'), 'utf8'));
  expect(methods.rows).toMatchObject([{ name: 'vnet', n_runs: 2 }]);
});
