// SPDX-License-Identifier: MIT
// Calls of every public function with wrong arguments, drawn from a seed: a right call of the case tables with one argument, option or
// element replaced. Each either works or throws a typed error; none is an error of JavaScript's own or of the device later, and none keeps
// memory.
import fc from 'fast-check';
import { expect } from 'vitest';
import { spec } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { scope } from '../../src/engine/scope.ts';
import { Tensor, zeros } from '../../src/engine/tensor.ts';
import { VoxelgradError } from '../../src/errors.ts';
import type { Device } from '../../src/gpu/device.ts';
import * as vg from '../../src/index.ts';

/** What nobody should hand over, and what somebody will. */
const strange: readonly unknown[] = [
  undefined,
  null,
  NaN,
  Infinity,
  -Infinity,
  -1,
  0,
  -0,
  1,
  1.5,
  7,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  '2',
  '',
  true,
  [],
  [NaN],
  [1.5],
  ['2'],
  [-2, -3],
  [2 ** 53],
  [2 ** 31, 2 ** 31],
  [null],
  [[1]],
  {},
  { axis: 9 },
  () => 1,
  new Float32Array(2),
  new Uint8Array(3),
  new BigInt64Array(1),
  Symbol.iterator,
  3n,
  new Date(0),
  new Map(),
  new Array(3),
  'f64',
  'constant',
  -2,
  3,
  [0, 0],
  [1, 0],
  [2, 3],
  [3, 2],
  [-1, 2],
  [0],
  0.5,
];

type Call = readonly [name: string, f: (...args: never[]) => unknown, args: () => unknown[]];
const f = (...shape: number[]): Tensor => zeros(shape);
const u = (...shape: number[]): Tensor => zeros(shape, { dtype: 'u32' });
const random = (): vg.RandomSource => new vg.RandomSource({ seed: 1, stream: 2, step: () => 0 });

/** Parameters go with the call. */
function borrowing<M extends vg.Module, R>(net: M, use: (net: M) => R): R {
  net.initialise(1);
  try {
    return use(net);
  } finally {
    for (const p of net.parameters()) p.dispose();
  }
}

