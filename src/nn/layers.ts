// SPDX-License-Identifier: MIT
// Layers with PyTorch's names, attributes and state-dict entries, on channels-last tensors. Weights of products follow the dtype of
// what they meet: f16 activations read f32 weights as f16, and their gradients come back as f32. Norms take theirs as f32.
import {
  callable,
  expectArguments,
  fields,
  flag,
  instance,
  integer,
  listOf,
  maybe,
  number,
  perAxis,
  scalar,
  type Kind,
  type Kinds,
} from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor } from '../engine/door.ts';
import { numel } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import { batchNorm } from '../ops/batch_norm.ts';
import { conv2d, conv3d } from '../ops/conv.ts';
import { convTranspose2d, convTranspose3d } from '../ops/conv_transpose.ts';
import { linear } from '../ops/matmul.ts';
import { layerNorm } from '../ops/norm.ts';
import { reshape } from '../ops/reshape.ts';
import { castTo } from './cast_to.ts';
import { fanInBias, fanInUniform, kaimingFanOut, onesInit, truncatedNormal, zerosInit, type Initialiser } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

/** A number for all axes, or one for each. */
type PerAxis = number | readonly number[];
interface Initial {
  bias?: boolean;
  init?: Initialiser;
  biasInit?: Initialiser;
}

export interface ConvOptions extends Initial {
  stride?: PerAxis;
  /** Zeros at both ends of an axis, [before, after] of each, or `same`: as many as keep the size (of an even sum one more after), at stride 1. */
  padding?: PerAxis | readonly (readonly [number, number])[] | 'same';
  dilation?: PerAxis;
  groups?: number;
}

interface Weights {
  readonly weight: Parameter;
  readonly bias?: Parameter;
}
function asMet({ weight, bias }: Weights, x: Tensor): { weight: Tensor; bias: Tensor | null } {
  expectArguments('forward', { x: aTensor }, [x]);
  return { weight: castTo(weight, x.dtype), bias: bias ? castTo(bias, x.dtype) : null };
}

const count = integer(1);
const INIT = { bias: maybe(flag), init: maybe(callable), biasInit: maybe(callable) };
const CONV = { stride: maybe(perAxis(1)), dilation: maybe(perAxis(1)), groups: maybe(count), ...INIT };
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
  const options = fields({ ...CONV, stride: maybe(ofRank(rank, 1)), dilation: maybe(ofRank(rank, 1)), ...more });
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
    const both = reach[i]! * (k - 1);
    return [Math.floor(both / 2), both - Math.floor(both / 2)] as const;
  });
}

/** A row of a map of height 1 (one spatial axis), for there are convolutions of two and three alone. */
const asMap = ({ shape }: { readonly shape: readonly number[] }): number[] => [shape[0]!, 1, ...shape.slice(1)];
function alongRow(x: Tensor, weight: Tensor, f: (x: Tensor, weight: Tensor) => Tensor): Tensor {
  if (x.shape.length !== 3) throw new ShapeError(`Conv1d: got [${x.shape}], expected [N, W, C].`);
  const y = f(reshape(x, asMap(x)), reshape(weight, asMap(weight)));
  return reshape(y, [y.shape[0]!, ...y.shape.slice(2)]);
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

/** x [..., in] -> [..., out] */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;
  constructor(inFeatures: number, outFeatures: number, options: { bias?: boolean; init?: Initialiser; biasInit?: Initialiser } = {}) {
    super();
    expectArguments('Linear', { inFeatures: count, outFeatures: count, options: fields(INIT) }, [inFeatures, outFeatures, options]);
    this.weight = new Parameter([outFeatures, inFeatures], options.init ?? fanInUniform);
    if (options.bias ?? true) this.bias = new Parameter([outFeatures], options.biasInit ?? fanInBias(inFeatures));
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const { weight, bias } = asMet(this, x);
      return linear(x, weight, { bias });
    });
  }
}

/** Linear or 1 x 1 convolution of an attention module: truncated normal 0.02, bias 0 (specification 2). */
export const attentionInit = { init: truncatedNormal(0.02), biasInit: zerosInit };

/** How far one pass moves running statistics towards those of its batch, unless told otherwise. */
export const MOMENTUM = 0.1;

