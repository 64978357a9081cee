// SPDX-License-Identifier: MIT
// What a training loop of one's own is made of: schedules, averages, clipping, saving, batches, and the summary of a network.
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { spec } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { DataLoader, type Sample } from '../../src/feed/loader.ts';
import { encodeSafetensors, parseSafetensors } from '../../src/files/safetensors.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { Conv2d } from '../../src/nn/convolution.ts';
import { ReLU } from '../../src/nn/activations.ts';
import { BatchNorm, Linear, Sequential } from '../../src/nn/layers.ts';
import { summary } from '../../src/nn/summary.ts';
import { mulScalar, square } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { WeightAverage } from '../../src/optim/average.ts';
import { clipGradNorm, clipGradValue } from '../../src/optim/clip.ts';
import { adamw, lion, rmsprop } from '../../src/optim/optimiser.ts';
import { load, save } from '../../src/optim/saved.ts';
import { cosine, multiStep, oneCycle, poly, stepDecay, warmUp, type Schedule } from '../../src/optim/schedules.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('schedules are PyTorch 2.13’s', () => {
  // [get_last_lr() before step 0, 1, 3, 5, 9, 10, 12] of torch.optim.lr_scheduler with lr 0.1
  // but for the last of the cosine, which PyTorch turns back up
  const at = [0, 1, 3, 5, 9, 10, 12];
  const rows: [string, Schedule, number[]][] = [
    ['StepLR(4, 0.5)', stepDecay(0.1, { every: 4, gamma: 0.5 }), [0.1, 0.1, 0.1, 0.05, 0.025, 0.025, 0.0125]],
    ['MultiStepLR([3, 9], 0.1)', multiStep(0.1, { milestones: [3, 9] }), [0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.001]],
    [
      'CosineAnnealingLR(10, 0.01)',
      cosine(0.1, { steps: 10, least: 0.01 }),
      [0.1, 0.097797543233, 0.081450336353, 0.055, 0.012202456767, 0.01, 0.01],
    ],
    ['PolynomialLR(10, 0.9)', poly(0.1, { steps: 10 }), [0.1, 0.090953257608, 0.072541784694, 0.053588673127, 0.012589254118, 0.0, 0.0]],
    [
      'OneCycleLR(0.1, 13)',
      oneCycle(0.1, { steps: 13 }),
      [0.004, 0.029516394846, 0.099970207147, 0.087425587706, 0.024503671767, 0.011452695451, 4e-7],
    ],
  ];
  it.each(rows)('%s', (_, rate, expected) => at.forEach((i, k) => expect(rate(i)).toBeCloseTo(expected[k], 9)));
  it('warms up', () => expect([0, 1, 3, 4, 9].map(warmUp(4, (i) => 10 + i))).toEqual([2.5, 5.5, 13, 14, 19]));
  it('refuses what is none', () => {
    expect(() => stepDecay(0.1, { every: 0 })).toThrow('stepDecay: got every 0, expected an integer of at least 1');
    expect(() => cosine(NaN, { steps: 3 })).toThrow('cosine: got lr NaN');
  });
});

const line = (): Linear => new Linear(3, 2).initialise(1);
const x = Float32Array.of(1, 2, 3);
const training = (net: Linear, opt: ReturnType<typeof adamw>, after: () => void = () => undefined) =>
  compile(
    (input) => {
      const loss = sum(square(net.forward(input.x)));
      opt.step(backward(opt.scaled(loss), net.parameters()));
      after();
      return { loss };
    },
    { x: spec([1, 3]) },
  );

it('an average of weights is that of what the weights were, and changes places with them', async () => {
  for (const decay of [undefined, 0.75]) {
    const net = line();
    const opt = adamw(net.parameters(), { lr: 0.1 });
    using average = new WeightAverage(net, decay === undefined ? {} : { decay });
    expect(() => average.exchange()).toThrow('average: holds no weights yet');
    using step = await training(net, opt, () => average.update());
    let expected = new Float32Array(6);
    for (let i = 0; i < 4; i++) {
      step.run({ x });
      const now = await net.weight.torchValues();
      const share = i === 0 ? 1 : decay === undefined ? 1 / (i + 1) : 1 - decay;
      expected = expected.map((v, k) => v + share * (now[k] - v));
    }
    const last = await net.weight.torchValues();
    const held = (await average.stateDict()).get('weight')!.data;
    expected.forEach((v, k) => expect(held[k]).toBeCloseTo(v, 5));
    average.exchange();
    expect(await net.weight.torchValues()).toEqual(held);
    average.exchange();
    expect(await net.weight.torchValues()).toEqual(last);
    opt.dispose();
  }
});

