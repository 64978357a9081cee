// SPDX-License-Identifier: MIT
// Layers with PyTorch's names, attributes and state-dict entries, on channels-last tensors. Weights of products follow the dtype of
// what they meet: f16 activations read f32 weights as f16, and their gradients come back as f32. Norms take theirs as f32.
import { callable, expectArguments, fields, flag, instance, integer, listOf, maybe, scalar, type Kinds } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { batchNorm } from '../ops/batch_norm.ts';
import { conv2d, conv3d } from '../ops/conv.ts';
import { convTranspose2d, convTranspose3d } from '../ops/conv_transpose.ts';
import { linear } from '../ops/matmul.ts';
import { layerNorm } from '../ops/norm.ts';
import { castTo } from './cast_to.ts';
import { fanInBias, fanInUniform, kaimingFanOut, onesInit, truncatedNormal, zerosInit, type Initialiser } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

export interface ConvOptions {
  stride?: number;
  padding?: number;
  dilation?: number;
  groups?: number;
  bias?: boolean;
  init?: Initialiser;
  biasInit?: Initialiser;
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
const CONV = { stride: maybe(count), padding: maybe(integer(0)), dilation: maybe(count), groups: maybe(count), ...INIT };

/** @throws ShapeError and others unless a convolution can have these */
function expectConvolution(name: string, given: readonly unknown[], more: Kinds = {}): void {
  expectArguments(name, { inChannels: count, outChannels: count, kernel: listOf(count), options: fields({ ...CONV, ...more }) }, given);
  const [inChannels, outChannels, , { groups = 1 }] = given as [number, number, unknown, { groups?: number }];
  if (inChannels % groups !== 0 || outChannels % groups !== 0)
    throw new ShapeError(`${name}: got ${groups} groups for ${inChannels} to ${outChannels} channels, expected a divisor of both.`);
}

class Convolution extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;
  protected readonly attrs: { stride: number; padding: number; dilation: number; groups: number };

  constructor(name: string, inChannels: number, outChannels: number, kernel: readonly number[], options: ConvOptions) {
    super();
    expectConvolution(name, [inChannels, outChannels, kernel, options]);
    const { stride = 1, padding = 0, dilation = 1, groups = 1, init = fanInUniform } = options;
    this.attrs = { stride, padding, dilation, groups };
    this.weight = new Parameter([outChannels, inChannels / groups, ...kernel], init, { layout: 'conv' });
    if (options.bias) {
      const fanIn = (inChannels / groups) * kernel.reduce((a, b) => a * b, 1);
      this.bias = new Parameter([outChannels], options.biasInit ?? fanInBias(fanIn));
    }
  }
}

/** x [N, H, W, in] -> [N, H', W', out] */
export class Conv2d extends Convolution {
  constructor(inChannels: number, outChannels: number, kernel: number, options: ConvOptions = {}) {
    super('Conv2d', inChannels, outChannels, [kernel, kernel], options);
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const { weight, bias } = asMet(this, x);
      return conv2d(x, weight, { bias, ...this.attrs });
    });
  }
}

/** x [N, D, H, W, in] -> [N, D', H', W', out] */
export class Conv3d extends Convolution {
  constructor(inChannels: number, outChannels: number, kernel: number, options: ConvOptions = {}) {
    super('Conv3d', inChannels, outChannels, [kernel, kernel, kernel], options);
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const { weight, bias } = asMet(this, x);
      return conv3d(x, weight, { bias, ...this.attrs });
    });
  }
}

export interface ConvTransposeOptions {
  stride?: number;
  padding?: number;
  outputPadding?: number;
  groups?: number;
  bias?: boolean;
  init?: Initialiser;
  biasInit?: Initialiser;
}

class TransposedConvolution extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;
  protected readonly attrs: { stride: number; padding: number; outputPadding: number; groups: number };

  constructor(name: string, inChannels: number, outChannels: number, kernel: readonly number[], options: ConvTransposeOptions) {
    super();
    expectConvolution(name, [inChannels, outChannels, kernel, options], { outputPadding: maybe(integer(0)) });
    const { stride = 1, padding = 0, outputPadding = 0, groups = 1, bias = true, init = fanInUniform } = options;
    this.attrs = { stride, padding, outputPadding, groups };
    this.weight = new Parameter([inChannels, outChannels / groups, ...kernel], init, { layout: 'conv' });
    if (bias)
      this.bias = new Parameter([outChannels], options.biasInit ?? fanInBias((outChannels / groups) * kernel.reduce((a, b) => a * b, 1)));
  }
}

/** x [N, H, W, in] -> [N, H', W', out], H' = (H - 1) stride - 2 padding + kernel + outputPadding. */
export class ConvTranspose2d extends TransposedConvolution {
  constructor(inChannels: number, outChannels: number, kernel: number, options: ConvTransposeOptions = {}) {
    super('ConvTranspose2d', inChannels, outChannels, [kernel, kernel], options);
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const { weight, bias } = asMet(this, x);
      return convTranspose2d(x, weight, { bias, ...this.attrs });
    });
  }
}

/** x [N, D, H, W, in] -> [N, D', H', W', out], as ConvTranspose2d. */
export class ConvTranspose3d extends TransposedConvolution {
  constructor(inChannels: number, outChannels: number, kernel: number, options: ConvTransposeOptions = {}) {
    super('ConvTranspose3d', inChannels, outChannels, [kernel, kernel, kernel], options);
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

/** How far one pass moves running statistics towards those of its batch. */
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
  /** `zero` starts the scale at 0 instead of 1: the last norm of a residual branch then adds nothing at first. */
  constructor(channels: number, options: { zero?: boolean } = {}) {
    super();
    expectArguments('BatchNorm', { channels: count, options: fields({ zero: maybe(flag) }) }, [channels, options]);
    const { zero = false } = options;
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
        momentum: this.trackStatistics ? MOMENTUM : 0,
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
