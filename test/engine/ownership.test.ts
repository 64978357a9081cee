// SPDX-License-Identifier: MIT
// What belongs to whom: a step's constants to its trace, a trace to its device, shared parameters to one optimiser, memory to whoever still
// reads it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { spec } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { scope } from '../../src/engine/scope.ts';
import { tensor, zeros, type Tensor } from '../../src/engine/tensor.ts';
import { named, noGrad } from '../../src/engine/trace.ts';
import { DisposedError, StateDictError, VoxelgradError } from '../../src/errors.ts';
import { currentDevice, openDevice, type Device } from '../../src/gpu/device.ts';
import { Linear, Sequential } from '../../src/nn/layers.ts';
import { Module } from '../../src/nn/module.ts';
import { layerNorm, l2Normalize } from '../../src/ops/norm.ts';
import { add, mul, square } from '../../src/ops/pointwise.ts';
import { maxPool2d } from '../../src/ops/pool.ts';
import { batchNorm } from '../../src/ops/batch_norm.ts';
import { mean, sum } from '../../src/ops/reduce.ts';
import { adamw, sgd } from '../../src/optim/optimiser.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const live = (): number => device.memory().live;

describe('constants of a step', () => {
  const step = ({ x }: { x: Tensor }): Tensor =>
    add(mul(x, tensor([1, 2, 3, 4])), tensor(new Float32Array(1000).fill(1), { shape: [250, 4] }));

  it('go with its program, whether it was compiled, evaluated or failed', async () => {
    const before = live();
    for (let i = 0; i < 3; i++) (await compile(step, { x: spec([4]) })).dispose();
    expect(live()).toBe(before);
    const x = tensor([1, 1, 1, 1]);
    const y = evaluate(() => step({ x }));
    expect([...(await y.data()).subarray(0, 4)]).toEqual([2, 3, 4, 5]);
    for (const t of [x, y]) t.dispose();
    await expect(
      compile(
        ({ x: t }: { x: Tensor }) => {
          step({ x: t });
          throw new Error('stop');
        },
        { x: spec([4]) },
      ),
    ).rejects.toThrow('stop');
    expect(live()).toBe(before);
  });

  it('may be its result', async () => {
    const before = live();
    const y = evaluate(() => tensor([7]));
    expect(await y.item()).toBe(7);
    y.dispose();
    using p = await compile(() => ({ seven: tensor([7]) }), {});
    expect(await p.run().seven.item()).toBe(7);
    p.dispose();
    expect(live()).toBe(before);
  });

  it('lie on the device of the program, and so do parameters that wait on the host', async () => {
    const other = await openDevice();
    expect(currentDevice()).toBe(other);
    const net = new Linear(4, 2).initialise(1);
    using p = await compile(({ x }: { x: Tensor }) => add(net.forward(x), tensor([1, 2])), { x: spec([1, 4]) }, { device });
    const y = p.run({ x: new Float32Array(4) });
    expect(net.weight.storage.device).toBe(device);
    expect([...(await y.data())]).toEqual([1, 2].map((v, i) => Math.fround(v + [...bias][i])));
    other.close();
    expect(currentDevice()).toBe(device);
  });
  const bias = (() => {
    const { bias: b } = new Linear(4, 2).initialise(1);
    return (b as unknown as { host: Float32Array }).host;
  })();

  it('of another device are refused, eagerly and compiled', async () => {
    const here = tensor([1]);
    const other = await openDevice();
    const there = tensor([1]);
    expect(() => add(here, there)).toThrow(/add: got memory of another device/);
    await expect(compile(() => add(here, there), {})).rejects.toThrow(/memory of another device/);
    using p = await compile(({ x }: { x: Tensor }) => square(x), { x: spec([1]) });
    expect(() => p.run({ x: here })).toThrow(/program: input x: got memory of another device/);
    other.close();
    here.dispose();
  });
});

