// SPDX-License-Identifier: MIT
// Training that dies: what both the short and the long test of it do.
import { expect } from 'vitest';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { readLog } from '../../src/io/node/run/log.ts';
import { Philox } from '../../src/random/philox.ts';
import { pause, savedIteration, start, waitFor, type Ended } from './processes.ts';

/** Numbers in [0, 1) that differ from run to run of the test; the seed is printed, so that a failure can be repeated. */
export function moments(): () => number {
  const seed = Date.now() % 2 ** 31;
  console.log(`moments of death: seed ${seed}`);
  const draw = new Philox(seed, 200).cursor(0, 0);
  return () => draw.uniform();
}

/** Deaths this near to the end come early in a session, or the run would be over before it. */
const NEAR = 6;

/**
 * Kills training of `total` iterations `kills` times: each time at a random moment, up to `patience` ms after it has begun or (the
 * first time, and mostly) got a checkpoint further. Returns the iterations of the last checkpoint at each death.
 */
export async function killOften(
  cli: string,
  argv: readonly string[],
  run: string,
  { kills, total, patience }: { kills: number; total: number; patience: number },
  random: () => number,
): Promise<number[]> {
  const deaths: number[] = [];
  while (deaths.length < kills) {
    const before = await savedIteration(run);
    const process = start(cli, ...argv);
    if (before < total - NEAR && (deaths.length === 0 || random() < 0.6))
      await waitFor(process, async () => (await savedIteration(run)) > before);
    await pause(random() * patience);
    process.child.kill('SIGKILL');
    const { signal, err } = await process.ended;
    expect(signal, err).toBe('SIGKILL'); // else it had ended before: too few iterations for so many deaths
    deaths.push(await savedIteration(run));
  }
  return deaths;
}

/** Both runs end with the same weights, moments and counts, bit for bit, and tell the same story. */
export async function expectSameRun(run: string, alone: string): Promise<void> {
  const [a, b] = await Promise.all([alone, run].map((folder) => readCheckpoint(checkpointPath(folder, 'final'))));
  expect(b.state.iteration).toBe(a.state.iteration);
  expect(b.state.steps).toEqual(a.state.steps);
  expect(b.state.best).toEqual(a.state.best);
  expect([...b.tensors.keys()]).toEqual([...a.tensors.keys()]);
  const bytes = ({ data }: { data: ArrayBufferView }): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  expect([...a.tensors].filter(([name, tensor]) => !bytes(tensor).equals(bytes(b.tensors.get(name)!))).map(([name]) => name)).toEqual([]);
  const story = (folder: string) =>
    readLog(folder)
      .filter((e) => !e.resumed)
      .map(({ time: _t, seconds: _s, ...entry }) => entry);
  const long = story(alone);
  expect(
    story(run).filter((e) => long.some((l) => l.iteration === e.iteration && Object.keys(l).join() === Object.keys(e).join())),
  ).toEqual(long);
}

export const finish = async (cli: string, argv: readonly string[]): Promise<Ended> => {
  const ended = await start(cli, ...argv).ended;
  expect(ended.err).not.toMatch(/error:/);
  expect(ended.code).toBe(0);
  return ended;
};

export const commandIn = (text: string): string[] => /^ {2}voxelgrad (.+)$/m.exec(text)![1].split(' ');