/** x [..., C]: batch statistics in training, running ones otherwise. `relu` is fused into the same kernel. */
export class BatchNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly running_mean: Parameter;
  readonly running_var: Parameter;
  /** False leaves the running statistics alone, e.g. in a pass that only makes pseudo labels. */
  trackStatistics = true;
  /** In training: so many neighbouring items of a batch share statistics, and others have their own; null: all. */
  itemsSharing: number | null = null;
  private readonly eps: number;
  readonly momentum: number;
  /**
   * `momentum` is the batch's share in the running statistics, as in PyTorch. `zero` starts the scale at 0 instead of 1: the last norm of a residual
   * branch then adds nothing at first.
   */
  constructor(channels: number, options: { eps?: number; momentum?: number; zero?: boolean } = {}) {
    super();
    const kinds = { eps: maybe(number(0)), momentum: maybe(number(0, 1)), zero: maybe(flag) };
    expectArguments('BatchNorm', { channels: count, options: fields(kinds) }, [channels, options]);
    const { eps = 1e-5, momentum = MOMENTUM, zero = false } = options;
    this.eps = eps;
    this.momentum = momentum;
    this.weight = new Parameter([channels], zero ? zerosInit : onesInit);
    this.bias = new Parameter([channels], zerosInit);
    this.running_mean = new Parameter([channels], zerosInit, { trainable: false });
    this.running_var = new Parameter([channels], onesInit, { trainable: false });
  }
  /** `add` is summed in before the ReLU: the residual of a block. */
  forward(x: Tensor, options: { relu?: boolean; add?: Tensor } = {}): Tensor {
    return this.scoped(() =>
      batchNorm(x, this.weight, this.bias, this.running_mean, this.running_var, {
        training: this.training,
        momentum: this.trackStatistics ? this.momentum : 0,
        eps: this.eps,
        relu: options.relu ?? false,
        add: options.add ?? null,
        parts: this.training && this.itemsSharing !== null ? x.shape[0] / this.itemsSharing : 1,
      }),
    );
  }
}

/**
 * Runs `f` with statistics of every batch norm of `net` over `items` neighbouring items of its batches, running statistics moved part by
 * part: a batch of several such parts is normalised as if they came one after another. `track` false leaves the running ones alone.
 */
export function sharingStatistics<T>(net: Module, items: number, f: () => T, { track = true }: { track?: boolean } = {}): T {
  const norms = [...net.modules()].filter((m) => m instanceof BatchNorm);
  const before = norms.map(({ itemsSharing, trackStatistics }) => ({ itemsSharing, trackStatistics }));
  for (const norm of norms) Object.assign(norm, { itemsSharing: items, trackStatistics: track });
  try {
    return f();
  } finally {
    norms.forEach((norm, i) => Object.assign(norm, before[i]));
  }
}

/** x [..., C], normalised over C: LayerNorm of tokens and the channel norm LNc of maps alike. Without `bias` it scales alone, without `affine` it has no parameters. */
export class LayerNorm extends Module {
  readonly weight?: Parameter;
  readonly bias?: Parameter;
  private readonly eps: number;
  constructor(channels: number, eps = 1e-5, options: { affine?: boolean; bias?: boolean } = {}) {
    super();
    expectArguments('LayerNorm', { channels: count, eps: scalar, options: fields({ affine: maybe(flag), bias: maybe(flag) }) }, [
      channels,
      eps,
      options,
    ]);
    const { affine = true, bias = true } = options;
    if (affine) this.weight = new Parameter([channels], onesInit);
    if (affine && bias) this.bias = new Parameter([channels], zerosInit);
    this.eps = eps;
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => layerNorm(x, this.weight ?? null, this.bias ?? null, { eps: this.eps }));
  }
}

/** Convolution (no bias), batch norm and ReLU: the specification's CBR k, or CB k without the ReLU. Padding keeps the size at stride 1. */
export class CBR extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm;
  private readonly relu: boolean;
  constructor(
    inChannels: number,
    outChannels: number,
    kernel: number,
    options: { stride?: number; dilation?: number; relu?: boolean } = {},
  ) {
    super();
    expectArguments(
      'CBR',
      {
        inChannels: count,
        outChannels: count,
        kernel: count,
        options: fields({ stride: maybe(count), dilation: maybe(count), relu: maybe(flag) }),
      },
      [inChannels, outChannels, kernel, options],
    );
    const { stride = 1, dilation = 1, relu = true } = options;
    this.conv = new Conv2d(inChannels, outChannels, kernel, {
      stride,
      dilation,
      padding: (dilation * (kernel - 1)) / 2,
      init: kaimingFanOut,
    });
    this.bn = new BatchNorm(outChannels);
    this.relu = relu;
  }
  forward(x: Tensor): Tensor {
    return this.bn.forward(this.conv.forward(x), { relu: this.relu });
  }
}

/** Layers one after another, named by their index. */
export class Sequential extends Module {
  constructor(...layers: (Module & { forward(x: Tensor): Tensor })[]) {
    super();
    expectArguments('Sequential', { layers: listOf(instance('a module', Module)) }, [layers]);
    layers.forEach((layer, i) => {
      (this as unknown as Record<number, Module>)[i] = layer;
    });
    this.length = layers.length;
  }
  private readonly length: number;
  forward(x: Tensor): Tensor {
    let y = x;
    for (let i = 0; i < this.length; i++) y = (this as unknown as Record<number, { forward(x: Tensor): Tensor }>)[i].forward(y);
    return y;
  }
}
