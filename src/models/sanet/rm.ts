// SPDX-License-Identifier: MIT
// RM, the recovery module (specification 4.4): from deep to shallow, boundary-aware attention (BAA) adds what each encoder
// level knows about the lesion; and the output head (4.5).
import type { Tensor } from '../../engine/tensor.ts';
import { attention } from '../../ops/attention.ts';
import { concat, slice } from '../../ops/layout.ts';
import { matmul } from '../../ops/matmul.ts';
import { l2Normalize } from '../../ops/norm.ts';
import { permute } from '../../ops/permute.ts';
import { add, addScalar, log, mul, neg, sigmoid } from '../../ops/pointwise.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { resize } from '../../ops/resize.ts';
import { softmax } from '../../ops/softmax.ts';
import { castTo } from '../../nn/cast_to.ts';
import { constant, kaimingFanOut, type Initialiser } from '../../nn/init.ts';
import { Conv2d } from '../../nn/convolution.ts';
import { CBR, LayerNorm } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';
import { upscale } from './bgc.ts';

const HEADS = 4;
const HEAD_WIDTH = 32;

/** Foreground -2 for K = 2, so that rare foreground does not start at 0.5. */
const rareForeground: Initialiser = (shape) => Float32Array.from({ length: shape[0] }, (_, c) => (shape[0] === 2 && c === 1 ? -2 : 0));

/** Logits of every class; `prior`: foreground of two classes starts at 12 %. */
export const regionHead = (channels: number, classes: number, prior: boolean): Conv2d =>
  new Conv2d(channels, classes, 1, { bias: true, init: kaimingFanOut, biasInit: prior ? rareForeground : constant(0) });
const boundaryHead = (channels: number): Conv2d => new Conv2d(channels, 1, 1, { bias: true, init: kaimingFanOut, biasInit: constant(0) });

/** A head's logits, f32 whatever the maps are: softmax and losses are made of them. */
export const logitsOf = (head: Conv2d, map: Tensor): Tensor => castTo(head.forward(map), 'f32');

/** What BAA adds to the paper's for the sake of training (docs/method.md, part D, 15); false leaves one out. */
export interface BAAOptions {
  readonly learnedTemperature?: boolean;
  readonly interiorBias?: boolean;
}

/**
 * Boundary-aware attention: boundary pixels ask (query), interior pixels answer (key = value). It is f32: the norms of masked pixels,
 * by which gradients are divided, go down to nothing.
 */
export class BAA extends Module {
  readonly reduce: CBR;
  readonly norm: LayerNorm;
  /** Temperatures of the spatial and the channel attention, one a head; absent where they are 1. */
  readonly tau_s?: Parameter;
  readonly tau_c?: Parameter;
  readonly fuse: CBR;
  private readonly interiorBias: boolean;

  constructor(inChannels: number, width: number, { learnedTemperature = true, interiorBias = true }: BAAOptions = {}) {
    super();
    this.interiorBias = interiorBias;
    this.reduce = new CBR(inChannels, width, 1);
    this.norm = new LayerNorm(width);
    if (learnedTemperature) {
      this.tau_s = new Parameter([HEADS], constant(10), { decay: false });
      this.tau_c = new Parameter([HEADS], constant(1), { decay: false });
    }
    this.fuse = new CBR(width, width, 3);
  }

  /** encoder [S, h', w', ch]; soft f32 masks of boundary and interior [S, h, w, 1] -> [S, h, w, Cr] */
  forward(encoder: Tensor, boundaryMask: Tensor, interiorMask: Tensor): Tensor {
    const [s, h, w] = interiorMask.shape as [number, number, number];
    const reduced = this.reduce.forward(encoder);
    const e = castTo(
      this.norm.forward(reduced.shape[1] === h && reduced.shape[2] === w ? reduced : resize(reduced, [h, w], { mode: 'linear' })),
      'f32',
    );
    const width = e.shape[3];
    const boundary = mul(e, boundaryMask);
    const interior = mul(e, interiorMask);
    const { spatial, channel } = this.scoped(() => ({
      spatial: this.spatial(reshape(boundary, [s, h * w, width]), reshape(interior, [s, h * w, width]), reshape(interiorMask, [s, h * w])),
      channel: this.channel(reshape(boundary, [s, h * w, width]), reshape(interior, [s, h * w, width])),
    }));
    const fs = add(e, mul(boundaryMask, reshape(spatial, e.shape)));
    const fc = add(e, reshape(channel, e.shape));
    return this.fuse.forward(castTo(shuffleAdd(fs, fc), encoder.dtype));
  }

