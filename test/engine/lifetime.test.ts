// SPDX-License-Identifier: MIT
// Who owns what: disposal, borrowed devices, and memory that stays flat.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { create } from 'webgpu';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { backward } from '../../src/engine/autograd.ts';
import { spec } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor, Tensor } from '../../src/engine/tensor.ts';
import { DisposedError } from '../../src/errors.ts';
import { add, exp, relu, square, sub } from '../../src/ops/pointwise.ts';
import { mean } from '../../src/ops/reduce.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { Conv2d } from '../../src/nn/convolution.ts';
import { BatchNorm, Linear } from '../../src/nn/layers.ts';
import { Module } from '../../src/nn/module.ts';
import { adamw } from '../../src/optim/optimiser.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('disposal', () => {
  it('makes a tensor unusable, by name', async () => {
    const x = tensor([1, 2], { name: 'x' });
    x.dispose();
    x.dispose(); // twice is once
    expect(() => add(x, x)).toThrow(DisposedError);
    expect(() => add(x, x)).toThrow(/tensor x \[2\]: used after dispose/);
    await expect(x.data()).rejects.toThrow(DisposedError);
  });

  it('leaves views alive, and their memory until the last goes', async () => {
    const x = tensor([1, 2, 3, 4]);
    const { live } = device.memory();
    const y = reshape(x, [2, 2]);
    x.dispose();
    expect([...(await y.data())]).toEqual([1, 2, 3, 4]);
    y.dispose();
    expect(device.memory().live).toBe(live - 16);
  });

  it('makes a program unusable and gives its memory back', async () => {
    const { live } = device.memory();
    const program = await compile(({ x }: { x: Tensor }) => ({ y: exp(relu(x)) }), { x: spec([1000]) }, { fuse: false });
    const { y } = program.run({ x: new Float32Array(1000) });
    expect(device.slots.length).toBeGreaterThan(0);
    program.dispose();
    expect(() => program.run({ x: new Float32Array(1000) })).toThrow(DisposedError);
    await expect(y.data()).rejects.toThrow(DisposedError);
    expect(device.memory().live).toBe(live);
    expect(device.slots).toEqual([]);
  });

  it('frees a slot when its last program goes', async () => {
    const { live } = device.memory();
    const make = (n: number) => compile(({ x }: { x: Tensor }) => exp(relu(x)), { x: spec([n]) }, { fuse: false });
    const [small, large] = [await make(100), await make(1000)];
    const sizes = (): number[] => device.slots.map((b) => b.size);
    expect(sizes()).toEqual([4000, 400]);
    const other = await make(500);
    small.dispose();
    expect(sizes()).toEqual([4000]);
    large.dispose();
    expect(sizes()).toEqual([4000]);
    other.dispose();
    expect(device.memory().live).toBe(live);
  });

  it('leaves the tensors that a program reads by reference', async () => {
    const { live } = device.memory();
    const x = tensor([1, 2, 3, 4]);
    using program = await compile(() => square(x), {});
    x.dispose();
    const other = tensor([9, 9, 9, 9]); // would take the memory of x
    expect([...(await program.run().data())]).toEqual([1, 4, 9, 16]);
    other.dispose();
    program.dispose();
    expect(device.memory().live).toBe(live);
  });
});

it('never destroys a borrowed device, and can let go of it', async () => {
  const gpu = create([]);
  const raw = await (await gpu.requestAdapter())!.requestDevice({ requiredFeatures: ['subgroups'] });
  let lost = false;
  void raw.lost.then(() => {
    lost = true;
  });
  const borrowed = await openDevice({ gpuDevice: raw });
  const shared = raw.createBuffer({ size: 16, usage: 0x80 | 0x8 | 0x4 });
  raw.queue.writeBuffer(shared, 0, Float32Array.of(1, 2, 3, 4));
  const x = Tensor.fromBuffer(shared, spec([4]), { device: borrowed });
  expect([...(await square(x).data())]).toEqual([1, 4, 9, 16]);
  x.dispose();
  const ours = tensor([1, 2]).storage.buffer;
  let destroyed = 0;
  const destroy = ours.destroy.bind(ours);
  ours.destroy = () => {
    destroyed++;
    destroy();
  };
  borrowed.close();
  expect(destroyed).toBe(1);
  expect(borrowed.memory().buffers).toBe(0);
  raw.queue.writeBuffer(shared, 0, Float32Array.of(5)); // the caller's buffer is alive too
  await raw.queue.onSubmittedWorkDone();
  expect(lost).toBe(false);
  expect(() => borrowed.check()).toThrow(DisposedError);
  raw.destroy();
  await raw.lost;
  device.close(); // the borrowed one had become the current device
  device = await openDevice();
});