it('a young average soon forgets the first weights, and a network that it is lent to has it', async () => {
  const net = line();
  using opt = adamw(net.parameters(), { lr: 0.1 });
  using average = new WeightAverage(net, { decay: 0.15, young: true });
  const twin = new Linear(3, 2);
  expect(() => average.lend(new Linear(2, 2))).toThrow('average: weight got [2,2], expected [2,3]');
  average.lend(twin);
  expect(await twin.weight.torchValues()).toEqual(await net.weight.torchValues()); // nothing is averaged yet
  using step = await training(net, opt, () => average.update());
  let expected = new Float32Array(6);
  for (const left of [0, 1 / 11, 0.15, 0.15]) {
    step.run({ x });
    const now = await net.weight.torchValues();
    expected = expected.map((v, k) => v * left + now[k] * (1 - left));
    const held = await twin.weight.torchValues();
    expected.forEach((v, k) => expect(held[k]).toBeCloseTo(v, 5));
  }
});

it('gradients are clipped by their norm and by value', async () => {
  const out = evaluate(() => {
    const [a, b] = [tensor([3]), tensor([2, 0])];
    const grads = backward(sum(square(mulScalar(a, 1))), [a]);
    const both = new Map([...grads, [b, tensor([8, 0])]]);
    const { grads: clipped, norm } = clipGradNorm(both, 5);
    const held = clipGradValue(both, 7);
    return { a: clipped.get(a)!, b: clipped.get(b)!, norm, c: held.get(a)!, d: held.get(b)! };
  });
  const [a, b, c, d] = await Promise.all([out.a, out.b, out.c, out.d].map(async (t) => [...(await t.data())]));
  expect(await out.norm.item()).toBe(10);
  [...a, ...b].forEach((v, i) => expect(v).toBeCloseTo([3, 4, 0][i], 5));
  expect([c, d]).toEqual([[6], [7, 0]]);
});

it.each([
  ['adamw', adamw],
  ['rmsprop', rmsprop],
  ['lion', lion],
] as const)('%s goes on from what save() made as if it had not stopped', async (_, make) => {
  const options = { lr: 0.01, weightDecay: 0.1, momentum: 0.5, lossScale: true };
  const [first, second] = [line(), new Linear(3, 2).initialise(2)];
  const [a, b] = [make(first.parameters(), options), make(second.parameters(), { ...options, lr: 1 })];
  using one = await training(first, a);
  using two = await training(second, b);
  const begun = await one.run({ x }).loss.item();
  for (let i = 0; i < 3; i++) one.run({ x });
  const bytes = await save(first, a);
  load(bytes, second, b);
  const losses = [];
  for (let i = 0; i < 3; i++) losses.push(await one.run({ x }).loss.item(), await two.run({ x }).loss.item());
  for (let i = 0; i < 3; i++) expect(losses[2 * i]).toBe(losses[2 * i + 1]);
  expect(losses[4]).toBeLessThan(begun);
  const third = line();
  load(bytes, third); // the optimiser's part is left out
  expect(() => load(encodeSafetensors(new Map()), third)).toThrow('weight is missing');
  using c = make(third.parameters(), options);
  const bare = await save(first);
  expect(() => load(bare, third, c)).toThrow('load: the file holds no optimiser, got one to fill.');
  a.dispose();
  b.dispose();
});

it('a state dict goes through safetensors without a word on types', async () => {
  const net = new Sequential(new Conv2d(1, 2, 3), new BatchNorm(2)).initialise(3);
  const bytes = encodeSafetensors(await net.stateDict());
  const again = new Sequential(new Conv2d(1, 2, 3), new BatchNorm(2));
  again.loadStateDict(parseSafetensors(bytes).tensors);
  expect(await again.stateDict()).toEqual(await net.stateDict());
});

