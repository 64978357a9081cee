// SPDX-License-Identifier: MIT
// Convolutions and transposed ones over one to three axes: PyTorch's names and state dicts, on channels-last tensors. Weights follow the
// dtype of what they meet.
import { expectArguments, fields, integer, maybe, perAxis, type Kind, type Kinds } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import { conv2d, conv3d } from '../ops/conv.ts';
import { convTranspose2d, convTranspose3d } from '../ops/conv_transpose.ts';
import { reshape } from '../ops/reshape.ts';
import { asMet, INITIAL, type Initial } from './weights.ts';
import { fanInBias, fanInUniform } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

const count = integer(1);

/** A number for all axes, or one for each. */
type PerAxis = number | readonly number[];
export interface ConvOptions extends Initial {
  stride?: PerAxis;
  /**
   * Zeros at both ends of an axis, [before, after] of each, or `same`: as many as keep the size (of an even sum one more after), at stride
   * 1.
   */
  padding?: PerAxis | readonly (readonly [number, number])[] | 'same';
  dilation?: PerAxis;
  groups?: number;
}

const CONV = { groups: maybe(count), ...INITIAL };
const aPadding: Kind = (where, what, v) => {
  const sides = Array.isArray(v) && Array.isArray(v[0]) ? v : [v];
  if (v !== 'same') for (const side of sides) perAxis(0)(where, what, side);
};

const listed = (rank: number, v: PerAxis): readonly number[] => (typeof v === 'number' ? new Array<number>(rank).fill(v) : v);
const ofRank =
  (rank: number, least: number): Kind =>
  (where, what, v) => {
    perAxis(least)(where, what, v);
    if (Array.isArray(v) && v.length !== rank)
      throw new ShapeError(`${where}: got ${what} [${v}], expected ${rank === 1 ? 'one integer' : `${rank} integers, or one`}.`);
  };

/** The kernel as a list. @throws ShapeError and others unless a convolution of that rank can have these */
function expectConvolution(
  name: string,
  rank: number,
  given: readonly [number, number, PerAxis, ConvOptions],
  more: Kinds,
): readonly number[] {
  const options = fields({ stride: maybe(ofRank(rank, 1)), ...more, ...CONV, dilation: maybe(ofRank(rank, 1)) });
  expectArguments(name, { inChannels: count, outChannels: count, kernel: ofRank(rank, 1), options }, given);
  const [inChannels, outChannels, kernel, { groups = 1 }] = given;
  if (inChannels % groups !== 0 || outChannels % groups !== 0)
    throw new ShapeError(`${name}: got ${groups} groups for ${inChannels} to ${outChannels} channels, expected a divisor of both.`);
  return listed(rank, kernel);
}

/** [before, after] of each axis. @throws ShapeError for `same` with a stride */
function sides(name: string, rank: number, kernel: readonly number[], { stride = 1, padding = 0, dilation = 1 }: ConvOptions) {
  if (padding !== 'same') {
    const list = (typeof padding === 'number' ? listed(rank, padding) : padding) as readonly (number | readonly [number, number])[];
    if (list.length !== rank) throw new ShapeError(`${name}: got padding ${JSON.stringify(padding)}, expected ${rank} of them, or one.`);
    return list.map((p) => (typeof p === 'number' ? ([p, p] as const) : p));
  }
  if (listed(rank, stride).some((s) => s !== 1))
    throw new ShapeError(
      `${name}: got padding "same" and stride ${JSON.stringify(stride)}, expected stride 1.`,
      'Give the padding in numbers.',
    );
  const reach = listed(rank, dilation);
  return kernel.map((k, i) => {
    const both = reach[i] * (k - 1);
    return [Math.floor(both / 2), both - Math.floor(both / 2)] as const;
  });
}

/** A row of a map of height 1 (one spatial axis), for there are convolutions of two and three alone. */
const asMap = ({ shape }: { readonly shape: readonly number[] }): number[] => [shape[0], 1, ...shape.slice(1)];
function alongRow(x: Tensor, weight: Tensor, f: (x: Tensor, weight: Tensor) => Tensor): Tensor {
  if (x.shape.length !== 3) throw new ShapeError(`Conv1d: got [${x.shape}], expected [N, W, C].`);
  const y = f(reshape(x, asMap(x)), reshape(weight, asMap(weight)));
  return reshape(y, [y.shape[0], ...y.shape.slice(2)]);
}

interface Window {
  readonly stride: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly dilation: readonly number[];
  readonly groups: number;
}
const ofMap = <W extends Window>(w: W): W => ({
  ...w,
  stride: [1, ...w.stride],
  padding: [[0, 0], ...w.padding],
  dilation: [1, ...w.dilation],
});

