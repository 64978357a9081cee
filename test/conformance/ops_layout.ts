// SPDX-License-Identifier: MIT
// Operators that move elements or change shapes.
import { numel } from '../../src/engine/dtype.ts';
import { tensor, zeros, type Tensor } from '../../src/engine/tensor.ts';
import { expand } from '../../src/ops/expand.ts';
import { concat, pad, slice, split } from '../../src/ops/layout.ts';
import type { PadMode } from '../../src/ops/pad.ts';
import { permute } from '../../src/ops/permute.ts';
import { broadcast } from '../../src/engine/pointwise.ts';
import { where } from '../../src/ops/pointwise.ts';
import { tile } from '../../src/ops/rearrange.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { FLOAT, Skip, toNumbers, toTensor, type Adapters, type Call } from './call.ts';
import type { TensorData } from './onnx.ts';

const front = (axes: readonly number[], rank: number): number[] => axes.map((a) => (a < 0 ? a + rank : a));
const int64 = (values: readonly number[], shape = [values.length]): TensorData => ({ shape, type: 7, values: Float64Array.from(values) });

async function reshaped(c: Call): Promise<Tensor> {
  const x = c.x(0);
  const wanted = (await c.listOr('shape', 1)) ?? [];
  return reshape(x, c.flag('allowzero') ? wanted : wanted.map((d, i) => (d === 0 ? x.shape[i] : d)));
}

function flatten(c: Call): Tensor {
  const axis = c.axis(1);
  return reshape(c.x(0), [numel(c.shape(0).slice(0, axis)), numel(c.shape(0).slice(axis))]);
}

async function squeeze(c: Call): Promise<Tensor> {
  const axes = await c.listOr('axes', 1);
  const gone = axes ? front(axes, c.shape(0).length) : c.shape(0).flatMap((d, i) => (d === 1 ? [i] : []));
  return reshape(
    c.x(0),
    c.shape(0).filter((_, i) => !gone.includes(i)),
  );
}

async function unsqueeze(c: Call): Promise<Tensor> {
  const axes = (await c.listOr('axes', 1)) ?? [];
  const rank = c.shape(0).length + axes.length;
  const added = front(axes, rank);
  const rest = [...c.shape(0)];
  return reshape(
    c.x(0),
    Array.from({ length: rank }, (_, i) => (added.includes(i) ? 1 : rest.shift()!)),
  );
}

const MODES: Readonly<Record<string, PadMode>> = { constant: 'constant', edge: 'replicate', reflect: 'reflect', wrap: 'circular' };

async function padded(c: Call): Promise<Tensor> {
  const x = c.x(0);
  const pads = (await c.listOr('pads', 1)) ?? [];
  const axes = front((await c.numbers(3)) ?? x.shape.map((_, i) => i), x.shape.length);
  const [value = c.number('value', 0)] = (await c.numbers(2)) ?? [];
  return pad(x, {
    axes,
    before: pads.slice(0, axes.length),
    after: pads.slice(axes.length),
    mode: MODES[c.text('mode', 'constant')],
    value,
  });
}

async function sliced(c: Call): Promise<Tensor> {
  const x = c.x(0);
  const start = (await c.listOr('starts', 1)) ?? [];
  const end = (await c.listOr('ends', 2)) ?? [];
  const axis = front((await c.listOr('axes', 3)) ?? start.map((_, i) => i), x.shape.length);
  const step = (await c.numbers(4)) ?? start.map(() => 1);
  return slice(x, { axis, start, end, step });
}

async function parts(c: Call): Promise<Tensor[]> {
  const axis = c.axis(0);
  const n = c.shape(0)[axis];
  const count = c.number('num_outputs', c.outputs.length);
  const each = Math.ceil(n / count);
  const sizes = (await c.listOr('split', 1)) ?? Array.from({ length: count }, (_, i) => Math.min(each, n - i * each));
  return split(c.x(0), sizes, { axis });
}

/** 1 on and above diagonal k (`upper`), or on and below it. */
async function triangle(c: Call): Promise<Tensor> {
  const x = c.x(0);
  const [h, w] = x.shape.slice(-2) as [number, number];
  const [k = 0] = (await c.numbers(1)) ?? [];
  const upper = c.flag('upper', 1);
  const keep = Array.from({ length: h * w }, (_, i) => Number(upper ? (i % w) - Math.floor(i / w) >= k : (i % w) - Math.floor(i / w) <= k));
  return where(tensor(keep, { shape: [h, w], dtype: 'u32' }), x, zeros([], { dtype: x.dtype }));
}

function constant(c: Call): TensorData {
  const [name] = c.node.attributes.keys();
  const value = c.data('value');
  if (value) return value;
  if (name === 'value_int') return int64([c.number(name, 0)], []);
  if (name === 'value_ints') return int64(c.list(name)!);
  const floats = name === 'value_float' ? [c.number(name, 0)] : c.list(name);
  if (!floats || !name.startsWith('value_float')) throw new Skip('a constant that is no tensor');
  return { shape: name === 'value_float' ? [] : [floats.length], type: FLOAT, values: Float64Array.from(floats) };
}

export const layout: Adapters = {
  Reshape: reshaped,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Pad: padded,
  Slice: sliced,
  Split: parts,
  Trilu: triangle,
  Transpose: (c) =>
    permute(
      c.x(0),
      c.list('perm') ??
        c
          .shape(0)
          .map((_, i) => i)
          .reverse(),
    ),
  Concat: (c) => concat(c.inputs, { axis: c.number('axis', 1) }),
  Expand: async (c) => {
    const shape = (await c.numbers(1)) ?? [];
    return expand(c.x(0), broadcast('Expand', [c.x(0), { shape, dtype: 'f32' }]));
  },
  Tile: async (c) => tile(c.x(0), (await c.numbers(1)) ?? []),
  Shape: (c) => int64(c.shape(0).slice(c.number('start', 0), c.number('end', Infinity))),
  Size: (c) => int64([numel(c.shape(0))], []),
  Constant: constant,
  ConstantOfShape: async (c) => {
    const shape = await toNumbers(c.value(0));
    const value = c.data('value') ?? { shape: [1], type: FLOAT, values: Float64Array.of(0) };
    return toTensor({ shape, type: value.type, values: new Float64Array(numel(shape)).fill(value.values[0]) });
  },
};