it('a summary tells names, shapes, parameters and operations', () => {
  const net = new Sequential(new Conv2d(1, 4, 3, { padding: 1, bias: true }), new ReLU(), new Linear(4, 2));
  const { rows, parameters, operations, toString } = summary(net, [spec([1, 8, 8, 1])]);
  expect(rows.map((r) => [r.name, r.kind, r.shape, r.parameters])).toEqual([
    ['', 'Sequential', [1, 8, 8, 2], 50],
    ['0', 'Conv2d', [1, 8, 8, 4], 40],
    ['1', 'ReLU', [1, 8, 8, 4], 0],
    ['2', 'Linear', [1, 8, 8, 2], 10],
  ]);
  expect([parameters, rows[1].operations, rows[3].operations]).toEqual([50, 2 * 64 * 4 * 9, 2 * 64 * 4 * 2]);
  expect(operations).toBe(rows[1].operations + rows[3].operations);
  expect(toString()).toMatch(/module +result +parameters +operations\nSequential +\[1, 8, 8, 2\] +50 +5\.63 k\n {2}0: Conv2d/);
  expect(net.path).toBe('');
  expect(summary(net).rows[0]).toMatchObject({ shape: null, parameters: 50, operations: 0 });
});

describe('DataLoader', () => {
  const source = { length: 10, get: (i: number) => ({ x: Float32Array.of(i, -i), label: Uint32Array.of(i), weight: i / 2 }) };
  const walk = async (loader: AsyncIterable<{ label: Uint32Array }>): Promise<number[][]> => {
    const out: number[][] = [];
    for await (const { label } of loader) out.push([...label]);
    return out;
  };
  it('puts samples together in order', async () => {
    const loader = new DataLoader(source, { batch: 4 });
    const batches = [];
    for await (const batch of loader) batches.push(batch);
    expect(loader.length).toBe(3);
    expect(batches[2]).toEqual({ x: Float32Array.of(8, -8, 9, -9), label: Uint32Array.of(8, 9), weight: Float32Array.of(4, 4.5) });
    expect(await walk(new DataLoader(source, { batch: 4, dropLast: true }))).toHaveLength(2);
  });
  it('shuffles by seed and epoch alone, everything once', async () => {
    const options = { batch: 5, shuffle: true, seed: 7 };
    const loader = new DataLoader(source, options);
    const [first, second] = [await walk(loader), await walk(loader)];
    expect(first.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(second).not.toEqual(first);
    const resumed = new DataLoader(source, options);
    resumed.epoch = 1;
    expect(await walk(resumed)).toEqual(second);
    expect(await walk(new DataLoader(source, { ...options, seed: 8 }))).not.toEqual(first);
  });
  it('makes a few batches ahead and no more, and says which sample failed', async () => {
    let asked = 0;
    const loader = new DataLoader({ length: 100, get: (i) => (asked++, { v: i }) }, { batch: 1, ahead: 2 });
    for await (const _ of loader) break;
    expect(asked).toBe(3);
    const ragged = { length: 2, get: (i: number): Sample => ({ x: new Float32Array(i + 1) }) };
    await expect(new DataLoader(ragged, { batch: 2 })[Symbol.asyncIterator]().next()).rejects.toThrow(
      'DataLoader: x of sample 1 is 2 in a Float32Array, expected 1 in a Float32Array, as sample 0 has it.',
    );
  });
  it('has workers make the samples', async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { parentPort } from 'node:worker_threads'; import { serveSamples } from './src/feed/worker.ts';
          const get = (i) => { if (i === 9) throw new Error('no such file'); return { label: Uint32Array.of(i) }; };
          serveSamples({ length: 10, get }, parentPort);`,
        resolveDir: process.cwd(),
        loader: 'ts',
      },
      bundle: true,
      format: 'cjs',
      platform: 'node',
      write: false,
    });
    const workers = [0, 1].map(() => new Worker(outputFiles[0].text, { eval: true }));
    try {
      const remote = { length: 9, get: (): { label: Uint32Array } => Promise.reject(new Error('here')) as never };
      expect(await walk(new DataLoader(remote, { batch: 3, workers }))).toEqual([
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
      ]);
      await expect(walk(new DataLoader({ ...remote, length: 10 }, { batch: 10, workers }))).rejects.toThrow(
        'DataLoader: sample 9: no such file',
      );
    } finally {
      await Promise.all(workers.map((w) => w.terminate()));
    }
  });
});
