// SPDX-License-Identifier: MIT
// Eager backward: what a PyTorch user writes, with the numbers of the compiled step bit for bit, and no memory left behind.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as vg from '../../src/index.ts';

let device: vg.Device;
beforeAll(async () => {
  device = await vg.openDevice();
});
afterAll(() => device.close());

class Net extends vg.Module {
  readonly first = new vg.Conv2d(1, 4, 3, { padding: 1 });
  readonly norm = new vg.BatchNorm(4);
  readonly tokens = new vg.TransformerEncoderLayer(4, 2, { feedForward: 8, dropout: 0 });
  readonly last = new vg.Linear(4, 3);
  forward(x: vg.Tensor): vg.Tensor {
    const y = vg.maxPool2d(vg.relu(this.norm.forward(this.first.forward(x))), { kernel: 2 });
    const [b, h, w, c] = y.shape as [number, number, number, number];
    return this.last.forward(vg.mean(this.tokens.forward(vg.reshape(y, [b, h * w, c])), { axes: 1 }));
  }
}
const image = Float32Array.from({ length: 2 * 6 * 6 }, (_, i) => Math.sin(i * 1.7));
const label = Uint32Array.of(2, 0);
const STEPS = 3;

describe.each([
  ['adamw', { lr: 0.01, weightDecay: 0.1, clipNorm: 0.5 }],
  ['sgd', { lr: 0.1, momentum: 0.9 }],
  ['rmsprop', { lr: 0.01 }],
  ['lion', { lr: 0.01 }],
] as const)('%s', (kind, options) => {
  const start = () => {
    const net = new Net().initialise(3);
    return { net, optimiser: vg[kind](net.parameters(), options) };
  };
  it('learns what the compiled step learns, bit for bit', async () => {
    const compiled = start();
    const program = await vg.compile(
      ({ x, t }) => {
        const loss = vg.crossEntropy(compiled.net.forward(x), t);
        const clip = compiled.optimiser.step(vg.backward(loss, compiled.net.parameters()));
        return { loss, clip };
      },
      { x: vg.spec([2, 6, 6, 1]), t: vg.spec([2], 'u32') },
    );
    const eager = start();
    const x = vg.tensor(image, { shape: [2, 6, 6, 1] });
    const t = vg.tensor(label, { dtype: 'u32' });
    for (let i = 0; i < STEPS; i++) {
      const expected = program.run({ x: image, t: label });
      const loss = vg.crossEntropy(eager.net.forward(x), t);
      eager.optimiser.zeroGrad();
      loss.backward();
      const clip = eager.optimiser.step();
      expect([await loss.item(), ...(await clip.data())]).toEqual([await expected.loss.item(), ...(await expected.clip.data())]);
      loss.dispose();
    }
    const [a, b] = [await compiled.net.stateDict(), await eager.net.stateDict()];
    for (const [name, { data }] of a) expect(b.get(name)!.data, name).toEqual(data);
    expect(eager.optimiser.steps).toBe(STEPS);
    program.dispose();
    for (const { optimiser } of [compiled, eager]) optimiser.dispose();
    for (const tensor of [x, t]) tensor.dispose();
  });
});

describe('gradients', () => {
  it('are those of a PyTorch session', async () => {
    using x = vg.tensor([1, 2, 3], { requiresGrad: true });
    using w = vg.tensor([[2], [0.5], [-1]]);
    w.requiresGrad = true;
    using y = vg.scope(() => x.reshape([1, 3]).matmul(w).add(x.square().sum()).sum());
    y.backward();
    expect([...(await x.grad!.data())]).toEqual([4, 4.5, 5]);
    expect([...(await w.grad!.data())]).toEqual([1, 2, 3]);
    expect(w.grad!.shape).toEqual([3, 1]);
  });

  it('add up over losses until zeroGrad, and outlive the scope they came in', async () => {
    using x = vg.tensor([3], { requiresGrad: true });
    for (const expected of [6, 12]) {
      vg.scope(() => {
        x.square().sum().backward();
      });
      expect(await x.grad!.item()).toBe(expected);
    }
    x.zeroGrad();
    expect(x.grad).toBeNull();
  });

  it('flow where a value is used twice, and not through noGrad, detach or integers', async () => {
    using x = vg.tensor([2], { requiresGrad: true });
    vg.scope(() => {
      const y = x.mul(x); // 2x
      const z = y.add(y.mul(x.detach())); // 2x + 2x x
      z.add(vg.noGrad(() => x.square()))
        .mul(x.cast('u32').cast('f32'))
        .sum()
        .backward();
    });
    expect(await x.grad!.item()).toBe((4 + 8) * 2);
    expect(vg.scope(() => x.detach()).requiresGrad).toBe(false);
    expect(vg.noGrad(() => x.square()).requiresGrad).toBe(false);
    expect(vg.scope(() => x.square()).requiresGrad).toBe(true);
  });

  it('of a loss that is itself what requires one', async () => {
    using x = vg.tensor(5, { requiresGrad: true });
    x.backward();
    expect(await x.grad!.item()).toBe(1);
  });

  it('are two tensors where two inputs get the same', async () => {
    const a = vg.tensor([1], { requiresGrad: true });
    using b = vg.tensor([2], { requiresGrad: true });
    vg.scope(() => {
      a.add(b).sum().backward();
    });
    a.dispose();
    expect(await b.grad!.item()).toBe(1);
  });

  it('keep the micro-batches of accumulate() apart from those of backward()', () => {
    using p = new vg.Parameter([1], vg.init.constant(0));
    p.setTorchValues(Float32Array.of(1));
    using optimiser = vg.sgd([p], { lr: 1 });
    optimiser.accumulate(new Map([[p, vg.tensor([2])]]));
    optimiser.step();
    vg.scope(() => {
      p.square().sum().backward();
    });
    expect(() => optimiser.step(new Map([[p, p.grad!]]))).toThrow(/both step\(grads\) and accumulate/);
  });
});