/** One right call each; arguments are made anew for every try. */
export const calls: readonly Call[] = [
  ...[
    'abs',
    'exp',
    'log',
    'relu',
    'sigmoid',
    'mish',
    'softsign',
    'geluTanh',
    'hardSwish',
    'detach',
    'isNaN',
    'neighbourMax',
    'argmax',
    'countNonzero',
  ].map((n): Call => [n, vg[n as 'abs'], () => [f(2, 3)]]),
  ...['add', 'mul', 'maximum', 'pow', 'equal', 'less', 'prelu', 'mod'].map((n): Call => [n, vg[n as 'add'], () => [f(2, 3), f(3)]]),
  ...['addScalar', 'mulScalar', 'powScalar', 'leakyRelu', 'elu', 'celu', 'swish', 'greaterScalar'].map((n): Call => [
    n,
    vg[n as 'addScalar'],
    () => [f(2, 3), 2],
  ]),
  ['clamp', vg.clamp, () => [f(3), 0, 1]],
  ['where', vg.where, () => [u(3), f(3), f(3)]],
  ['cast', vg.cast, () => [f(3), 'f16']],
  ...['sum', 'mean', 'max', 'prod', 'sumSquares'].map((n): Call => [n, vg[n as 'sum'], () => [f(2, 3), { axes: [1], keepDims: true }]]),
  ['argmin', vg.argmin, () => [f(2, 3), { axis: 1 }]],
  ['topk', vg.topk, () => [f(2, 5), 2, { axis: 1, largest: false }]],
  ['maxWithIndex', vg.maxWithIndex, () => [f(2, 3), { axis: 0 }]],
  ['cumsum', vg.cumsum, () => [f(2, 3), { axis: 1, reverse: true }]],
  ['softmax', vg.softmax, () => [f(2, 3), 1]],
  ['logSoftmax', vg.logSoftmax, () => [f(2, 3), 0]],
  ['layerNorm', vg.layerNorm, () => [f(2, 4), f(4), f(4), { eps: 1e-5 }]],
  ['rmsNorm', vg.rmsNorm, () => [f(2, 4), f(4), { eps: 1 }]],
  ['l2Normalize', vg.l2Normalize, () => [f(2, 4), { eps: 1 }]],
  ['groupNorm', vg.groupNorm, () => [f(2, 3, 4), f(4), f(4), { groups: 2, relu: true }]],
  ['instanceNorm', vg.instanceNorm, () => [f(2, 3, 4), null, null, { eps: 1 }]],
  ['globalResponseNorm', vg.globalResponseNorm, () => [f(2, 3, 4), f(4), f(4), { eps: 1e-6 }]],
  ['batchNorm', vg.batchNorm, () => [f(2, 4), f(4), f(4), f(4), f(4), { training: true, momentum: 0.1 }]],
  ['matmul', vg.matmul, () => [f(2, 3), f(3, 4), { transA: false, bias: f(4), activation: 'relu' }]],
  ['linear', vg.linear, () => [f(2, 3), f(4, 3), { bias: f(4) }]],
  ['conv2d', vg.conv2d, () => [f(1, 5, 5, 4), f(4, 3, 3, 2), { stride: 2, padding: [1, 1], dilation: 1, groups: 2 }]],
  [
    'conv3d',
    vg.conv3d,
    () => [
      f(1, 3, 3, 3, 2),
      f(2, 2, 2, 2, 2),
      {
        padding: [
          [0, 1],
          [1, 0],
          [0, 0],
        ],
      },
    ],
  ],
  ['convTranspose2d', vg.convTranspose2d, () => [f(1, 3, 3, 4), f(4, 2, 2, 3), { stride: 2, outputPadding: 1 }]],
  ['attention', vg.attention, () => [f(1, 4, 6), f(1, 5, 6), f(1, 5, 6), { heads: 2, scale: 1, causal: true }]],
  ['attentionPacked', vg.attentionPacked, () => [f(1, 4, 12), { heads: 2, cosine: true }]],
  ['relativeAttention', vg.relativeAttention, () => [f(1, 2, 2, 2, 12), f(3, 2), f(3, 2), f(3, 2), { heads: 2 }]],
  ...['maxPool2d', 'avgPool2d', 'maxPoolWithIndices'].map((n): Call => [
    n,
    vg[n as 'maxPool2d'],
    () => [f(1, 4, 4, 3), { kernel: 2, stride: 1, padding: 1, ceilMode: true }],
  ]),
  ['maxPool1d', vg.maxPool1d, () => [f(1, 6, 3), { kernel: [2], dilation: 2 }]],
  ['adaptiveAvgPool2d', vg.adaptiveAvgPool2d, () => [f(1, 4, 4, 3), { size: [2, 3] }]],
  ['globalAvgPool', vg.globalAvgPool, () => [f(1, 4, 4, 3)]],
  ['resize', vg.resize, () => [f(1, 4, 4, 3), [6, 5], { mode: 'nearest', rounding: 'ceil', scale: [1.5, 1.25] }]],
  ['reshape', vg.reshape, () => [f(2, 3), [3, -1]]],
  ['permute', vg.permute, () => [f(2, 3, 4), [2, 0, 1]]],
  ['transpose', vg.transpose, () => [f(2, 3, 4), 0, 1]],
  ['expand', vg.expand, () => [f(1, 3), [2, 3]]],
  ['slice', vg.slice, () => [f(4, 5), { axis: [0, 1], start: [1, 0], end: [3, -1], step: [1, 2] }]],
  ['flip', vg.flip, () => [f(2, 3), { axis: [0] }]],
  ['roll', vg.roll, () => [f(2, 3), { shift: 1, axis: 1 }]],
  ['pad', vg.pad, () => [f(4, 5), { axes: [1], before: [1], after: 2, mode: 'reflect', value: 3 }]],
  ['concat', vg.concat, () => [[f(2, 3), f(1, 3)], { axis: 0 }]],
  ['stack', vg.stack, () => [[f(2), f(2)], { axis: 1 }]],
  ['split', vg.split, () => [f(4, 3), [1, 3], { axis: 0 }]],
  ['tile', vg.tile, () => [f(2, 3), [2, 1]]],
  ['repeatInterleave', vg.repeatInterleave, () => [f(2, 3), { repeats: 2, axis: 0 }]],
  ['spaceToDepth', vg.spaceToDepth, () => [f(1, 4, 4, 3), { factor: 2, mode: 'CRD' }]],
  ['depthToSpace', vg.depthToSpace, () => [f(1, 2, 2, 12), { factor: 2 }]],
  ['channelShuffle', vg.channelShuffle, () => [f(2, 6), { groups: 3 }]],
  ['volumeToSlices', vg.volumeToSlices, () => [f(1, 2, 3, 4, 1), { plane: 'coronal' }]],
  ['slicesToVolume', vg.slicesToVolume, () => [f(4, 3, 4, 1), { plane: 'sagittal', batch: 2 }]],
  ['gather', vg.gather, () => [f(2, 3), u(2, 2), { axis: 1 }]],
  ['scatterAdd', vg.scatterAdd, () => [f(2, 3), u(2, 3), { axis: 1, size: 4 }]],
  ['indexSelect', vg.indexSelect, () => [f(4, 3), u(2), { axis: 0 }]],
  ['gatherRows', vg.gatherRows, () => [f(2, 3, 4), u(2, 2)]],
  ['embedding', vg.embedding, () => [u(3), f(4, 2)]],
  ['oneHot', vg.oneHot, () => [u(3), { classes: 4, dtype: 'f32' }]],
  ['putRows', vg.putRows, () => [f(4, 3), f(1, 3), u(1)]],
  ['unfold', vg.unfold, () => [f(1, 6, 6, 2), { window: 3, stride: [1, 2], padding: 1 }]],
  ['fold', vg.fold, () => [f(1, 2, 2, 2, 2, 1), { size: 4, stride: 2 }]],
  ['unfoldAxis', vg.unfoldAxis, () => [f(2, 6), { axis: 1, window: 2, stride: 2 }]],
  ['foldAxis', vg.foldAxis, () => [f(2, 3, 2), { axis: 1, size: 6, stride: 2 }]],
  ['windowPartition', vg.windowPartition, () => [f(1, 4, 4, 2), { window: 2 }]],
  ['windowAttention', vg.windowAttention, () => [f(1, 4, 4, 12), f(9, 2), { heads: 2, window: [2, 2], shift: [1, 0] }]],
  ['windowReverse', vg.windowReverse, () => [f(4, 2, 2, 2), { window: [2, 2], shape: [1, 4, 4, 2] }]],
  ['uniform', vg.uniform, () => [[2, 3], { random: random(), low: 0, high: 2 }]],
  ['normal', vg.normal, () => [[3], { random: random(), std: 2, dtype: 'f32' }]],
  ['dropout', vg.dropout, () => [f(4, 3), { p: 0.5, random: random(), shared: [1] }]],
  ['graphConv', vg.graphConv, () => [f(2, 3), f(1, 3, 4), f(5, 4)]],
  ['bilateralGraphConv', vg.bilateralGraphConv, () => [f(1, 4, 3), f(4, 3), f(4, 3), { slope: 0.1, first: 2 }]],
  ['edgeConvGather', vg.edgeConvGather, () => [f(1, 3, 2), f(1, 4, 2), u(1, 4, 2)]],
  ['frequencyStatistics', vg.frequencyStatistics, () => [f(1, 4, 2), f(3, 4)]],
  ['sampleVoxel', vg.sampleVoxel, () => [f(1, 2, 2, 2), f(1)]],
  ['tensor', vg.tensor, () => [[1, 2, 3], { shape: [3], dtype: 'i32', name: 't' }]],
  ['zeros', vg.zeros, () => [[2, 3], { dtype: 'f16' }]],
  ['full', vg.full, () => [[2], 3, { dtype: 'u32' }]],
  ['spec', vg.spec, () => [[2, 3], 'f32']],
  ['RandomSource', (o: never) => new vg.RandomSource(o), () => [{ seed: 1, stream: 2, step: () => 0, firstOp: 0 }]],
  ['hostScalars', vg.hostScalars, () => [2, 'f32', () => new Float32Array(2)]],
  ['noGrad', vg.noGrad, () => [() => f(1)]],
  ['named', vg.named, () => ['a', () => f(1)]],
  ['scope', vg.scope, () => [() => f(1)]],
  [
    'Conv2d',
    (...a: never[]) => new vg.Conv2d(...(a as unknown as [number, number, number])),
    () => [4, 6, 3, { stride: 1, padding: 1, groups: 2, bias: true }],
  ],
  ['Conv3d', (...a: never[]) => new vg.Conv3d(...(a as unknown as [number, number, number])), () => [2, 2, 1]],
  ['Linear', (...a: never[]) => new vg.Linear(...(a as unknown as [number, number])), () => [3, 4, { bias: false }]],
  ['BatchNorm', (...a: never[]) => new vg.BatchNorm(...(a as unknown as [number])), () => [3, { zero: true }]],
  ['LayerNorm', (...a: never[]) => new vg.LayerNorm(...(a as unknown as [number])), () => [3, 1e-5, { affine: true, bias: false }]],
  ['CBR', (...a: never[]) => new vg.CBR(...(a as unknown as [number, number, number])), () => [2, 3, 3, { stride: 2, relu: false }]],
  ['PReLU', (...a: never[]) => new vg.PReLU(...(a as unknown as [number])), () => [3, { slope: 0.25 }]],
  ['StarReLU', (...a: never[]) => new vg.StarReLU(...a), () => [{ scale: 1, bias: 0 }]],
  ['RMSNorm', (...a: never[]) => new vg.RMSNorm(...(a as unknown as [number])), () => [3, 1e-6]],
  ['BatchStatisticsNorm', (...a: never[]) => new vg.BatchStatisticsNorm(...(a as unknown as [number])), () => [3, { eps: 1e-3 }]],
  ['SoftMoE', (...a: never[]) => new vg.SoftMoE(...(a as unknown as [number, number])), () => [3, 2]],
  ['SoftMoE.forward', (x: never) => borrowing(new vg.SoftMoE(4, 2), (net) => net.forward(x)), () => [f(1, 5, 4)]],
  ['Sequential', (...a: never[]) => new vg.Sequential(...a), () => [new vg.Linear(2, 2), new vg.LayerNorm(2)]],
  [
    'Parameter',
    (...a: never[]) => new vg.Parameter(...(a as unknown as [number[], vg.init.Initialiser])),
    () => [[2, 3], vg.init.zerosInit, { trainable: true }],
  ],
  ['Linear.forward', (x: never) => borrowing(new vg.Linear(3, 2), (net) => net.forward(x)), () => [f(2, 3)]],
  ['initialise', (s: never) => new vg.Linear(1, 1).initialise(s), () => [1]],
  [
    'loadStateDict',
    (d: never, o: never) => {
      new vg.Linear(1, 1).initialise(1).loadStateDict(d, o);
    },
    () => [
      new Map([
        ['weight', { shape: [1, 1], data: new Float32Array(1) }],
        ['bias', { shape: [1], data: new Float32Array(1) }],
      ]),
      { strict: true },
    ],
  ],
  [
    'adamw',
    (o: never) =>
      borrowing(new vg.Linear(1, 1), (net) => {
        vg.adamw(net.parameters(), o).dispose();
      }),
    () => [{ lr: 1, betas: [0.9, 0.99], clipNorm: 1 }],
  ],
  [
    'sgd',
    (group: Record<string, unknown>) =>
      borrowing(new vg.Linear(1, 1), (net) => {
        vg.sgd([{ params: net.parameters(), ...group }], { lr: 1 }).dispose();
      }),
    () => [{ lrScale: 2, weightDecay: 0 }],
  ],
  [
    'write',
    (v: never) => {
      f(2).write(v);
    },
    () => [new Float32Array(2)],
  ],
  [
    'backward',
    (l: Tensor, p: never) => evaluate(() => ({ g: vg.backward(vg.sum(l), p).get([...(p as Iterable<Tensor>)][0])! })),
    () => {
      const x = f(2);
      return [x, [x]];
    },
  ],
  [
    'fromBuffer',
    vg.Tensor.fromBuffer,
    () => {
      const t = f(4);
      return [t.buffer.buffer, spec([2]), { offset: 0 }];
    },
  ],
];

