// SPDX-License-Identifier: MIT
// What the device can do to us: it goes away, it is full, its limits are met, it reports an error. Always a typed error
// with what to do, in time, and the next device works.
import { afterEach, describe, expect, it } from 'vitest';
import { openDevice, type Device, type DeviceOptions } from '../../src/gpu/device.ts';
import { packParams } from '../../src/gpu/params.ts';
import { pointwise } from '../../src/gen/pointwise.ts';
import { spec } from '../../src/engine/dtype.ts';
import { defineOp, dispatch, grid1d } from '../../src/engine/op.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor, Tensor } from '../../src/engine/tensor.ts';
import { DeviceLostError, LimitError, VoxelgradError } from '../../src/errors.ts';
import { exp, relu, square } from '../../src/ops/pointwise.ts';
import { matmul } from '../../src/ops/matmul.ts';

const opened: Device[] = [];
const open = async (options?: DeviceOptions): Promise<Device> => {
  const d = await openDevice(options);
  opened.push(d);
  return d;
};
afterEach(() => {
  for (const d of opened.splice(0)) d.close();
});

const caught = async (f: () => unknown): Promise<VoxelgradError> => {
  try {
    await f();
  } catch (e) {
    expect(e).toBeInstanceOf(VoxelgradError);
    return e as VoxelgradError;
  }
  throw new Error('nothing was thrown');
};

describe('device lost', () => {
  it('in the middle of a run: data() says so and what to do, and a new device works', async () => {
    const device = await open();
    using program = await compile(
      ({ x }: { x: Tensor }) => {
        let y = x;
        for (let i = 0; i < 40; i++) y = matmul(y, x);
        return y;
      },
      { x: spec([128, 128]) },
    );
    const feed = { x: new Float32Array(128 * 128).fill(0.001) };
    const y = program.run(feed);
    const reading = y.data();
    device.gpu.destroy();
    const error = await caught(() => reading);
    expect(error).toBeInstanceOf(DeviceLostError);
    expect(error.hint).toMatch(/[Oo]pen a new device/);
    await device.gpu.lost;
    expect(device.isLost).toBe(true);
    expect(await caught(() => program.run(feed))).toBeInstanceOf(DeviceLostError);
    expect(await caught(() => device.sync())).toBeInstanceOf(DeviceLostError);
    expect(await caught(() => tensor([1, 2]).data())).toBeInstanceOf(DeviceLostError);
    await open();
    expect([...(await square(tensor([3])).data())]).toEqual([9]);
  });

  it('between a run and reading', async () => {
    const device = await open();
    const y = exp(tensor([1, 2, 3]));
    device.gpu.destroy();
    expect(await caught(() => y.data())).toBeInstanceOf(DeviceLostError);
  });

  it('while compiling', async () => {
    const device = await open();
    const compiling = compile(({ x }: { x: Tensor }) => exp(square(x)), { x: spec([8]) });
    device.gpu.destroy();
    const error = await caught(async () => (await compiling).run({ x: new Float32Array(8) }).data());
    expect(error).toBeInstanceOf(DeviceLostError);
  });
});

describe('memory budget', () => {
  it('refuses a tensor before the driver is asked, and what is there stays usable', async () => {
    const device = await open({ memoryBudget: 1 << 20 });
    const x = tensor(new Float32Array(1 << 16).fill(2));
    const error = await caught(() => tensor(new Float32Array(1 << 18), { name: 'large' }));
    expect(error).toBeInstanceOf(LimitError);
    expect(error.message).toMatch(/^large: .*memory budget.*got \d+ bytes in use, expected at most 1048576/);
    expect(error.hint).toMatch(/smaller batch|memoryBudget/);
    expect((await square(x).data())[5]).toBe(4);
    expect(device.memory().peak).toBeLessThanOrEqual(1 << 20);
  });

  it('refuses a program, and gives back what it had taken', async () => {
    const device = await open({ memoryBudget: 1 << 20 });
    const { live } = device.memory();
    const step = ({ x }: { x: Tensor }): Tensor => square(matmul(exp(x), exp(x)));
    expect(await caught(() => compile(step, { x: spec([300, 300]) }, { fuse: false }))).toBeInstanceOf(LimitError);
    const slots = device.slots.reduce((s, b) => s + b.size, 0);
    expect(device.memory().live - slots).toBe(live);
    using small = await compile(step, { x: spec([8, 8]) });
    expect((await small.run({ x: new Float32Array(64) }).data())[0]).toBe(64);
  });

  it('reuses freed memory and trims what it keeps before it refuses', async () => {
    const device = await open({ memoryBudget: 1 << 20 });
    for (let i = 0; i < 40; i++) tensor(new Float32Array(50_000 + 100 * i)).dispose();
    expect(device.memory().live).toBe(0);
    expect(device.memory().peak).toBeLessThanOrEqual(1 << 20);
  });
});