describe('memory', () => {
  const used = (): number => device.memory().live;

  it('of what a loss depends on goes with backward, or with the loss', () => {
    using x = vg.tensor(new Float32Array(1000), { requiresGrad: true });
    const before = used();
    const chain = (): vg.Tensor => vg.scope(() => x.square().exp().mul(x).sum());
    const loss = chain();
    expect(used()).toBeGreaterThan(before + 3 * 4000); // what the gradient reads
    loss.dispose();
    expect(used()).toBe(before);
    const again = chain();
    again.backward();
    expect(used()).toBe(before + 4000 + 16); // the gradient, the loss
    again.dispose();
    x.zeroGrad();
    expect(used()).toBe(before);
  });

  it('is not held where nothing requires a gradient, or inside noGrad', () => {
    using x = vg.tensor(new Float32Array(1000));
    using w = vg.tensor(new Float32Array(1000), { requiresGrad: true });
    const before = used();
    const results = [vg.scope(() => x.square().exp().sum()), vg.noGrad(() => vg.scope(() => w.square().exp().sum()))];
    expect(used()).toBe(before + 2 * 16);
    for (const t of results) t.dispose();
  });

  it('of a gradient that fails goes too', () => {
    using x = vg.tensor([1.5, 2], { requiresGrad: true });
    const before = used();
    const loss = vg.scope(() => x.floor().square().sum());
    expect(() => {
      loss.backward();
    }).toThrow(vg.MissingGradientError);
    loss.dispose();
    expect(used()).toBe(before);
  });
});

describe('misuse says what is wrong', () => {
  const x = (): vg.Tensor => vg.tensor([1, 2], { requiresGrad: true });
  const squared = (t: vg.Tensor): vg.Tensor => vg.scope(() => t.square().sum());

  it.each<[string, RegExp, () => void]>([
    [
      'twice',
      /second backward\(\) through/,
      () => {
        const loss = squared(x());
        loss.backward();
        loss.backward();
      },
    ],
    [
      'through a part that another has used',
      /second backward\(\) through mul|second backward\(\) through square/,
      () => {
        const shared = x().square();
        shared.sum().backward();
        shared.mean().backward();
      },
    ],
    [
      'of several elements',
      /loss has shape \[2\], expected one element/,
      () => {
        x().square().backward();
      },
    ],
    [
      'of what requires none',
      /depends on no tensor that requires a gradient/,
      () => {
        vg.tensor([1]).sum().backward();
      },
    ],
    [
      'of what noGrad made',
      /depends on no tensor/,
      () => {
        vg.noGrad(() => squared(x())).backward();
      },
    ],
    [
      'of a loss that is gone',
      /used after dispose/,
      () => {
        const loss = squared(x());
        loss.dispose();
        loss.backward();
      },
    ],
    [
      'in a traced step',
      /loss\.backward\(\) is for eager tensors.*traced step/,
      () => {
        vg.evaluate(() => {
          const loss = vg.tensor([1]).square().sum();
          loss.backward();
          return loss;
        });
      },
    ],
    [
      'the other backward outside of one',
      /outside of a traced step/,
      () => {
        const t = x();
        vg.backward(squared(t), [t]);
      },
    ],
    [
      'values that were overwritten',
      /overwritten after .* had read or made it/,
      () => {
        const t = x();
        const loss = squared(t);
        t.write(Float32Array.of(5, 5));
        loss.backward();
      },
    ],
    [
      'integers',
      /got dtype u32, expected f32 or f16/,
      () => {
        vg.tensor([1], { dtype: 'u32', requiresGrad: true });
      },
    ],
    [
      'a result',
      /expected a tensor that no op made/,
      () => {
        x().square().requiresGrad = false;
      },
    ],
  ])('%s', (_, message, f) => {
    expect(f).toThrow(message);
  });

  it('and so does an optimiser', () => {
    using p = new vg.Parameter([2], vg.init.constant(0));
    p.setTorchValues(Float32Array.of(1, 2));
    using optimiser = vg.sgd([p], { lr: 1 });
    expect(() => optimiser.step()).toThrow(/no backward\(\) before it/);
    const loss = squared(p);
    squared(p).backward();
    optimiser.step();
    expect(() => {
      loss.backward();
    }).toThrow(/overwritten after/);
  });

  it('what a gradient does not read may change', async () => {
    using t = x();
    const loss = vg.scope(() => t.add(1).sum());
    t.write(Float32Array.of(5, 5));
    loss.backward();
    expect([...(await t.grad!.data())]).toEqual([1, 1]);
  });
});
