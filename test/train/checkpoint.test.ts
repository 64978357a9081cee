// SPDX-License-Identifier: MIT
// Checkpoints as files: any flipped bit is seen, values that are no numbers are named, what is written is what was there when it was asked
// for.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { zeros } from '../../src/engine/tensor.ts';
import { AtomicWriter } from '../../src/files/atomic_writer.ts';
import { encodeSafetensors } from '../../src/files/safetensors.ts';
import { writeSealed, type LazyTensor } from '../../src/files/sealed.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { layoutReadback, Readback } from '../../src/gpu/readback.ts';
import { anywhere } from '../../src/io/node/run/folder.ts';
import type { StateEntry } from '../../src/nn/module.ts';
import { keepWeights, readCheckpoint, readState, saveCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { Snapshot, stateIn, type RunState } from '../../src/train/checkpoint.ts';
import { networkList } from '../../src/methods/method.ts';
import { buildNetworks, buildOptimisers } from '../../src/train/networks.ts';
import { scratch } from '../data/helpers.ts';
import { posix } from '../needs.ts';
import { initialiseFrom, slicesAlone, tinyPlan } from './tiny_run.ts';
import { voxelgrad } from '../cli/voxelgrad.ts';

const root = scratch();
const at = (name: string): string => join(root, name);
const state: RunState = {
  version: 1,
  id: 'abcd',
  iteration: 3,
  iterations: 9,
  plan: 'p',
  steps: {},
  best: null,
  seconds: 1,
  stages: { compile: 0, train: 1, validate: 0 },
  pace: { iterations: 0, seconds: 0 },
  resumed: [],
  adapter: 'a',
};
const metadata = { format: 'voxelgrad', state: JSON.stringify(state) };
const tensor = (name: string, values: number[]): LazyTensor => ({
  name,
  dtype: 'F32',
  shape: [values.length],
  values: () => Float32Array.from(values),
});
async function seal(
  path: string,
  others: readonly string[],
  tensors: readonly LazyTensor[],
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  await using file = await AtomicWriter.open(path, others);
  await writeSealed(file, tensors, metadata);
}

describe('a checkpoint file', () => {
  it('is read as one file, though a run puts another in its place between two reads', async () => {
    const files: Uint8Array[] = [];
    for (const adapter of ['a', 'a'.repeat(99)]) {
      await seal(at('turns'), [], [tensor('sam.a', [1])], { format: 'voxelgrad', state: JSON.stringify({ ...state, adapter }) });
      files.push(readFileSync(at('turns')));
    }
    const turning = {
      ...anywhere,
      read: async (_: string, bytes?: number) => (files.length > 1 ? files.shift()! : files[0]).subarray(0, bytes),
    };
    expect((await stateIn(turning, 'turns')).adapter).toBe('a'.repeat(99));
  });

  it('is refused with any one bit flipped, and wherever it was cut', async () => {
    await seal(at('whole'), [], [tensor('sam.a', [1, 2, 3]), tensor('sam.b', [-0.5])], metadata);
    const whole = readFileSync(at('whole'));
    expect((await readCheckpoint(at('whole'))).sealed).toBe(true);
    const taken: string[] = [];
    for (let bit = 0; bit < 8 * whole.length; bit += 5) {
      // every byte, and every place in it
      const damaged = Buffer.from(whole);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(at('damaged'), damaged);
      await readCheckpoint(at('damaged')).then(
        () => taken.push(`bit ${bit}`),
        (error: Error) => {
          if (!error.message.startsWith(at('damaged'))) throw error;
        },
      );
    }
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(at('damaged'), whole.subarray(0, length));
      await readCheckpoint(at('damaged')).then(
        () => taken.push(`${length} bytes`),
        () => {},
      );
    }
    expect(taken).toEqual([]);
  });

  it('whose state has fields of another type, or nests without end, is refused', async () => {
    for (const wrong of [
      { iteration: '3' },
      { iterations: -1 },
      { best: 0.5 },
      { steps: [1] },
      { resumed: {} },
      { version: 2 },
      { tiles: { a: 1 } },
    ]) {
      await seal(at('typed'), [], [tensor('sam.a', [1])], { format: 'voxelgrad', state: JSON.stringify({ ...state, ...wrong }) });
      for (const read of [readCheckpoint, readState]) await expect(read(at('typed'))).rejects.toThrow(/typed: holds no state of a run/);
    }
    await seal(at('deep'), [], [tensor('sam.a', [1])], { format: 'voxelgrad', state: `${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}` });
    await expect(readState(at('deep'))).rejects.toThrow(/deep: holds no state of a run/);
  });

  posix.it('that is a FIFO is refused without being opened', async () => {
    expect(spawnSync('mkfifo', [at('fifo')]).status).toBe(0);
    await expect(readState(at('fifo'))).rejects.toThrow(/fifo: cannot be read, got a FIFO/);
    await expect(readCheckpoint(at('fifo'))).rejects.toThrow(/fifo: cannot be read/);
  });

  it('of an older version, without a checksum, is read and says so', async () => {
    const { id: _id, ...old } = state;
    writeFileSync(
      at('old'),
      encodeSafetensors(new Map([['sam.a', { dtype: 'F32' as const, shape: [1], data: Float32Array.of(1) }]]), {
        format: 'voxelgrad',
        state: JSON.stringify(old),
      }),
    );
    expect(await readCheckpoint(at('old'))).toMatchObject({ sealed: false, state: { iteration: 3 } });
  });

  it('with values that are no numbers is refused by the name of their tensor', async () => {
    for (const value of [NaN, Infinity, -Infinity]) {
      await seal(at('nan'), [], [tensor('sam.good', [1]), tensor('exp_avg.sam.bad', [0, 0, value])], metadata);
      await expect(readCheckpoint(at('nan'))).rejects.toThrow(
        `nan: tensor "exp_avg.sam.bad": value 2, got ${value}, expected a finite number`,
      );
    }
  });

  it('of a run that is over keeps its weights alone where they are not the last', async () => {
    await seal(at('over'), [], [tensor('sam.a', [1]), tensor('exp_avg.sam.a', [2]), tensor('loss_scale.sam', [3])], metadata);
    await keepWeights(at('over'), ['sam']);
    const { tensors, sealed, state: kept } = await readCheckpoint(at('over'));
    expect([[...tensors.keys()], sealed, kept]).toEqual([['sam.a'], true, state]);
  });

  it('stands under two names as one, each old or new', async () => {
    for (const value of [1, 2]) await seal(at('latest'), [at('best')], [tensor('sam.a', [value])], metadata);
    expect(readFileSync(at('best')).equals(readFileSync(at('latest')))).toBe(true);
    expect(statSync(at('best')).ino).toBe(statSync(at('latest')).ino);
    const before = readFileSync(at('best'));
    await expect(
      seal(
        at('latest'),
        [at('best')],
        [
          tensor('sam.a', [3]),
          {
            name: 'b',
            dtype: 'F32',
            shape: [1],
            values: () => {
              throw new Error('lost');
            },
          },
        ],
        metadata,
      ),
    ).rejects.toThrow('lost');
    for (const name of ['best', 'latest']) expect(readFileSync(at(name)).equals(before)).toBe(true);
    expect(readdirSync(root).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('a snapshot', () => {
  const plan = tinyPlan();

  it('of all networks comes back in at most six pieces, with the values of its moment', async () => {
    using device = await openDevice();
    const nets = buildNetworks(plan);
    const optimisers = buildOptimisers(plan, nets);
    const created = vi.spyOn(device.gpu, 'createBuffer');
    await saveCheckpoint(at('one'), nets, optimisers, state);
    expect(created.mock.calls.filter(([{ label }]) => label === 'readback').length).toBeLessThanOrEqual(6);
    using snapshot = new Snapshot(nets, optimisers);
    for (const { net } of networkList(nets))
      for (const [, param] of net.namedParameters()) param.write(new Float32Array(param.size).fill(7));
    await snapshot.write(anywhere, [at('two')], state);
    expect(readFileSync(at('two')).equals(readFileSync(at('one')))).toBe(true);
    // What is read back tensor by tensor is the same.
    await saveCheckpoint(at('three'), nets, optimisers, state);
    const { tensors } = await readCheckpoint(at('three'));
    const bytes = ({ data }: { data: ArrayBufferView }): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const wrong: string[] = [];
    const compare = (key: string, entry: StateEntry): void => {
      if (entry.shape.join() !== tensors.get(key)!.shape.join() || !bytes(entry).equals(bytes(tensors.get(key)!))) wrong.push(key);
    };
    for (const { name, net } of networkList(nets)) for (const [key, entry] of await net.stateDict()) compare(`${name}.${key}`, entry);
    for (const optimiser of optimisers.values()) for (const [key, entry] of await optimiser.stateDict()) compare(key, entry);
    expect(wrong).toEqual([]);
  });

  it('with values that are no numbers is not written over one that has none', async () => {
    using device = await openDevice();
    expect(device.isLost).toBe(false);
    const small = tinyPlan(slicesAlone);
    const nets = buildNetworks(small);
    const optimisers = buildOptimisers(small, nets);
    await saveCheckpoint(at('kept'), nets, optimisers, state);
    const before = readFileSync(at('kept'));
    const [key, param] = [...nets.transverse.namedParameters()][0];
    param.write(new Float32Array(param.size).fill(NaN));
    await expect(saveCheckpoint(at('kept'), nets, optimisers, state)).rejects.toThrow(
      `kept: not written, for transverse.${key} after 3 iterations: value 0, got NaN`,
    );
    expect(readFileSync(at('kept')).equals(before)).toBe(true);
  });

  it('cannot be begun from with such values either', async () => {
    using device = await openDevice();
    expect(device.isLost).toBe(false);
    const nets = buildNetworks(plan);
    const [key, { torchShape, size }] = [...nets.transverse.namedParameters()][0];
    writeFileSync(
      at('foreign.safetensors'),
      encodeSafetensors(
        new Map([[`transverse.${key}`, { dtype: 'F32' as const, shape: torchShape, data: new Float32Array(size).fill(Infinity) }]]),
      ),
    );
    await expect(initialiseFrom(plan, nets, at('foreign.safetensors'))).rejects.toThrow(
      `tensor "transverse.${key}": value 0, got Infinity, expected a finite number`,
    );
  });
});

describe('ranges read back', () => {
  it('lie side by side where they are neighbours, in buffers of bounded size', () => {
    const [a, b] = [{}, {}] as GPUBuffer[];
    const { copies, places, sizes } = layoutReadback([
      { buffer: a, offset: 512, bytes: 10 },
      { buffer: b, offset: 0, bytes: 2 ** 28 },
      { buffer: a, offset: 0, bytes: 300 },
      { buffer: b, offset: 2 ** 28, bytes: 2 ** 28 + 4 },
      { buffer: a, offset: 2 ** 20, bytes: 4 },
    ]);
    expect(copies.map(({ buffer, offset, bytes }) => [buffer === a ? 'a' : 'b', offset, bytes])).toEqual([
      ['a', 0, 524],
      ['a', 2 ** 20, 4],
      ['b', 0, 2 ** 28],
      ['b', 2 ** 28, 2 ** 28 + 4],
    ]);
    expect(places).toEqual([
      { staging: 0, at: 512 },
      { staging: 0, at: 528 },
      { staging: 0, at: 0 },
      { staging: 1, at: 0 },
      { staging: 0, at: 524 },
    ]);
    expect(sizes).toEqual([528 + 2 ** 28, 2 ** 28 + 4]);
  });

  it('are what each alone would be, of odd lengths too', async () => {
    using device = await openDevice();
    using x = zeros([1000]);
    x.write(Float32Array.from({ length: 1000 }, (_, i) => i));
    const { buffer } = x.storage;
    const ranges = [
      [0, 4],
      [8, 6],
      [400, 1200],
      [12, 4],
    ].map(([offset, bytes]) => ({ buffer, offset: offset, bytes: bytes }));
    using together = new Readback(device, ranges);
    const views = await together.views();
    for (const [i, { offset, bytes }] of ranges.entries())
      expect(Buffer.from(views[i]).equals(Buffer.from(await device.read(buffer, offset, bytes)))).toBe(true);
  });
});

describe('predict', () => {
  it('refuses a run whose checkpoint is damaged or not finite, and writes no mask', async () => {
    mkdirSync(at('run/checkpoints'), { recursive: true });
    writeFileSync(at('run/plan.json'), JSON.stringify(tinyPlan()));
    mkdirSync(at('scans'));
    const predict = async (): Promise<string> => {
      const { code, err } = await voxelgrad(['predict', '-i', at('scans'), '-o', at('masks'), '--run', at('run')]);
      expect(code).toBe(3);
      return err;
    };
    await seal(at('run/checkpoints/best.safetensors'), [], [tensor('sam.a', [NaN])], metadata);
    writeFileSync(at('scans/x.nii.gz'), '');
    expect(await predict()).toMatch(/best\.safetensors: tensor "sam\.a": value 0, got NaN/);
    await seal(at('run/checkpoints/best.safetensors'), [], [tensor('sam.a', [1])], metadata);
    const bytes = readFileSync(at('run/checkpoints/best.safetensors'));
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(at('run/checkpoints/best.safetensors'), bytes);
    expect(await predict()).toMatch(/best\.safetensors: damaged, its bytes are not those that were written \(checksum\)/);
    expect(readdirSync(root)).not.toContain('masks');
  });
});