class Tiny extends Module {
  readonly first = new Linear(4, 8);
  readonly last = new Linear(8, 1);
  forward(x: Tensor): Tensor {
    return this.last.forward(relu(this.first.forward(x)));
  }
}

class Convolutional extends Module {
  readonly conv1 = new Conv2d(2, 8, 3, { padding: 1 });
  readonly bn1 = new BatchNorm(8);
  readonly conv2 = new Conv2d(8, 8, 3, { stride: 2, padding: 1 });
  readonly bn2 = new BatchNorm(8);
  readonly head = new Linear(8, 1);
  forward(x: Tensor): Tensor {
    const y = this.bn1.forward(this.conv1.forward(x), { relu: true });
    return this.head.forward(mean(this.bn2.forward(this.conv2.forward(y), { relu: true }), { axes: [1, 2] }));
  }
}

describe('memory stays flat', () => {
  const flags = (): (() => void) => {
    setFlagsFromString('--expose-gc');
    return runInNewContext('gc') as () => void;
  };
  const net = new Convolutional();
  const images = { x: Float32Array.from({ length: 4 * 8 * 8 * 2 }, (_, i) => Math.sin(i * i)), y: Float32Array.of(0, 1, -1, 2) };
  const data = { x: Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)), y: Float32Array.from({ length: 16 }, (_, i) => Math.cos(i)) };

  it('over 1,000 training steps with convolution and batch norm', async () => {
    const gc = flags();
    net.initialise(1);
    const opt = adamw(net.parameters(), { lr: 1e-2, clipNorm: 1 });
    using program = await compile(
      ({ x, y }: { x: Tensor; y: Tensor }) => {
        const loss = mean(square(sub(net.forward(x), y)));
        opt.step(backward(loss, net.parameters()));
        return { loss };
      },
      { x: spec([4, 8, 8, 2]), y: spec([4, 1]) },
    );
    const steps = async (n: number): Promise<void> => {
      for (let i = 0; i < n; i++) {
        program.run(images);
        if (i % 20 === 0) await device.sync();
      }
    };
    const measure = async () => {
      await device.sync();
      gc();
      await new Promise((done) => {
        setTimeout(done, 10);
      });
      gc();
      return { gpu: device.memory(), host: process.memoryUsage() };
    };
    const first = await program.run(images).loss.item();
    await steps(1500);
    const start = await measure();
    await steps(1000);
    const end = await measure();
    expect(end.gpu).toEqual(start.gpu);
    expect(end.host.heapUsed - start.host.heapUsed).toBeLessThan(1 << 20);
    expect(end.host.rss - start.host.rss).toBeLessThan(8 << 20); // measured: 0 to 3.5 MiB in each of 8,000 steps' thousands
    expect(await program.run(images).loss.item()).toBeLessThan(first / 2);
    opt.dispose();
  });

  it('over eager steps with gradients', async () => {
    const own = new Tiny().initialise(2);
    const input = { x: tensor(data.x, { shape: [16, 4] }), y: tensor(data.y, { shape: [16, 1] }) };
    const opt = adamw(own.parameters(), { lr: 1e-2 });
    const once = (): void => {
      const { loss } = evaluate(() => {
        const l = mean(square(sub(own.forward(input.x), input.y)));
        opt.step(backward(l, own.parameters()));
        return { loss: l };
      });
      loss.dispose();
    };
    for (let i = 0; i < 3; i++) once();
    await device.sync();
    const start = device.memory();
    for (let i = 0; i < 20; i++) once();
    await device.sync();
    expect(device.memory()).toEqual(start);
    opt.dispose();
  });
});
