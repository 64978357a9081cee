// SPDX-License-Identifier: MIT
// Layers with PyTorch's names, attributes and state-dict entries, on channels-last tensors. Weights of products follow the dtype of
// what they meet: f16 activations read f32 weights as f16, and their gradients come back as f32. Norms take theirs as f32.
import { expectArguments, fields, flag, instance, integer, listOf, maybe, number, scalar } from '../check.ts';
import type { Tensor } from '../engine/tensor.ts';
import { batchNorm } from '../ops/batch_norm.ts';
import { linear } from '../ops/matmul.ts';
import { layerNorm } from '../ops/norm.ts';
import { Conv2d } from './convolution.ts';
import { fanInBias, fanInUniform, kaimingFanOut, onesInit, truncatedNormal, zerosInit } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';
import { asMet, INITIAL, type Initial } from './weights.ts';

const count = integer(1);

/** x [..., in] -> [..., out] */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;
  constructor(inFeatures: number, outFeatures: number, options: Initial = {}) {
    super();
    expectArguments('Linear', { inFeatures: count, outFeatures: count, options: fields(INITIAL) }, [inFeatures, outFeatures, options]);
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
  /** Whether a pass in training has had statistics over all of its batch: those of one process are then not those of several together. */
  spansBatch = false;
  private readonly eps: number;
  readonly momentum: number;
  /**
   * `momentum` is the batch's share in the running statistics, as in PyTorch. `zero` starts the scale at 0 instead of 1: the last norm of a
   * residual branch then adds nothing at first.
   */
  constructor(channels: number, options: { eps?: number; momentum?: number; zero?: boolean } = {}) {
    super();
    const kinds = { eps: maybe(number(0)), momentum: maybe(number(0, 1)), zero: maybe(flag) };
    expectArguments('BatchNorm', { channels: count, options: fields(kinds) }, [channels, options]);
    const { eps = 1e-5, momentum = 0.1, zero = false } = options;
    this.eps = eps;
    this.momentum = momentum;
    this.weight = new Parameter([channels], zero ? zerosInit : onesInit);
    this.bias = new Parameter([channels], zerosInit);
    this.running_mean = new Parameter([channels], zerosInit, { trainable: false });
    this.running_var = new Parameter([channels], onesInit, { trainable: false });
  }
  /** `add` is summed in before the ReLU: the residual of a block. */
  forward(x: Tensor, options: { relu?: boolean; add?: Tensor } = {}): Tensor {
    this.spansBatch ||= this.training && this.itemsSharing === null;
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

/**
 * x [..., C], normalised over C: LayerNorm of tokens and the channel norm LNc of maps alike. Without `bias` it scales alone, without
 * `affine` it has no parameters.
 */
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
  /** `add`, a residual of x's shape, is fused into the same kernel. */
  forward(x: Tensor, { add = null }: { add?: Tensor | null } = {}): Tensor {
    return this.scoped(() => layerNorm(x, this.weight ?? null, this.bias ?? null, { eps: this.eps, add }));
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
