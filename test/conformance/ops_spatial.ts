// SPDX-License-Identifier: MIT
// Convolution, pooling and block rearrangement: windows over one, two or three spatial axes.
import { full, tensor, type Tensor } from '../../src/engine/tensor.ts';
import { conv2d, conv3d } from '../../src/ops/conv.ts';
import { convTranspose2d, convTranspose3d } from '../../src/ops/conv_transpose.ts';
import { add, div, mulScalar, sub } from '../../src/ops/pointwise.ts';
import { avgPool1d, avgPool2d, avgPool3d, maxPool1d, maxPool2d, maxPool3d, maxPoolWithIndices } from '../../src/ops/pool.ts';
import { depthToSpace, spaceToDepth, type BlockOptions } from '../../src/ops/rearrange.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { channelsFirst, channelsLast } from './channels.ts';
import { Skip, type Adapter, type Adapters, type Call } from './call.ts';

type Side = readonly [before: number, after: number];
interface Windows {
  kernel: number[];
  stride: number[];
  dilation: number[];
  padding: Side[];
}

/** SAME_UPPER puts the odd element of padding at the end, SAME_LOWER at the beginning. */
const halves = (total: number, mode: string): Side => {
  const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
  return mode === 'SAME_LOWER' ? [more, less] : [less, more];
};

/** Attributes of windows over `sizes` with a kernel of `kernel`. */
function windows(c: Call, sizes: readonly number[], kernel: number[]): Windows {
  const each = (value: number): number[] => kernel.map(() => value);
  const stride = c.list('strides') ?? each(1);
  const dilation = c.list('dilations') ?? each(1);
  const pads = c.list('pads') ?? each(0).concat(each(0));
  const auto = c.text('auto_pad', 'NOTSET');
  const padding = kernel.map((k, i): Side => {
    if (!auto.startsWith('SAME')) return auto === 'VALID' ? [0, 0] : [pads[i], pads[i + kernel.length]];
    const out = Math.ceil(sizes[i] / stride[i]);
    return halves(Math.max(0, (out - 1) * stride[i] + dilation[i] * (k - 1) + 1 - sizes[i]), auto);
  });
  return { kernel, stride, dilation, padding };
}

/** One spatial axis as the second of two: [N, W, C] to [N, 1, W, C]. */
const widen = (x: Tensor): Tensor => reshape(x, [x.shape[0], 1, ...x.shape.slice(1)]);
const narrow = (x: Tensor): Tensor => reshape(x, [x.shape[0], ...x.shape.slice(2)]);

/** What a convolution of two or three axes needs, whatever the case has. */
function prepare(c: Call, { stride, dilation, padding }: Omit<Windows, 'kernel'>) {
  const one = c.shape(0).length === 3;
  if (c.shape(0).length > 5) throw new Skip('a convolution over more than three axes');
  const [x, weight] = [channelsLast(c.x(0)), channelsLast(c.x(1))];
  return {
    one,
    x: one ? widen(x) : x,
    weight: one ? widen(weight) : weight,
    volume: c.shape(0).length === 5,
    options: {
      bias: c.optional(2),
      groups: c.number('group', 1),
      stride: one ? [1, ...stride] : stride,
      dilation: one ? [1, ...dilation] : dilation,
      padding: one ? [[0, 0] as const, ...padding] : padding,
    },
  };
}

function convolution(c: Call): Tensor {
  const { one, x, weight, volume, options } = prepare(c, windows(c, c.shape(0).slice(2), c.shape(1).slice(2)));
  const y = (volume ? conv3d : conv2d)(x, weight, options);
  return channelsFirst(one ? narrow(y) : y);
}

function transposed(c: Call): Tensor {
  const sizes = c.shape(0).slice(2);
  const w = windows(c, sizes, c.shape(1).slice(2));
  const extra = c.list('output_padding') ?? sizes.map(() => 0);
  const auto = c.text('auto_pad', 'NOTSET');
  const wanted =
    c.list('output_shape')?.slice(-sizes.length) ?? (auto.startsWith('SAME') ? sizes.map((d, i) => d * w.stride[i]) : undefined);
  // A given output size determines the padding; where it would be negative, the output grows at its end.
  wanted?.forEach((out, i) => {
    const total = w.stride[i] * (sizes[i] - 1) + extra[i] + w.dilation[i] * (w.kernel[i] - 1) + 1 - out;
    w.padding[i] = halves(Math.max(0, total), auto === 'SAME_UPPER' ? auto : 'SAME_LOWER');
    extra[i] += Math.max(0, -total);
  });
  const { one, x, weight, volume, options } = prepare(c, w);
  const y = (volume ? convTranspose3d : convTranspose2d)(x, weight, { ...options, outputPadding: one ? [0, ...extra] : extra });
  return channelsFirst(one ? narrow(y) : y);
}

function pooling(c: Call) {
  const rank = c.shape(0).length - 2;
  if (rank > 3) throw new Skip('pooling over more than three axes');
  return {
    rank,
    x: channelsLast(c.x(0)),
    options: { ...windows(c, c.shape(0).slice(2), c.list('kernel_shape')!), ceilMode: c.flag('ceil_mode') },
  };
}

function averages(c: Call): Tensor {
  const { rank, x, options } = pooling(c);
  return channelsFirst([avgPool1d, avgPool2d, avgPool3d][rank - 1](x, { ...options, countIncludePad: c.flag('count_include_pad') }));
}

/** ONNX counts places through the whole tensor [N, C, spatial...]; `storage_order` 1: the spatial axes in reverse order. */
function places(c: Call, indices: Tensor): Tensor {
  const [n, channels, ...sizes] = c.shape(0) as [number, number, ...number[]];
  const volume = sizes.reduce((a, b) => a * b, 1);
  const [h, w] = sizes as [number, number];
  let within = channelsFirst(indices);
  if (c.flag('storage_order')) {
    if (sizes.length !== 2) throw new Skip('places of maxima counted by columns outside of two axes');
    const row = div(within, full([], w, { dtype: 'u32' }));
    within = add(row, mulScalar(sub(within, mulScalar(row, w)), h));
  }
  const planes = tensor(
    Array.from({ length: n * channels }, (_, i) => i * volume),
    { shape: [n, channels, ...sizes.map(() => 1)], dtype: 'u32' },
  );
  return add(within, planes);
}

function maxima(c: Call): Tensor[] {
  const { rank, x, options } = pooling(c);
  if (c.outputs.length === 1) return [channelsFirst([maxPool1d, maxPool2d, maxPool3d][rank - 1](x, options))];
  const { values, indices } = maxPoolWithIndices(x, options);
  return [channelsFirst(values), places(c, indices)];
}

const blocks =
  (f: typeof spaceToDepth): Adapter =>
  (c) =>
    channelsFirst(f(channelsLast(c.x(0)), { factor: c.number('blocksize', 1), mode: c.text('mode', 'DCR') as BlockOptions['mode'] }));

export const spatial: Adapters = {
  Conv: convolution,
  ConvTranspose: transposed,
  AveragePool: averages,
  MaxPool: maxima,
  SpaceToDepth: blocks(spaceToDepth),
  DepthToSpace: blocks(depthToSpace),
};
