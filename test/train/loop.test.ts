// SPDX-License-Identifier: MIT
// Runs that do not go straight to their end, in one process: stopped, taken up again, out of disk, out of time, out of luck with
// the device. Two small networks, a few iterations. (test/cli/kill.test.ts kills real processes.)
import fs, { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { type Dataset } from '../../src/data/dataset.ts';
import { DataError } from '../../src/errors.ts';
import { currentDevice, openDevice } from '../../src/gpu/device.ts';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { foldOf, type TrainOptions, type TrainOutcome } from '../../src/train/loop.ts';
import { train } from '../../src/io/node/run/train.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';
import { encodeSafetensors, parseSafetensors } from '../../src/files/safetensors.ts';
import { parsePlan } from '../../src/train/plan.ts';
import { readLog } from '../../src/io/node/run/log.ts';
import { scratch } from '../data/helpers.ts';
import { asVersion1 } from './plan_v1.ts';
import { slicesAlone, tinyDataset, tinyPlan, writePlan } from './tiny_run.ts';
import { voxelgrad } from '../cli/voxelgrad.ts';

const root = scratch();
const data = join(root, 'data');
let dataset: Dataset;
let alone: Map<string, ArrayLike<number>>;
const plan = (change: (plan: SanetPlan) => void = () => {}): SanetPlan =>
  tinyPlan((p) => {
    slicesAlone(p);
    change(p);
  });
const file = writePlan(root, plan());

/** One session with a device of its own; stops after iteration `until`. */
async function session(
  folder: string,
  options: {
    plan?: SanetPlan;
    resume?: boolean;
    until?: number;
    between?: TrainOptions['between'];
    cases?: Dataset;
    dataChanged?: boolean;
  } = {},
): Promise<TrainOutcome> {
  using _device = await openDevice();
  const stop = new AbortController();
  return await train({
    // await: the device closes when this function is left
    plan: options.plan ?? plan(),
    dataset: options.cases ?? dataset,
    folder,
    resume: options.resume ?? false,
    dataChanged: options.dataChanged ?? false,
    signal: stop.signal,
    ...(options.between && { between: options.between }),
    onProgress: ({ stage, done }) => {
      if (stage === 'train' && done === options.until) stop.abort();
    },
  });
}

async function weights(folder: string, which: 'final' | 'latest' = 'final'): Promise<Map<string, ArrayLike<number>>> {
  const { tensors } = await readCheckpoint(checkpointPath(folder, which));
  return new Map([...tensors].map(([name, { data: values }]) => [name, values as ArrayLike<number>]));
}

beforeAll(async () => {
  await tinyDataset(data);
  dataset = await openDataset(data);
  await session(join(root, 'alone'));
  alone = await weights(join(root, 'alone'));
});
afterEach(() => {
  vi.restoreAllMocks();
});

it('a run that goes on with a new case learns from it, and holds out what it held out before', async () => {
  const folder = join(root, 'grown');
  const before = { ...dataset, training: dataset.training.slice(1) };
  const thirds = plan((p) => {
    p.split.folds = 3;
  });
  const { fold } = await session(folder, { plan: thirds, cases: before, until: 2 });
  const grown = (await session(folder, { plan: thirds, resume: true, dataChanged: true, until: 4 })).fold;
  expect(grown).toEqual({ ...fold, train: [...fold.train, dataset.training[0].name].sort() });
  expect(grown).not.toEqual(foldOf(thirds, dataset)); // which would validate on what was learnt from
  expect((await readCheckpoint(checkpointPath(folder, 'latest'))).state.fold).toEqual(grown);
});

it('a run that would have fields that nothing reads does not begin', async () => {
  const folder = join(root, 'idle');
  const idle = tinyPlan((p) => {
    p.method.volume = 'vnet';
  });
  await expect(session(folder, { plan: idle })).rejects.toThrow(/method\.sam\.size: got 32 with method\.volume "vnet", which has no use/);
  expect(existsSync(join(folder, 'plan.json'))).toBe(false);
});

describe('a run in one go', () => {
  it('leaves plan, log, TensorBoard file and checkpoints', () => {
    const folder = join(root, 'alone');
    expect(readdirSync(folder).sort()).toEqual(['checkpoints', 'log.jsonl', 'plan.json', 'tb']);
    expect(readdirSync(join(folder, 'checkpoints')).sort()).toEqual(['best.safetensors', 'final.safetensors']);
    expect(readLog(folder).map((e) => [e.iteration, Object.keys(e).includes('loss') ? 'loss' : 'dice'])).toEqual([
      ...[1, 2, 4, 6, 8, 10, 12].map((iteration) => [iteration, 'loss']),
      [12, 'dice'],
    ]); // the first, and before every checkpoint
  });
  it('trains: the weights move', async () => {
    const first = await session(join(root, 'first'), { until: 1 });
    expect(first.finished).toBe(false);
    const early = await weights(join(root, 'first'), 'latest');
    expect([...alone.keys()]).toEqual([...early.keys()]);
    expect(
      [...alone]
        .filter(
          ([name, values]) =>
            !name.includes('_avg') && values.length > 100 && Array.from(values).every((v, i) => v === early.get(name)![i]),
        )
        .map(([name]) => name),
    ).toEqual([]);
  });
});

describe('work between iterations', () => {
  it('sees the networks as they are then, and leaves no bit changed', async () => {
    const folder = join(root, 'visited'),
      seen: [number, number][] = [];
    await session(folder, {
      between: async (iteration) =>
        iteration % 5 !== 0
          ? undefined
          : async (predictor) => {
              const [{ transverse }] = (await predictor.run([Float32Array.from({ length: 8 * 32 * 32 }, (_, i) => Math.sin(i))])) as [
                Record<string, Float32Array>,
              ];
              seen.push([iteration, transverse[0]]);
            },
    });
    expect(seen.map(([iteration]) => iteration)).toEqual([5, 10]);
    expect(seen[0][1]).not.toBe(seen[1][1]);
    expect(await weights(folder)).toEqual(alone);
  });
});

describe('a run of one fold', () => {
  it('trains on every case, and reports none held out', async () => {
    const folder = join(root, 'one_fold');
    const { fold, state } = await session(folder, {
      until: 1,
      plan: plan((p) => {
        Object.assign(p.split, { folds: 1, selectionShare: 0 });
      }),
    });
    expect([fold.train.length, fold.selection, fold.test, state.best]).toEqual([6, [], [], null]);
  });

  it('asks the regions it is trained on who votes, and says that those are no validation', async () => {
    const folder = join(root, 'votes');
    const { state } = await session(folder, {
      plan: plan((p) => {
        Object.assign(p.split, { folds: 1, selectionShare: 0 });
      }),
    });
    const found = readLog(folder).filter(({ fit, dice }) => fit ?? dice);
    expect(found.map(({ iteration, dice }) => [iteration, dice])).toEqual([[12, undefined]]);
    expect(Object.keys(found[0].fit!).sort()).toEqual(['coronal', 'ensemble', 'transverse']);
    expect(state.ensemble).toMatchObject({ learnt: true, dice: { chosen: found[0].fit!.ensemble } });
    expect(state.ensemble!.dice.chosen).toBeGreaterThanOrEqual(state.ensemble!.dice.all);
    expect((await readCheckpoint(checkpointPath(folder, 'final'))).state.ensemble).toEqual(state.ensemble);
  });
});

describe('a run that is taken up again', () => {
  it('ends with the same bits wherever it was stopped', async () => {
    const folder = join(root, 'stopped');
    await session(folder, { until: 3 });
    const second = await session(folder, { resume: true, until: 9 });
    expect(second).toMatchObject({ finished: false, state: { iteration: 9, resumed: [3] } });
    const { state } = await session(folder, { resume: true });
    expect(state.resumed).toEqual([3, 9]);
    expect(await weights(folder)).toEqual(alone);
    expect(
      readLog(folder)
        .filter((e) => !e.resumed)
        .map(({ iteration, loss, dice }) => ({ iteration, loss, dice })),
    ).toEqual(readLog(join(root, 'alone')).map(({ iteration, loss, dice }) => ({ iteration, loss, dice })));
  });

  it('goes on with what version 1 wrote, to the same bits, and refuses another plan then too', async () => {
    const folder = join(root, 'first_version');
    await session(folder, { until: 5 });
    const path = checkpointPath(folder, 'latest');
    const { tensors, metadata } = parseSafetensors(readFileSync(path), path);
    const { id: _id, ...state } = JSON.parse(metadata.state);
    writeFileSync(
      path,
      encodeSafetensors(tensors, {
        format: 'voxelgrad',
        state: JSON.stringify({ ...state, plan: 'a digest of version 1', trained: asVersion1(state.trained) }),
      }),
    );
    const written = parsePlan(JSON.parse(JSON.stringify(asVersion1(plan()))));
    await expect(
      session(folder, {
        resume: true,
        plan: plan((p) => {
          p.method.network2d.rate = 5e-4;
        }),
      }),
    ).rejects.toThrow(/method\.network2d\.rate: got 0\.0005/);
    await session(folder, { resume: true, plan: written as SanetPlan });
    expect(await weights(folder)).toEqual(alone);
  });

  it('goes on where its plan lacks a field that came later', async () => {
    const folder = join(root, 'before_a_field');
    await session(folder, { until: 5 });
    const path = checkpointPath(folder, 'latest');
    const { tensors, metadata } = parseSafetensors(readFileSync(path), path);
    const { id: _id, ...state } = JSON.parse(metadata.state);
    const { every: _every, ...annotation } = state.trained.annotation;
    const older = { ...state, plan: 'a digest of before', trained: { ...state.trained, annotation } };
    writeFileSync(path, encodeSafetensors(tensors, { format: 'voxelgrad', state: JSON.stringify(older) }));
    await expect(
      session(folder, {
        resume: true,
        plan: plan((p) => {
          p.method.network2d.rate = 5e-4;
        }),
      }),
    ).rejects.toThrow(/method\.network2d\.rate: got 0\.0005/);
    await session(folder, { resume: true });
    expect(await weights(folder)).toEqual(alone);
  });

  it('does nothing more when it was finished', async () => {
    const before = readFileSync(checkpointPath(join(root, 'alone'), 'final'));
    const { finished } = await session(join(root, 'alone'), { resume: true });
    expect(finished).toBe(true);
    expect(readFileSync(checkpointPath(join(root, 'alone'), 'final')).equals(before)).toBe(true);
    expect(await weights(join(root, 'alone'))).toEqual(alone);
  });

  it('is refused with another plan, and a folder in use is not overwritten', async () => {
    await expect(
      session(join(root, 'alone'), {
        resume: true,
        plan: plan((p) => {
          p.method.network2d.rate = 5e-4;
        }),
      }),
    ).rejects.toThrow(/plan\.json: was edited after the training[^]*: method\.network2d\.rate: got 0\.0005, expected/);
    const judged = plan((p) => {
      p.prediction.step = 0.25; // validation chooses the best checkpoint by it
    });
    await expect(session(join(root, 'alone'), { resume: true, plan: judged })).rejects.toThrow(
      /final\.safetensors: belongs to another plan.*"prediction", "evaluation".*Resume with the plan\.json/,
    );
    await expect(session(join(root, 'alone'))).rejects.toThrow(/holds a run already.*--resume/);
    expect(await weights(join(root, 'alone'))).toEqual(alone);
  });
});

describe('maxMinutes', () => {
  // A clock that goes on by 40 ms whenever it is looked at, so that the pace is known.
  const clock = (): void => {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 40));
  };
  const byClock = plan((p) => {
    Object.assign(p.training, { iterations: 10_000, maxMinutes: 0.1, selections: 1 });
  });

  it('fixes the iterations after the first ten, once, whether or not the run is stopped before and after', async () => {
    clock();
    const folder = join(root, 'clock');
    expect((await session(folder, { plan: byClock, until: 4 })).state).toMatchObject({ iteration: 4, iterations: 10_000 });
    expect((await session(folder, { plan: byClock, resume: true, until: 10 })).state.iteration).toBe(10);
    const {
      state: { iterations, pace },
    } = await readCheckpoint(checkpointPath(folder, 'latest'));
    expect(iterations).toBeGreaterThan(10);
    expect(iterations).toBeLessThan(200);
    expect(pace.iterations).toBe(8); // the first of each session compiles shaders and does not count
    vi.restoreAllMocks(); // from here on the real, much slower clock
    const later = await session(folder, { plan: byClock, resume: true, until: 12 });
    expect(later.state.iterations).toBe(iterations);
  });

  it('never goes beyond the iterations of the plan', async () => {
    clock();
    const { state } = await session(join(root, 'short'), {
      plan: plan((p) => {
        Object.assign(p.training, { iterations: 11, maxMinutes: 100 });
      }),
    });
    expect(state).toMatchObject({ iteration: 11, iterations: 11 });
  });
});