describe('traces', () => {
  it('refuse asynchronous functions', async () => {
    const before = live();
    await expect(
      compile(
        (async ({ x }: { x: Tensor }) => {
          await Promise.resolve();
          return square(x);
        }) as never,
        { x: spec([1]) },
      ),
    ).rejects.toThrow(/compile: got an asynchronous function/);
    const lazy = async (): Promise<Tensor> => {
      await Promise.resolve();
      return zeros([1]);
    };
    for (const f of [() => evaluate(lazy as never), () => scope(lazy), () => noGrad(lazy), () => named('a', lazy)])
      expect(f).toThrow(/got an asynchronous function/);
    await Promise.resolve();
    await new Promise((r) => {
      setTimeout(r);
    });
    device.trim();
    expect(live() - before).toBeLessThanOrEqual(4 * 16); // what the functions made after they were refused is their own
  });

  it('refuse tensors that another one made', async () => {
    let escaped: Tensor | undefined;
    evaluate(() => {
      escaped = square(tensor([1]));
      return escaped;
    }).dispose();
    await expect(compile(() => square(escaped!), {})).rejects.toThrow(/square: got a tensor that another traced step made/);
    await expect(compile(() => ({ escaped: escaped! }), {})).rejects.toThrow(/another traced step/);
    expect(() => evaluate(() => backward(escaped!, []).get(escaped!)!)).toThrow(/another traced step/);
    await expect(compile(() => undefined as never, {})).rejects.toThrow(/compile: result: got undefined, expected tensors/);
    await expect(compile(() => ({ a: [1] as never }), {})).rejects.toThrow(/compile: result a\[0\]: got 1/);
    await expect(compile(3 as never, {})).rejects.toThrow(/compile: got step 3, expected a function/);
  });
});

describe('eager ops that keep something for a gradient', () => {
  it.each<[string, () => Tensor]>([
    ['maxPool2d', () => maxPool2d(zeros([1, 4, 4, 3]), { kernel: 2 })],
    ['layerNorm', () => layerNorm(zeros([3, 4]), zeros([4]), zeros([4]))],
    ['l2Normalize', () => l2Normalize(zeros([3, 4]))],
    ['batchNorm', () => batchNorm(zeros([3, 4]), zeros([4]), zeros([4]), zeros([4]), zeros([4]), { training: true })],
  ])('%s gives it back with the result', (_, call) => {
    const before = live();
    const inputs: Tensor[] = [];
    const y = scope(() => call());
    for (const t of [y, ...inputs]) t.dispose();
    expect(live()).toBe(before);
  });
});

class Shared extends Module {
  readonly a = new Linear(4, 4);
  readonly b = this.a;
  readonly list = [this.a, new Linear(4, 2)];
  parent: Module = this; // a reference upwards is no child
  forward(x: Tensor): Tensor {
    return this.list[1].forward(this.b.forward(this.a.forward(x)));
  }
}

describe('shared parameters', () => {
  it('count once, have several names, and are named by the first', async () => {
    const net = new Shared().initialise(1);
    expect(net.countParameters()).toBe(20 + 10);
    expect([...net.namedParameters()].map(([name]) => name)).toEqual(['a.weight', 'a.bias', 'list.1.weight', 'list.1.bias']);
    expect([...net.modules()]).toHaveLength(3);
    expect(net.b.weight.name).toBe('a.weight');
    expect([...(await net.stateDict()).keys()]).toEqual([
      'a.weight',
      'a.bias',
      'b.weight',
      'b.bias',
      'list.0.weight',
      'list.0.bias',
      'list.1.weight',
      'list.1.bias',
    ]);
  });

  it('are loaded from any of their names, which may not contradict each other', async () => {
    const net = new Shared().initialise(1);
    const dict = new Map(await new Shared().initialise(2).stateDict());
    net.loadStateDict(dict);
    expect(await net.stateDict()).toEqual(dict);
    dict.set('b.bias', { shape: [4], data: Float32Array.of(1, 2, 3, 4) });
    expect(() => {
      net.loadStateDict(dict);
    }).toThrow(StateDictError);
    expect(() => {
      net.loadStateDict(dict);
    }).toThrow(/b\.bias has other values than a\.bias/);
    dict.set('b.bias', { shape: [4], data: new Float32Array(3) });
    expect(() => {
      net.loadStateDict(dict);
    }).toThrow(/b\.bias has 3 values/);
  });

  it('are optimised once, by the sum of their gradients', async () => {
    // d/dw of (w x)^2 summed over both uses: y = w (w x), dy/dw = 2 w x.
    class Twice extends Module {
      readonly first = new Linear(1, 1, { bias: false });
      readonly second = this.first;
      forward(x: Tensor): Tensor {
        return this.second.forward(this.first.forward(x));
      }
    }
    const net = new Twice().initialise(1);
    const w = (await net.first.weight.torchValues())[0];
    const opt = sgd([...net.first.parameters(), ...net.second.parameters()], { lr: 0.25 });
    using p = await compile(
      ({ x }: { x: Tensor }) => {
        const loss = sum(net.forward(x));
        opt.step(backward(loss, net.parameters()));
        return { loss };
      },
      { x: spec([1, 1]) },
    );
    p.run({ x: Float32Array.of(3) });
    expect((await net.first.weight.torchValues())[0]).toBeCloseTo(w - 0.25 * 2 * w * 3, 5);
    opt.dispose();
    expect(() => sgd([{ params: net.first.parameters() }, { params: net.second.parameters() }], { lr: 1 })).toThrow(
      /parameter first\.weight is in two groups/,
    );
  });
});

