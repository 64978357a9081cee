// SPDX-License-Identifier: MIT
// Trouble drawn from a seed, for a run that goes on: kills, signals, a second process beside it, changed data. After each
// the folder is whole, nothing else was touched, and in the end the run has the bits of one left alone.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'vitest';
import { CHECKPOINTS } from '../../src/train/run_store.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { expectSameRun, finish } from './killed.ts';
import { pause, start, waitFor, type Ended } from './processes.ts';

/** Names and contents of all files below a folder. */
function contents(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  return new Map(files.sort().map((file) => [file, createHash('sha256').update(readFileSync(file)).digest('hex')]));
}

/** Every checkpoint that is there can be read; no JSON is cut short. */
async function expectWhole(run: string): Promise<void> {
  if (!existsSync(run)) return;
  for (const which of CHECKPOINTS)
    if (existsSync(checkpointPath(run, which))) expect((await readCheckpoint(checkpointPath(run, which))).sealed).toBe(true);
  for (const name of ['plan.json', 'run.json']) if (existsSync(join(run, name))) JSON.parse(readFileSync(join(run, name), 'utf8'));
}

function expectWords({ err, out }: Ended): void {
  expect(err + out).not.toMatch(/\n {4}at |INTERNAL|undefined|\bNaN\b/);
}

const TROUBLES = ['kill', 'interrupt', 'terminate', 'twice', 'second', 'changed'] as const;

export interface Campaign {
  readonly cli: string;
  readonly data: string;
  readonly plan: string;
  readonly root: string;
  readonly rounds: number;
  readonly random: () => number;
}

export async function campaign({ cli, data, plan, root, rounds, random }: Campaign): Promise<string[]> {
  const [alone, run] = [join(root, 'alone'), join(root, 'run')];
  await finish(cli, ['train', data, '--run', alone, '--plan', plan]);
  const before = contents(data);
  const argv = (): string[] => ['train', data, '--run', run, ...(existsSync(join(run, 'plan.json')) ? ['--resume'] : ['--plan', plan])];
  const met: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const trouble = TROUBLES[Math.floor(random() * TROUBLES.length)];
    met.push(trouble);
    if (trouble === 'changed' && existsSync(join(run, 'plan.json'))) {
      const labels = readdirSync(join(data, 'labelsTr')).map((name) => join(data, 'labelsTr', name));
      const kept = labels.map((file) => [file, readFileSync(file)] as const);
      for (const [i, [file]] of kept.entries()) writeFileSync(file, kept[(i + 1) % kept.length][1]);
      const ended = await start(cli, ...argv()).ended;
      for (const [file, bytes] of kept) writeFileSync(file, bytes);
      expectWords(ended);
      expect([ended.code, ended.err]).toEqual([3, expect.stringMatching(/not the data that the run began with/)]);
    } else {
      const process = start(cli, ...argv());
      if (random() < 0.7) await waitFor(process, () => /compiling kernels/.test(process.text()));
      await pause(random() * 2500);
      if (trouble === 'second') {
        const second = await start(cli, ...argv()).ended;
        expectWords(second);
        // Refused, unless the first was over before it began.
        if (second.code !== 0)
          expect([second.code, second.err]).toEqual([
            3,
            expect.stringMatching(/another process trains in this folder, got process \d+|holds a run already/),
          ]);
        process.child.kill('SIGKILL');
      } else {
        process.child.kill(({ kill: 'SIGKILL', interrupt: 'SIGINT', terminate: 'SIGTERM', twice: 'SIGINT' } as const)[trouble as 'kill']);
        if (trouble === 'twice') {
          await pause(30);
          process.child.kill('SIGINT');
        }
      }
      const ended = await process.ended;
      expectWords(ended);
      expect([0, 130, null]).toContain(ended.code);
    }
    await expectWhole(run);
    expect(contents(data)).toEqual(before);
  }
  await finish(cli, argv());
  await expectSameRun(run, alone);
  expect(
    readdirSync(run).filter((name) => name.startsWith('.')),
    'litter',
  ).toEqual([]);
  expect(readdirSync(join(run, 'checkpoints')).sort()).toEqual(['best.safetensors', 'final.safetensors']);
  return met;
}
