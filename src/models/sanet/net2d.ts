// SPDX-License-Identifier: MIT
// The 2D network of SA-Net (specification 4), one for transverse and one for coronal slices. MSA, BGC and RM can be
// switched off one by one; the wiring without them is section 1.1's.
import type { FloatType } from '../../engine/dtype.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { castTo } from '../../nn/cast_to.ts';
import { Conv2d } from '../../nn/convolution.ts';
import { CBR } from '../../nn/layers.ts';
import { kaimingFanOut, zerosInit } from '../../nn/init.ts';
import { Module } from '../../nn/module.ts';
import { addScalar, clamp, mulScalar } from '../../ops/pointwise.ts';
import { ResNet } from '../resnet.ts';
import { BGC, TaskFeatures, upscale } from './bgc.ts';
import { ESG } from './esg.ts';
import { useGroupNorm } from './group_norm.ts';
import { MSA } from './msa.ts';
import { Head, logitsOf, Recovery, regionHead, type BAAOptions } from './rm.ts';

export interface Net2DConfig {
  /** Channels of the encoder's stem: 64 in ResNet-50. */
  readonly stem: number;
  /** Bottlenecks a stage. */
  readonly blocks: readonly number[];
  /** Width C of MSA and BGC, and Cr of RM. */
  readonly width: number;
  readonly recovery: number;
  /** K, background included. */
  readonly classes: number;
  readonly useMSA: boolean;
  readonly useBGC: boolean;
  readonly useRM: boolean;
  /** Dilations of the four multi-rate convolutions; default 1, 2, 4, 8. */
  readonly rates?: readonly number[];
  /** Start heads of two classes at 12 % foreground (default) instead of 50 %. */
  readonly foregroundPrior?: boolean;
  /** Start the encoder's residual branches at zero; default false. */
  readonly zeroInitLastGamma?: boolean;
  /** Of the activations, and of weights where they meet them; default f32. Slices come and logits go as f32. */
  readonly storage?: FloatType;
  /** Group norm in the place of batch norm; default false. */
  readonly groupNorm?: boolean;
  /** What becomes of intensities first: scale x + offset, within low and high. Default: they stay. */
  readonly intensity?: { readonly scale: number; readonly offset: number; readonly low: number; readonly high: number };
  /** Variants of BAA. */
  readonly attention?: BAAOptions;
}

export interface Net2DOutput {
  /** [S, h, w, K] */
  readonly logits: Tensor;
  /** Boundary logit eb at stride 8, [S, h/8, w/8, 1]. */
  readonly edge: Tensor;
  /** Auxiliary region logits l_5..l_1 and boundary logits b_5..b_2; empty without RM. */
  readonly region: readonly Tensor[];
  readonly boundary: readonly Tensor[];
}

const rescaled = (x: Tensor, { scale, offset, low, high }: NonNullable<Net2DConfig['intensity']>): Tensor =>
  clamp(addScalar(mulScalar(x, scale), offset), low, high);

/**
 * SA-Net's 2D network (docs/method.md): slices [S, h, w, 1], h and w multiples of 32, to logits of every class and of boundaries. Parts are
 * left out by `useMSA`, `useBGC` and `useRM`.
 */
export class Net2D extends Module {
  readonly encoder: ResNet;
  readonly lat: CBR[];
  readonly msa?: MSA;
  readonly task: TaskFeatures;
  readonly bgc?: BGC;
  readonly edge: Conv2d;
  readonly esg?: ESG;
  readonly rm?: Recovery;
  readonly head?: Head;
  readonly plain_head?: Conv2d;
  private readonly storage: FloatType;
  private readonly intensity: Net2DConfig['intensity'];

  constructor(config: Net2DConfig) {
    super();
    this.storage = config.storage ?? 'f32';
    this.intensity = config.intensity;
    const { width, recovery, classes, useMSA, useBGC, useRM, foregroundPrior = true, zeroInitLastGamma = false } = config;
    this.encoder = new ResNet({ inChannels: 1, width: config.stem, blocks: config.blocks, zeroInitLastGamma });
    const [stem, ...channels] = this.encoder.channels as [number, ...number[]];
    this.lat = channels.map((ch) => new CBR(ch, width, 1));
    if (useMSA) this.msa = new MSA(width, config.rates);
    this.task = new TaskFeatures(width);
    if (useBGC) this.bgc = new BGC(width);
    this.edge = new Conv2d(width, 1, 1, { bias: true, init: kaimingFanOut, biasInit: zerosInit });
    if (useBGC) this.esg = new ESG(width);
    if (useRM) {
      this.rm = new Recovery(width, recovery, classes, channels, foregroundPrior, config.attention);
      this.head = new Head(stem, recovery, classes, foregroundPrior);
    } else {
      this.plain_head = regionHead(width, classes, foregroundPrior);
    }
    if (config.groupNorm) useGroupNorm(this);
  }

  /** x [S, h, w, 1], h and w multiples of 32. `selected` replaces ESG's search for neighbours. */
  forward(x: Tensor, selected?: Tensor): Net2DOutput {
    const seen = this.intensity ? rescaled(x, this.intensity) : x;
    const [e1, ...encoded] = this.encoder.forward(castTo(seen, this.storage)) as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const laterals = encoded.map((e, i) => this.lat[i].forward(e));
    const o = this.msa ? this.msa.forward(laterals) : laterals;
    const { region, boundary } = this.task.forward(o as [Tensor, Tensor, Tensor, Tensor]);
    const { j1, j2 } = this.bgc ? this.bgc.forward(region, boundary) : { j1: boundary, j2: region };
    const edge = logitsOf(this.edge, j1);
    const j3 = this.esg ? this.esg.forward(j2, j1, edge, selected) : j2;
    if (!this.rm) return { logits: upscale(logitsOf(this.plain_head!, j3), 8), edge, region: [], boundary: [] };
    const recovered = this.rm.forward(j3, j1, encoded);
    return { logits: this.head!.forward(recovered.level, e1), edge, region: recovered.region, boundary: recovered.boundary };
  }
}
