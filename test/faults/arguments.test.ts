// SPDX-License-Identifier: MIT
// Wrong arguments: typed errors that name the op, what was got and, where there is more to say, what to do. None reaches the GPU.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { spec } from '../../src/engine/dtype.ts';
import { compile } from '../../src/engine/program.ts';
import { tensor, Tensor, zeros } from '../../src/engine/tensor.ts';
import { DTypeError, ShapeError, StateDictError, VoxelgradError } from '../../src/errors.ts';
import * as vg from '../../src/index.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const f = (...shape: number[]): Tensor => zeros(shape);
const u = (...shape: number[]): Tensor => zeros(shape, { dtype: 'u32' });

const shapes: [string, () => unknown, RegExp][] = [
  ['add', () => vg.add(f(2, 3), f(4)), /add: shapes do not broadcast, got \[2,3\] and \[4\]/],
  ['matmul', () => vg.matmul(f(2, 3), f(4, 5)), /matmul: .*inner sizes 3 and 4.*transA/],
  ['matmul of a vector', () => vg.matmul(f(3), f(3, 2)), /matmul: got \[3\]/],
  ['linear', () => vg.linear(f(2, 3), f(5, 4)), /linear: weight \[5,4\] expects 4 input features, got 3/],
  ['conv2d channels', () => vg.conv2d(f(1, 5, 5, 3), f(4, 3, 3, 2)), /conv2d: .*expects 2 input channels/],
  ['conv2d rank', () => vg.conv2d(f(1, 5, 5, 5, 3), f(4, 3, 3, 3)), /conv2d: .*expected \[N, H, W, C\]/],
  ['conv2d too small', () => vg.conv2d(f(1, 2, 2, 3), f(4, 3, 3, 3)), /conv2d: .*does not fit.*Add padding/],
  ['conv2d groups', () => vg.conv2d(f(1, 5, 5, 6), f(4, 3, 3, 2), { groups: 3 }), /conv2d: got groups 3/],
  ['conv2d stride', () => vg.conv2d(f(1, 5, 5, 3), f(4, 3, 3, 3), { stride: 0 }), /conv2d: got stride 0/],
  ['convTranspose2d', () => vg.convTranspose2d(f(1, 3, 3, 4), f(4, 2, 2, 3), { stride: 2, outputPadding: 2 }), /outputPadding 2/],
  ['batchNorm', () => vg.batchNorm(f(2, 3), f(3), f(2), f(3), f(3), { training: true }), /batch_norm: got a channel vector \[2\]/],
  ['groupNorm', () => vg.groupNorm(f(2, 3, 4), null, null, { groups: 3 }), /group_norm: got 3 groups for 4 channels/],
  ['layerNorm', () => vg.layerNorm(f(2, 3), f(4), f(4)), /layer_norm: got a weight \[4\]/],
  ['softmax', () => vg.softmax(f(2, 3), 2), /softmax: got axis 2 for \[2,3\]/],
  ['sum', () => vg.sum(f(2, 3), { axes: [0, 0] }), /sum: got axes \[0,0\]/],
  ['reshape', () => vg.reshape(f(2, 3), [4]), /reshape: \[2,3\] has 6 elements/],
  ['permute', () => vg.permute(f(2, 3), [0, 0]), /permute: got order \[0,0\]/],
  ['concat', () => vg.concat([f(2, 3), f(3, 3)], { axis: 1 }), /concat: got \[2,3\] and \[3,3\]/],
  ['split', () => vg.split(f(2, 5), [2, 2], { axis: 1 }), /split: .*add up to 5/],
  ['pad', () => vg.pad(f(2, 3), { before: 3, mode: 'reflect' }), /pad: .*less than the axis/],
  ['maxPool2d', () => vg.maxPool2d(f(1, 2, 2, 3), { kernel: 5 }), /maxPool2d: got window 5/],
  ['resize', () => vg.resize(f(1, 4, 4, 3), [0, 4]), /resize: got size \[0,4\]/],
  ['attention', () => vg.attention(f(1, 4, 6), f(1, 5, 6), f(1, 4, 6)), /attention: shapes do not fit/],
  ['attention heads', () => vg.attention(f(1, 4, 6), f(1, 4, 6), f(1, 4, 6), { heads: 4 }), /attention: q has 6 channels/],
  ['topk', () => vg.topk(f(2, 3), 4), /topk: got k 4/],
  ['gather', () => vg.gather(f(2, 3), u(3, 3), { axis: 1 }), /gather: got an index \[3,3\]/],
  ['tensor', () => tensor([1, 2, 3], { shape: [2] }), /tensor: got 3 values, expected 2/],
  ['write', () => f(3).write(new Float32Array(2)), /write: got 2 values, expected 3/],
];

