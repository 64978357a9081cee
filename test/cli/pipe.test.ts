// SPDX-License-Identifier: MIT
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tinyDataset } from '../train/tiny_run.ts';
import { bundleCli, memoryScratch, start } from './processes.ts';

const root = memoryScratch();

it('a verb whose reader leaves (2>&1 | head) does its work and ends', async () => {
  const cli = await bundleCli();
  const running = start(cli, 'check', await tinyDataset(join(root, 'data')));
  running.child.stdout!.destroy();
  running.child.stderr!.destroy();
  const late = setTimeout(() => running.child.kill('SIGKILL'), 600_000); // it would spin for ever, and outlive the test
  expect(await running.ended).toMatchObject({ code: 0, signal: null });
  clearTimeout(late);
});