describe('trouble', () => {
  it('a full disk ends the run with a remedy; the last checkpoint is whole and goes on to the same bits', async () => {
    const folder = join(root, 'full');
    let checkpoints = 0;
    const open = fs.promises.open;
    vi.spyOn(fs.promises, 'open').mockImplementation(async (...argv) => {
      const handle = await open(...argv);
      const last = ++checkpoints === 4;
      const write: typeof handle.write = handle.write.bind(handle);
      let written = 0;
      // In the middle of the fourth, the disk is full.
      handle.write = (async (bytes: Uint8Array, ...more: []) => {
        if (last && ++written === 2) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' });
        return write(bytes, ...more);
      }) as typeof handle.write;
      return handle;
    });
    const error = await session(folder).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toMatch(
      /full\/checkpoints\/latest\.safetensors: could not be written, the disk is full\. Free some space/,
    );
    vi.restoreAllMocks();
    expect(readdirSync(join(folder, 'checkpoints'))).toEqual(['latest.safetensors']);
    expect((await readCheckpoint(checkpointPath(folder, 'latest'))).state.iteration).toBe(4);
    await session(folder, { resume: true });
    expect(await weights(folder)).toEqual(alone);
  });

  it('a damaged case is found before the first iteration, and leaves no run folder', async () => {
    const [name] = foldOf(plan(), dataset).train;
    const label = dataset.training.find((c) => c.name === name)!.label!;
    const whole = readFileSync(label);
    fs.writeFileSync(label, whole.subarray(0, whole.length - 20));
    await expect(session(join(root, 'damaged'))).rejects.toThrow(/phantom_00\d\.nii\.gz: the compressed data/);
    fs.writeFileSync(label, whole);
    expect(existsSync(join(root, 'damaged'))).toBe(false);
  });

  it('a device that is lost is opened anew, and the run ends with the same bits', async () => {
    const folder = join(root, 'lost');
    let losses = 0;
    const { code, out } = await voxelgrad(['train', data, '--run', folder, '--plan', file], (text) => {
      if (/^iteration (1|10)\//.test(text) && losses < 2) {
        losses++;
        currentDevice().gpu.destroy();
      }
    });
    expect(out).toMatch(/device was lost[^]*Going on from the last checkpoint[^]*device was lost[^]*Trained 12 iterations/);
    expect([code, losses]).toEqual([0, 2]);
    expect(await weights(folder)).toEqual(alone);
  });

  it('an adapter that keeps failing is given up', async () => {
    const { code, err } = await voxelgrad(['train', data, '--run', join(root, 'broken'), '--plan', file], (text) => {
      if (text.startsWith('compiling')) currentDevice().gpu.destroy();
    });
    expect(code).toBe(1);
    expect(err).toMatch(/device was lost/);
  });
});