describe('shape errors', () => {
  it.each(shapes)('%s', (_, call, message) => {
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(message);
  });
  it('item of several elements', async () => {
    await expect(f(2).item()).rejects.toThrow(ShapeError);
  });
  it('leave nothing behind on the device', async () => {
    await device.sync();
  });
});

const dtypes: [string, () => unknown, RegExp][] = [
  ['add', () => vg.add(f(2), u(2)), /add: got dtypes f32, u32.*cast\(\)/],
  ['matmul', () => vg.matmul(u(2, 2), u(2, 2)), /matmul: got dtype u32, expected f32 or f16/],
  ['where', () => vg.where(f(2), f(2), f(2)), /where: got dtypes f32/],
  ['gather', () => vg.gather(f(2, 3), f(2, 3), { axis: 1 }), /gather: got an index of dtype f32/],
  ['concat', () => vg.concat([f(2), u(2)], { axis: 0 }), /concat: got dtypes f32, u32/],
  ['softmax', () => vg.softmax(u(2, 3)), /softmax: got dtype u32/],
  [
    'layerNorm weights',
    () => vg.layerNorm(zeros([2, 4], { dtype: 'f16' }), zeros([4], { dtype: 'f16' }), zeros([4], { dtype: 'f16' })),
    /layer_norm: .*expected f32/,
  ],
  [
    'write',
    () => zeros([2], { name: 'mask', dtype: 'u32' }).write(new Float32Array(2)),
    /write mask: got Float32Array, expected Uint32Array for u32/,
  ],
  ['write of plain numbers', () => f(2).write([1, 2] as never), /write: got Array, expected Float32Array/],
];
it.each(dtypes)('dtype error of %s', (_, call, message) => {
  expect(call).toThrow(DTypeError);
  expect(call).toThrow(message);
});

const nowhere: readonly unknown[] = [
  [-2, -3],
  [1.5],
  [NaN],
  ['2'],
  [2 ** 53],
  [2 ** 31, 2 ** 31],
  null,
  undefined,
  3,
  'abc',
  [null],
  new Array(2),
  [[1]],
  { 0: 2, length: 1 },
];
const random = new vg.RandomSource({ seed: 1, stream: 1, step: () => 0 });
const doors: [string, (shape: never) => unknown][] = [
  ['zeros', (s) => zeros(s)],
  ['full', (s) => vg.full(s, 1)],
  ['spec', (s) => spec(s)],
  ['normal', (s) => vg.normal(s, { random })],
  ['uniform', (s) => vg.uniform(s, { random })],
  ['expand', (s) => vg.expand(f(1), s)],
  ['reshape', (s) => vg.reshape(f(2, 3), s)],
  ['Parameter', (s) => new vg.Parameter(s, vg.init.zerosInit)],
  ['interpolationPlan', (s) => vg.interpolationPlan(3, s, [0], [1])],
  ['Tensor.fromBuffer', (s) => Tensor.fromBuffer(f(4).buffer.buffer, { shape: s, dtype: 'f32' })],
];
describe.each(doors)('%s', (name, call) => {
  it.each(nowhere.map((s) => [s]))('refuses the shape %j by its name', (s) => {
    expect(() => call(s as never)).toThrow(ShapeError);
    expect(() => call(s as never)).toThrow(new RegExp(`^${name}: `));
  });
});