describe('limits', () => {
  it('names the binding limit, and what to do', async (context) => {
    const device = await open();
    const { maxStorageBufferBindingSize: limit, maxBufferSize } = device.caps.limits;
    if (limit > 1 << 28 || maxBufferSize < limit + 64)
      context.skip(`the adapter binds ${limit} bytes and has buffers of ${maxBufferSize}: none to refuse here`);
    const n = limit / 4 + 16;
    const buffer = device.gpu.createBuffer({ size: 4 * n, usage: 0x80 | 0x4 | 0x8 });
    const error = await caught(() => relu(Tensor.fromBuffer(buffer, spec([n]))));
    expect(error).toBeInstanceOf(LimitError);
    expect(error.message).toContain(`maxStorageBufferBindingSize ${limit}`);
    expect(error.message).toMatch(/^relu/);
    expect(error.hint).toMatch(/smaller/);
    buffer.destroy();
  });

  it('names the tensor of a program that is too large to bind, and allocates nothing', async () => {
    const device = await open();
    const { maxStorageBufferBindingSize: limit } = device.caps.limits;
    const { live } = device.memory();
    const n = Math.floor(Math.sqrt(limit / 4)) + 8;
    const step = ({ x }: { x: Tensor }): Tensor => matmul(matmul(x, x, { transB: true }), x);
    const error = await caught(() => compile(step, { x: spec([n, 1]) }));
    expect(error).toBeInstanceOf(LimitError);
    expect(error.message).toMatch(/^matmul#0: .*maxStorageBufferBindingSize/);
    expect(device.memory().live).toBe(live);
    expect(device.slots).toEqual([]);
  });

  it('names maxBufferSize', async () => {
    const device = await open();
    const error = await caught(() =>
      compile(({ x }: { x: Tensor }) => relu(x), { x: spec([Math.ceil(device.caps.limits.maxBufferSize / 4) + 4]) }),
    );
    expect(error).toBeInstanceOf(LimitError);
    expect(error.message).toContain(`maxBufferSize ${device.caps.limits.maxBufferSize}`);
  });

  it('names the workgroups of a dimension, eagerly and compiled', async () => {
    const device = await open();
    const max = device.caps.limits.maxComputeWorkgroupsPerDimension;
    const wide = broken('wide', 'a', [max + 1, 1, 1]);
    const { live } = device.memory();
    for (const run of [() => wide(tensor([1])), () => compile(({ x }: { x: Tensor }) => wide(x), { x: spec([1]) })]) {
      const error = await caught(run);
      expect(error).toBeInstanceOf(LimitError);
      expect(error.message).toMatch(/^wide/);
      expect(error.message).toContain(`maxComputeWorkgroupsPerDimension ${max}`);
    }
    expect(device.memory().live).toBe(live + 16); // the input of the eager call, and nothing else
    const x = tensor([1]);
    expect(() => evaluate(() => wide(exp(x)))).toThrow(LimitError);
    expect(device.memory().live).toBe(live + 32);
  });
});

/** An op of one pointwise dispatch with an expression and a grid of the test's choice. */
const broken = (name: string, r: string, grid: [number, number, number] = grid1d(1)) =>
  defineOp({
    name,
    call: (x: Tensor) => ({ inputs: [x], attrs: {} }),
    infer: ([x]) => x,
    lower: ({ inputs: [x], outputs: [y] }) => {
      const params = Object.fromEntries(Object.keys(pointwise.params!.fields).map((k) => [k, 1]));
      return [dispatch(pointwise, { a_in: x, b_in: x, c_in: x, d_in: x, y: y }, params as never, grid, { spec: { r } })];
    },
  });

it('a number that a kernel cannot hold is refused, not wrapped', () => {
  const params = Object.fromEntries(Object.keys(pointwise.params!.fields).map((k) => [k, 1]));
  for (const n of [2 ** 32, -1, 1.5, NaN]) {
    expect(() => packParams(pointwise, { ...params, n })).toThrow(LimitError);
    expect(() => packParams(pointwise, { ...params, n })).toThrow(`pointwise: params.n got ${n}`);
  }
});

describe('GPU errors', () => {
  it('surface at the next data() with the name of the op, once', async () => {
    const device = await open();
    const y = broken('misspelt', 'nonsense(a)')(tensor([1]));
    const error = await caught(() => y.data());
    expect(error.message).toContain('nonsense');
    expect(error.message).toContain('misspelt');
    expect([...(await square(tensor([3])).data())]).toEqual([9]); // the device goes on
    await device.sync();
  });

  it('of a kernel stop compile(), with the file and the line', async () => {
    await open();
    const error = await caught(() => compile(({ x }: { x: Tensor }) => broken('misspelt', 'nonsense(a)')(x), { x: spec([1]) }));
    expect(error.code).toBe('KERNEL_COMPILE');
    expect(error.message).toMatch(/kernels\/pointwise\.wgsl:\d+:\d+: .*nonsense/);
  });

  it('of an eager kernel are told again: by compile() with the file and the line, and at the next call', async () => {
    const device = await open();
    const misspelt = broken('misspelt', 'nonsense(a)');
    misspelt(tensor([1]));
    await caught(() => device.sync());
    expect((await caught(() => misspelt(tensor([1])).data())).message).toContain('nonsense');
    expect((await caught(() => compile(({ x }: { x: Tensor }) => misspelt(x), { x: spec([1]) }))).code).toBe('KERNEL_COMPILE');
  });

  it('of a destroyed buffer surface at the next run() or sync(), with its label', async () => {
    const device = await open();
    const buffer = device.gpu.createBuffer({ size: 16, usage: 0x80 | 0x4 | 0x8, label: 'lent by the caller' });
    const x = Tensor.fromBuffer(buffer, spec([4]));
    using program = await compile(() => square(x), {});
    buffer.destroy();
    program.run();
    expect((await caught(() => device.sync())).message).toContain('lent by the caller');
    program.run();
    await device.gpu.queue.onSubmittedWorkDone();
    expect((await caught(() => program.run())).message).toContain('lent by the caller');
  });
});