describe('optimisers', () => {
  const train = (net: Module & { forward(x: Tensor): Tensor }, opt: ReturnType<typeof sgd>) =>
    compile(
      ({ x }: { x: Tensor }) => {
        const loss = mean(square(net.forward(x)));
        opt.step(backward(loss, net.parameters()));
        return { loss };
      },
      { x: spec([1, 4]) },
    );

  it('may be made after a run; a program that was compiled before says that it reads old memory', async () => {
    const net = new Sequential(new Linear(4, 4), new Linear(4, 1)).initialise(1);
    const x = tensor([1, 2, 3, 4], { shape: [1, 4] });
    const before = await net.forward(x).data();
    using early = await compile(({ x: t }: { x: Tensor }) => net.forward(t), { x: spec([1, 4]) });
    early.run({ x });
    const opt = adamw(net.parameters(), { lr: 0.1 });
    expect([...(await net.forward(x).data())]).toEqual([...before]);
    expect(() => early.run({ x })).toThrow(/a parameter that it reads has moved.*Compile it after/);
    using p = await train(net, opt);
    p.run({ x });
    expect([...(await net.forward(x).data())]).not.toEqual([...before]);
    expect(() => adamw(net.parameters(), { lr: 0.1 })).toThrow(/parameter 0\.weight: got a second optimiser/);
    opt.dispose();
  });

  it('leave parameters and programs their memory when they go, and another one may follow', async () => {
    const before = live();
    const net = new Linear(4, 1).initialise(1);
    const first = sgd(net.parameters(), { lr: 0 });
    const x = tensor([1, 2, 3, 4], { shape: [1, 4] });
    const values = await net.weight.torchValues();
    const program = await train(net, first);
    first.dispose();
    const filler = [1, 2, 3, 4, 5, 6].map(() => tensor(new Float32Array(128).fill(NaN))); // takes what was freed
    program.run({ x });
    expect(await net.weight.torchValues()).toEqual(values);
    const second = adamw(net.parameters(), { lr: 0 });
    expect(await net.weight.torchValues()).toEqual(values);
    await expect(first.stateDict()).rejects.toThrow(DisposedError);
    program.dispose();
    second.dispose();
    for (const t of [x, net.weight, net.bias!, ...filler]) t.dispose();
    expect(live()).toBe(before);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a module', () => adamw(new Linear(1, 1) as never, { lr: 1 }), /optimiser: got params a Linear, expected a list/],
    ['nothing', () => adamw(null as never, { lr: 1 }), /optimiser: got params null, expected a list/],
    ['tensors', () => adamw([zeros([1])] as never, { lr: 1 }), /optimiser: got params\[0\]\[0\]|expected a parameter/],
    ['no options', () => adamw([], undefined as never), /optimiser: got options undefined/],
    ['a rate in words', () => adamw([], { lr: '1' } as never), /optimiser: got lr "1", expected a number/],
    ['NaN', () => adamw([], { lr: 1, weightDecay: NaN }), /optimiser: weightDecay got NaN/],
    ['an unknown option', () => adamw([], { lr: 1, decay: 1 } as never), /optimiser: got an option decay, expected lr, betas/],
  ])('refuse %s', (_, make, message) => {
    expect(make).toThrow(VoxelgradError);
    expect(make).toThrow(message);
  });
});

describe('devices', () => {
  it('closed in any order leave the last open one current', async () => {
    const [a, b] = [await openDevice(), await openDevice()];
    a.close();
    expect(currentDevice()).toBe(b);
    b.close();
    expect(currentDevice()).toBe(device);
  });
});
