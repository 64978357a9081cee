// SPDX-License-Identifier: MIT
// BGC, bilateral graph convolution (specification 4.3a-d): region and boundary features as two graphs of 32 nodes that
// exchange messages within and between each other, and back to pixels. Nodes are few and their masses may be close to 0: graphs are f32.
import type { Tensor } from '../../engine/tensor.ts';
import { bilateralGraphConv } from '../../ops/bilateral_graph.ts';
import { concat, split } from '../../ops/layout.ts';
import { matmul } from '../../ops/matmul.ts';
import { add, addScalar, div, relu } from '../../ops/pointwise.ts';
import { avgPool2d } from '../../ops/pool.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { resize } from '../../ops/resize.ts';
import { softmax } from '../../ops/softmax.ts';
import { castTo } from '../../nn/cast_to.ts';
import { normal, xavierUniform, zerosInit } from '../../nn/init.ts';
import { Conv2d } from '../../nn/convolution.ts';
import { CBR, LayerNorm, Linear } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';

const NODES = 32;
const WIDTH = 128;

/** x [S, h, w, C] enlarged by `factor`, bilinear. */
export function upscale(x: Tensor, factor: number): Tensor {
  return resize(x, [x.shape[1] * factor, x.shape[2] * factor], { mode: 'linear' });
}

/** X_s (region) and X_b (boundary) at stride 8 from O_2..O_5. */
export class TaskFeatures extends Module {
  readonly region: CBR;
  readonly boundary: [CBR, CBR];
  constructor(channels: number) {
    super();
    this.region = new CBR(3 * channels, channels, 3);
    this.boundary = [new CBR(4 * channels, channels, 3), new CBR(channels, channels, 1)];
  }
  forward([o2, o3, o4, o5]: readonly [Tensor, Tensor, Tensor, Tensor]): { region: Tensor; boundary: Tensor } {
    const deep = [o3, upscale(o4, 2), upscale(o5, 4)];
    const region = this.region.forward(concat(deep, { axis: -1 }));
    const edges = concat([avgPool2d(o2, { kernel: 2, stride: 2 }), ...deep], { axis: -1 });
    return { region, boundary: this.boundary[1].forward(this.boundary[0].forward(edges)) };
  }
}

/** Soft assignment of pixels to nodes: Q [S, N, Kn] (softmax over nodes) and node states [S, Kn, d] (weighted means). */
function project(assign: Conv2d, state: Conv2d, x: Tensor): { q: Tensor; nodes: Tensor } {
  const [s, h, w] = x.shape as [number, number, number];
  const q = reshape(softmax(castTo(assign.forward(x), 'f32'), -1), [s, h * w, NODES]);
  const phi = reshape(castTo(state.forward(x), 'f32'), [s, h * w, WIDTH]);
  const mass = reshape(sum(q, { axes: [1] }), [s, NODES, 1]);
  return { q, nodes: div(matmul(q, phi, { transA: true }), addScalar(mass, 1e-6)) };
}

export class BGC extends Module {
  readonly assign_s: Conv2d;
  readonly assign_b: Conv2d;
  readonly state_s: Conv2d;
  readonly state_b: Conv2d;
  readonly w_s: Linear;
  readonly w_b: Linear;
  /** Score vectors by relation ss, bs, sb, bb (from, to): p with the receiving node, q with the sending one. */
  readonly p: Parameter;
  readonly q: Parameter;
  readonly update_s: Linear;
  readonly update_b: Linear;
  readonly norm_s: LayerNorm;
  readonly norm_b: LayerNorm;
  readonly back_s: CBR;
  readonly back_b: CBR;

  constructor(channels: number) {
    super();
    const to = (width: number): Conv2d => new Conv2d(channels, width, 1, { bias: true });
    const xavier = { init: xavierUniform, biasInit: zerosInit };
    this.assign_s = to(NODES);
    this.assign_b = to(NODES);
    this.state_s = to(WIDTH);
    this.state_b = to(WIDTH);
    this.w_s = new Linear(WIDTH, WIDTH, { bias: false, ...xavier });
    this.w_b = new Linear(WIDTH, WIDTH, { bias: false, ...xavier });
    const vectors = (): Parameter => new Parameter([4, WIDTH], normal(Math.sqrt(1 / (2 * WIDTH))));
    this.p = vectors();
    this.q = vectors();
    this.update_s = new Linear(2 * WIDTH, WIDTH, xavier);
    this.update_b = new Linear(2 * WIDTH, WIDTH, xavier);
    this.norm_s = new LayerNorm(WIDTH);
    this.norm_b = new LayerNorm(WIDTH);
    this.back_s = new CBR(WIDTH, channels, 1, { relu: false });
    this.back_b = new CBR(WIDTH, channels, 1, { relu: false });
  }

  /** X_s, X_b [S, h, w, C] -> J1 (boundary), J2 (region) of that shape. */
  forward(region: Tensor, boundary: Tensor): { j1: Tensor; j2: Tensor } {
    const s = project(this.assign_s, this.state_s, region);
    const b = project(this.assign_b, this.state_b, boundary);
    const z = concat([this.w_s.forward(s.nodes), this.w_b.forward(b.nodes)], { axis: 1 }); // [S, 64, d]
    const message = relu(this.scoped(() => bilateralGraphConv(z, this.p, this.q)));
    const [toS, toB] = split(message, 2, { axis: 1 }) as [Tensor, Tensor];
    const hs = this.norm_s.forward(add(s.nodes, this.update_s.forward(concat([s.nodes, toS], { axis: -1 }))));
    const hb = this.norm_b.forward(add(b.nodes, this.update_b.forward(concat([b.nodes, toB], { axis: -1 }))));
    const back = (q: Tensor, nodes: Tensor, conv: CBR): Tensor =>
      conv.forward(reshape(castTo(matmul(q, nodes), region.dtype), [...region.shape.slice(0, 3), WIDTH]));
    return { j1: relu(add(boundary, back(b.q, hb, this.back_b))), j2: relu(add(region, back(s.q, hs, this.back_s))) };
  }
}