const options: [string, () => unknown, RegExp][] = [
  [
    'an offset',
    () => Tensor.fromBuffer(f(4).buffer.buffer, spec([1]), { offset: -4 }),
    /Tensor\.fromBuffer: got offset -4, expected an integer of at least 0/,
  ],
  [
    'an odd offset',
    () => Tensor.fromBuffer(f(4).buffer.buffer, spec([1]), { offset: 2 }),
    /Tensor\.fromBuffer: got offset 2, expected a multiple of 4/,
  ],
  ['no buffer', () => Tensor.fromBuffer(null as never, spec([1])), /Tensor\.fromBuffer: got buffer null, expected a GPUBuffer/],
  ['channels', () => new vg.Conv2d(0, 4, 3), /Conv2d: got inChannels 0/],
  ['groups', () => new vg.Conv2d(4, 6, 3, { groups: 4 }), /Conv2d: got 4 groups for 4 to 6 channels/],
  ['a kernel', () => new vg.Conv3d(1, 1, 1.5), /Conv3d: got kernel 1\.5/],
  ['features', () => new vg.Linear(NaN, 1), /Linear: got inFeatures NaN/],
  ['a name of an option', () => new vg.Conv2d(1, 1, 1, { strides: 2 } as never), /Conv2d: got an option strides, expected stride, padding/],
  ['a window', () => vg.maxPool2d(f(1, 4, 4, 1), { kernel: NaN }), /maxPool2d: got kernel NaN/],
  ['no options', () => vg.maxPool2d(f(1, 4, 4, 1), null as never), /maxPool2d: got options null/],
  ['a padding', () => vg.conv2d(f(1, 4, 4, 1), f(1, 2, 2, 1), { padding: -1 }), /conv2d: got padding -1/],
  ['a mode', () => vg.pad(f(2), { before: 1, mode: 'edge' as never }), /pad: got mode "edge", expected "constant" or/],
  ['an activation', () => vg.linear(f(1, 2), f(1, 2), { activation: 'swish' as never }), /linear: got activation "swish"/],
  ['an axis', () => vg.softmax(f(2), '0' as never), /softmax: got axis "0", expected an integer/],
  ['a dtype', () => zeros([1], { dtype: 'f64' as never }), /zeros: got dtype "f64", expected f32, f16, i32, u32/],
  ['NaN as an integer', () => tensor([1, NaN], { dtype: 'i32' }), /tensor: got NaN at 1, expected integers/],
  ['-1 without a sign', () => tensor([-1], { dtype: 'u32' }), /tensor: got -1 at 0, expected integers from 0/],
  ['words', () => tensor(['1'] as never), /tensor: got values \["1"\], expected an array of numbers/],
  ['a size', () => vg.resize(f(1, 2, 2, 1), [1.5, 2]), /resize: got size \[1\.5, 2\]/],
  ['a probability', () => vg.dropout(f(2), { p: NaN, random }), /dropout: got p NaN/],
  ['null for a tensor', () => vg.add(null as never, f(1)), /add: got an input null, expected a tensor/],
];
it.each(options)('refuses %s', (_, call, message) => {
  expect(call).toThrow(VoxelgradError);
  expect(call).toThrow(message);
});
it.each([
  [{ memoryBudget: NaN }, /memoryBudget NaN/],
  [{ memoryBudget: -1 }, /memoryBudget -1/],
  [{ memoryBudget: '1' }, /memoryBudget "1"/],
  [{ backend: 'opengl' }, /backend "opengl"/],
  [{ budget: 1 }, /an option budget/],
  [null, /options null/],
  [{ gpuDevice: {} }, /gpuDevice an object, expected a GPUDevice/],
  [{ adapter: 3 }, /adapter 3, expected a string/],
])('openDevice refuses %j', async (given, message) => {
  await expect(openDevice(given as never)).rejects.toThrow(message);
  await expect(openDevice(given as never)).rejects.toThrow(VoxelgradError);
});