  /** Tokens [S, N, Cr]; the log term lets attention fall on interior pixels only. */
  private spatial(boundary: Tensor, interior: Tensor, mask: Tensor): Tensor {
    return attention(boundary, interior, interior, {
      heads: HEADS,
      cosine: true,
      ...(this.tau_s && { tau: this.tau_s }),
      ...(this.interiorBias && { keyBias: log(addScalar(mask, 1e-4)) }),
    });
  }

  /** Per head c x c scores between channels, each a unit vector over positions. */
  private channel(boundary: Tensor, interior: Tensor): Tensor {
    const [s, n, width] = boundary.shape as [number, number, number];
    const rows = (x: Tensor): Tensor => reshape(permute(x, [0, 2, 1]), [s, HEADS, width / HEADS, n]);
    const values = rows(interior);
    const scores = matmul(l2Normalize(rows(boundary)), l2Normalize(values), { transB: true });
    const weights = softmax(this.tau_c ? mul(scores, reshape(this.tau_c, [HEADS, 1, 1])) : scores, -1);
    return permute(reshape(matmul(weights, values), [s, width, n]), [0, 2, 1]);
  }
}

/**
 * Channels of a and b interleaved (a0, b0, a1, b1, ...), then the first half plus the second: [S, h, w, C]. Halves meet halves of their own
 * map, so they are added first and half as much is interleaved.
 */
function shuffleAdd(a: Tensor, b: Tensor): Tensor {
  const lead = a.shape.slice(0, -1);
  const half = a.shape.at(-1)! / 2;
  const halves = [a, b].map((x) => reshape(sum(reshape(x, [...lead, 2, half]), { axes: -2 }), [...lead, half, 1]));
  return reshape(concat(halves, { axis: -1 }), a.shape);
}

export interface Recovered {
  /** L_1 at stride 4, [S, h/4, w/4, Cr] */
  readonly level: Tensor;
  /** Region logits l_5..l_1 and boundary logits b_5..b_2 at their own resolutions. */
  readonly region: Tensor[];
  readonly boundary: Tensor[];
}

export class Recovery extends Module {
  readonly start_l: CBR;
  readonly start_b: CBR;
  readonly baa: BAA[];
  readonly region: Conv2d[];
  readonly boundary: Conv2d[];

  constructor(
    channels: number,
    width: number,
    classes: number,
    encoderChannels: readonly number[],
    prior = true,
    options: BAAOptions = {},
  ) {
    super();
    this.start_l = new CBR(channels, width, 1);
    this.start_b = new CBR(channels, width, 1);
    this.baa = [...encoderChannels].reverse().map((ch) => new BAA(ch, width, options));
    this.region = Array.from({ length: 5 }, () => regionHead(width, classes, prior));
    this.boundary = Array.from({ length: 4 }, () => boundaryHead(width));
  }

  /** J3, J1 [S, h/8, w/8, C]; encoded = E2..E5. Stride 8 for E5, E4, E3; stride 4 for E2. */
  forward(j3: Tensor, j1: Tensor, encoded: readonly Tensor[]): Recovered {
    let level = this.start_l.forward(j3);
    let edge = this.start_b.forward(j1);
    const region: Tensor[] = [];
    const boundary: Tensor[] = [];
    [...encoded].reverse().forEach((e, step) => {
      if (step === 3) {
        level = upscale(level, 2);
        edge = upscale(edge, 2);
      }
      const l = logitsOf(this.region[step], level);
      const b = logitsOf(this.boundary[step], edge);
      const interior = addScalar(neg(slice(softmax(l, -1), { axis: -1, start: 0, end: 1 })), 1);
      level = add(level, this.baa[step].forward(e, sigmoid(b), interior));
      region.push(l);
      boundary.push(b);
    });
    region.push(logitsOf(this.region[4], level));
    return { level, region, boundary };
  }
}

/** L_1 and the shallow E1 -> logits at the input's size. */
export class Head extends Module {
  readonly skip: CBR;
  readonly fuse: CBR;
  readonly out: Conv2d;
  constructor(stem: number, width: number, classes: number, prior = true) {
    super();
    this.skip = new CBR(stem, HEAD_WIDTH, 1);
    this.fuse = new CBR(width + HEAD_WIDTH, HEAD_WIDTH, 3);
    this.out = regionHead(HEAD_WIDTH, classes, prior);
  }
  forward(level: Tensor, e1: Tensor): Tensor {
    return upscale(logitsOf(this.out, this.fuse.forward(concat([upscale(level, 2), this.skip.forward(e1)], { axis: -1 }))), 2);
  }
}