/** One misuse: which call, which argument, what in its place, and how deep. */
export const misuse: fc.Arbitrary<{ call: Call; at: number; value: unknown; inside: number }> = fc.record({
  call: fc.constantFrom(...calls),
  at: fc.nat(5),
  value: fc.constantFrom(...strange, 'a tensor', 'a disposed tensor', 'a traced tensor', 'integers', 'a rank of 7'),
  inside: fc.nat(7),
});

let escaped: Tensor | undefined;
function special(value: unknown): unknown {
  if (value === 'a tensor') return f(3, 2);
  if (value === 'a disposed tensor') {
    const t = f(2, 3);
    t.dispose();
    return t;
  }
  if (value === 'integers') return zeros([2, 3], { dtype: 'i32' });
  if (value === 'a rank of 7') return f(1, 2, 1, 2, 1, 2, 1);
  if (value !== 'a traced tensor') return value;
  if (!escaped)
    evaluate(() => {
      escaped = vg.exp(f(2, 3));
      return escaped;
    }).dispose();
  return escaped;
}

/** The right arguments with one replaced: itself, or an option, or an element of it. */
function wrongArguments({ call: [, , args], at, value, inside }: { call: Call; at: number; value: unknown; inside: number }): unknown[] {
  const given = args();
  const i = at % (given.length + 1); // one too many, too
  const old = given[i];
  const put = special(value);
  const keys =
    old !== null && typeof old === 'object' && (Array.isArray(old) || Object.getPrototypeOf(old) === Object.prototype)
      ? Object.keys(old)
      : [];
  const key = keys[inside % (keys.length + 1)];
  given[i] =
    key === undefined
      ? put
      : Array.isArray(old)
        ? Object.assign([...(old as unknown[])], { [key]: put })
        : { ...(old as object), [key]: put };
  return given;
}

/** @throws what is wrong with how it went */
export async function tryMisuse(device: Device, m: { call: Call; at: number; value: unknown; inside: number }): Promise<void> {
  const before = device.memory().live;
  const attempt = (): void => {
    const result = m.call[1](...(wrongArguments(m) as never[]));
    if (result instanceof Promise) throw new Error('a promise');
  };
  for (const way of ['eager', 'traced'] as const) {
    try {
      if (way === 'eager')
        scope(() => {
          attempt();
        });
      else
        (
          await compile(() => {
            attempt();
            return zeros([1]);
          }, {})
        ).dispose();
    } catch (e) {
      expect(e instanceof VoxelgradError, `${m.call[0]} ${way}: ${(e as Error).stack}`).toBe(true);
      expect((e as VoxelgradError).code, `${m.call[0]} ${way}: ${(e as Error).message}`).not.toBe('INTERNAL');
    }
  }
  await device.sync(); // no error of the device's own
  expect(device.memory().live, `${m.call[0]}: bytes left`).toBe(before);
}