it('linear takes its bias in the place of the options, as PyTorch does', async () => {
  expect([...(await vg.linear(f(1, 2), f(3, 2), tensor([1, 2, 3])).data())]).toEqual([1, 2, 3]);
  expect(() => vg.linear(f(1, 2), f(3, 2), f(2))).toThrow(/matmul: got bias \[2\], expected \[3\]/);
});

describe('programs', () => {
  it('name feeds that are missing, unknown or of another size', async () => {
    using p = await compile(({ batch }: { batch: { image: Tensor; label: Tensor } }) => vg.add(batch.image, batch.label), {
      batch: { image: spec([4]), label: spec([4]) },
    });
    const four = new Float32Array(4);
    // @ts-expect-error: one is missing
    expect(() => p.run({ batch: { image: four } })).toThrow(/input batch\.label is missing/);
    // @ts-expect-error: there is no such input
    expect(() => p.run({ batch: { image: four, label: four, more: four } })).toThrow(
      /no input named batch\.more, expected batch\.image, batch\.label/,
    );
    expect(() => p.run({ batch: { image: new Float32Array(5), label: four } })).toThrow(
      /input batch\.image has 5 values, expected 4 for \[4\]/,
    );
    expect(() => p.run({ batch: { image: u(4), label: four } })).toThrow(/input batch\.image is \[4\] u32, expected \[4\] f32/);
    // @ts-expect-error: another dtype
    const wrong = (): unknown => p.run({ batch: { image: new Int32Array(4), label: four } });
    expect(wrong).toThrow(DTypeError);
    expect(wrong).toThrow(/input batch\.image: got Int32Array, expected Float32Array for f32/);
    expect([...(await p.run({ batch: { image: four.fill(1), label: f(4) } }).data())]).toEqual([1, 1, 1, 1]);
  });

  it('say that a traced tensor has no values, and that traces do not nest', async () => {
    let escaped: Tensor | undefined;
    using p = await compile(
      ({ x }: { x: Tensor }) => {
        escaped = vg.square(x);
        expect(() => escaped!.storage).toThrow(/has no values while a step is being traced.*Return it/);
        return vg.exp(escaped);
      },
      { x: spec([2]) },
    );
    expect(() => vg.square(escaped!)).toThrow(VoxelgradError);
    const nested = compile(() => {
      void compile(() => f(1), {}).catch((e: unknown) => {
        expect(String(e)).toMatch(/another step is being traced/);
      });
      return f(1);
    }, {});
    (await nested).dispose();
    void p;
  });
});

describe('state dicts', () => {
  const net = (): vg.Module => new vg.Sequential(new vg.Linear(3, 2), new vg.BatchNorm(2)).initialise(1);

  it('name what is missing, unexpected and misshapen together, and load nothing then', async () => {
    const target = net();
    const before = await target.stateDict();
    const dict = new Map(await new vg.Sequential(new vg.Linear(3, 2), new vg.BatchNorm(2)).initialise(2).stateDict());
    dict.delete('1.bias');
    dict.set('2.weight', { shape: [1], data: new Float32Array(1) });
    dict.set('0.bias', { shape: [3], data: new Float32Array(3) });
    const load = (): void => target.loadStateDict(dict);
    expect(load).toThrow(StateDictError);
    expect(load).toThrow(/1\.bias is missing/);
    expect(load).toThrow(/2\.weight is unexpected/);
    expect(load).toThrow(/0\.bias has shape \[3\], expected \[2\]/);
    expect(load).toThrow(/strict: false/);
    expect(await target.stateDict()).toEqual(before);
  });

  it("load by name what fits, and PyTorch's counters are passed over", async () => {
    const target = net();
    const weight = { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    target.loadStateDict(
      new Map([
        ['0.weight', weight],
        ['1.num_batches_tracked', { shape: [], data: Float32Array.of(7) }],
      ]),
      { strict: false },
    );
    expect((await target.stateDict()).get('0.weight')).toEqual(weight);
  });
});
