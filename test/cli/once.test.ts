// SPDX-License-Identifier: MIT
// train --once: what a job array starts, kills and starts again is one run.
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkpointPath, folderStore } from '../../src/io/node/run/folder.ts';
import { neverBegan } from '../../src/train/run_store.ts';
import { slicesAlone, tinyDataset, tinyPlan, writePlan } from '../train/tiny_run.ts';
import { memoryScratch } from './processes.ts';
import { voxelgrad, type Said } from './voxelgrad.ts';

const root = memoryScratch();
const at = (...parts: string[]): string => join(root, ...parts);
let plan: string;

async function train(run: string, ...more: string[]): Promise<Said> {
  return voxelgrad(['train', at('data'), '--run', at(run), '--plan', plan, '--once', ...more]);
}

beforeAll(async () => {
  await tinyDataset(at('data'));
  plan = writePlan(
    root,
    tinyPlan((p) => {
      slicesAlone(p);
      p.training.iterations = 2;
    }),
  );
});

describe('train --once', () => {
  it('trains, leaves what is trained alone, and refuses another plan in its folder', async () => {
    expect((await train('run')).code).toBe(0);
    const final = checkpointPath(at('run'), 'final'),
      { mtimeMs } = statSync(final),
      log = readFileSync(at('run/log.jsonl'), 'utf8');
    const again = await train('run');
    expect([again.code, statSync(final).mtimeMs, readFileSync(at('run/log.jsonl'), 'utf8')]).toEqual([0, mtimeMs, log]);
    const other = await train('run', '--seed', '9');
    expect([other.code, other.err]).toEqual([3, expect.stringContaining('has another plan than the one asked for')]);
    expect((await train('run', '--resume')).code).toBe(2);
  });

  it('begins again where a run was killed before its first iteration, and nowhere else', async () => {
    const store = folderStore(at('run'));
    expect(await neverBegan(store, () => Promise.resolve(0))).toBe(false);
    for (const name of ['plan.json', 'log.jsonl', 'checkpoints/final.safetensors', 'checkpoints/best.safetensors'])
      rmSync(at('run', name), { force: true });
    expect(await neverBegan(store, () => Promise.resolve(0))).toBe(true);
    expect((await train('run')).code).toBe(0);
  });
});