class Convolution extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;
  protected readonly attrs: Window;

  constructor(rank: 1 | 2 | 3, inChannels: number, outChannels: number, size: PerAxis, options: ConvOptions) {
    super();
    const name = `Conv${rank}d`;
    const kernel = expectConvolution(name, rank, [inChannels, outChannels, size, options], { padding: maybe(aPadding) });
    const { stride = 1, dilation = 1, groups = 1, init = fanInUniform } = options;
    this.attrs = { stride: listed(rank, stride), padding: sides(name, rank, kernel, options), dilation: listed(rank, dilation), groups };
    this.weight = new Parameter([outChannels, inChannels / groups, ...kernel], init, { layout: 'conv' });
    if (options.bias) this.bias = new Parameter([outChannels], options.biasInit ?? fanInBias((inChannels / groups) * numel(kernel)));
  }
}

/** x [N, W, in] -> [N, W', out], W' = (W + padding - dilation (kernel - 1) - 1) / stride + 1, rounded down. A bias only if asked for. */
export class Conv1d extends Convolution {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions = {}) {
    super(1, inChannels, outChannels, kernel, options);
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const { weight, bias } = asMet(this, x);
      return alongRow(x, weight, (row, w) => conv2d(row, w, { bias, ...ofMap(this.attrs) }));
    });
  }
}

/** x [N, H, W, in] -> [N, H', W', out], as Conv1d. `kernel` and options are a number, or one for each of H and W. */
export class Conv2d extends Convolution {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions = {}) {
    super(2, inChannels, outChannels, kernel, options);
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const { weight, bias } = asMet(this, x);
      return conv2d(x, weight, { bias, ...this.attrs });
    });
  }
}

/** x [N, D, H, W, in] -> [N, D', H', W', out], as Conv1d. `kernel` and options are a number, or one for each of D, H and W. */
export class Conv3d extends Convolution {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions = {}) {
    super(3, inChannels, outChannels, kernel, options);
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const { weight, bias } = asMet(this, x);
      return conv3d(x, weight, { bias, ...this.attrs });
    });
  }
}

export interface ConvTransposeOptions extends Initial {
  stride?: PerAxis;
  padding?: PerAxis;
  outputPadding?: PerAxis;
  dilation?: PerAxis;
  groups?: number;
}

class TransposedConvolution extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;
  protected readonly attrs: Window & { readonly outputPadding: readonly number[] };

  constructor(rank: 1 | 2 | 3, inChannels: number, outChannels: number, size: PerAxis, options: ConvTransposeOptions) {
    super();
    const more = { padding: maybe(ofRank(rank, 0)), outputPadding: maybe(ofRank(rank, 0)) };
    const kernel = expectConvolution(`ConvTranspose${rank}d`, rank, [inChannels, outChannels, size, options], more);
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1, bias = true, init = fanInUniform } = options;
    this.attrs = {
      stride: listed(rank, stride),
      padding: listed(rank, padding).map((p) => [p, p] as const),
      dilation: listed(rank, dilation),
      outputPadding: listed(rank, outputPadding),
      groups,
    };
    this.weight = new Parameter([inChannels, outChannels / groups, ...kernel], init, { layout: 'conv' });
    if (bias) this.bias = new Parameter([outChannels], options.biasInit ?? fanInBias((outChannels / groups) * numel(kernel)));
  }
}

/** x [N, W, in] -> [N, W', out], W' = (W - 1) stride - 2 padding + dilation (kernel - 1) + outputPadding + 1. A bias unless told not to. */
export class ConvTranspose1d extends TransposedConvolution {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvTransposeOptions = {}) {
    super(1, inChannels, outChannels, kernel, options);
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const { weight, bias } = asMet(this, x);
      const attrs = { ...ofMap(this.attrs), outputPadding: [0, ...this.attrs.outputPadding] };
      return alongRow(x, weight, (row, w) => convTranspose2d(row, w, { bias, ...attrs }));
    });
  }
}

/** x [N, H, W, in] -> [N, H', W', out], as ConvTranspose1d. */
export class ConvTranspose2d extends TransposedConvolution {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvTransposeOptions = {}) {
    super(2, inChannels, outChannels, kernel, options);
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const { weight, bias } = asMet(this, x);
      return convTranspose2d(x, weight, { bias, ...this.attrs });
    });
  }
}

/** x [N, D, H, W, in] -> [N, D', H', W', out], as ConvTranspose1d. */
export class ConvTranspose3d extends TransposedConvolution {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvTransposeOptions = {}) {
    super(3, inChannels, outChannels, kernel, options);
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const { weight, bias } = asMet(this, x);
      return convTranspose3d(x, weight, { bias, ...this.attrs });
    });
  }
}
