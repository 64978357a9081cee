// SPDX-License-Identifier: MIT
// ESG-Conv, edge-supported graph convolution (specification 4.3e): pixels gather from the five nearest of 32 nodes that were
// pooled from edge-gated features. Squared distances grow past f16: pooling and the search for neighbours are f32.
import type { Tensor } from '../../engine/tensor.ts';
import { edgeConvGather, neighbourMax } from '../../ops/edge_conv.ts';
import { split } from '../../ops/layout.ts';
import { linear, matmul } from '../../ops/matmul.ts';
import { l2Normalize } from '../../ops/norm.ts';
import { add, addScalar, div, exp, mul, mulScalar, neg, sigmoid, square, sub } from '../../ops/pointwise.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { softmax } from '../../ops/softmax.ts';
import { topk } from '../../ops/topk.ts';
import { noGrad } from '../../engine/trace.ts';
import { castTo } from '../../nn/cast_to.ts';
import { kaimingFanOut, uniform } from '../../nn/init.ts';
import { BatchNorm, CBR, Linear } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';

const NODES = 32;
const NEIGHBOURS = 5;

export class ESG extends Module {
  readonly mix: CBR;
  readonly gate: CBR;
  /** Anchors mu and widths s, [32, C]. */
  readonly anchors: Parameter;
  readonly sigma: Parameter;
  /** Columns 0..C-1 take V_k - x_n, columns C..2C-1 take x_n. */
  readonly pair: Linear;
  readonly bn: BatchNorm;

  constructor(channels: number) {
    super();
    this.mix = new CBR(channels, channels, 1);
    this.gate = new CBR(channels, channels, 1);
    this.anchors = new Parameter([NODES, channels], uniform(0, 1));
    this.sigma = new Parameter([NODES, channels], uniform(0, 1));
    this.pair = new Linear(2 * channels, channels, { bias: false, init: kaimingFanOut });
    this.bn = new BatchNorm(channels);
  }

  /**
   * J2, J1 [S, h, w, C], edge logits [S, h, w, 1] -> J3 [S, h, w, C]. `selected` (u32 [S, N, 5]) replaces the search for
   * the nearest nodes.
   */
  forward(j2: Tensor, j1: Tensor, edge: Tensor, selected?: Tensor): Tensor {
    const [s, h, w, c] = j2.shape as [number, number, number, number];
    const n = h * w;
    const map = this.mix.forward(add(j2, j1));
    const x = reshape(map, [s, n, c]);
    const gated = reshape(this.gate.forward(mul(castTo(sigmoid(edge), map.dtype), map)), [s, n, c]);
    const nodes = this.scoped(() => this.pool(castTo(gated, 'f32')));
    const nearest =
      selected ?? this.scoped(() => noGrad(() => topk(distances(castTo(x, 'f32'), nodes), NEIGHBOURS, { largest: false }).indices));
    // Wc [V - x; x] = V W1^T + x (W2 - W1)^T: five times fewer products than pair by pair.
    const [w1, w2] = split(this.pair.weight, 2, { axis: 1 }) as [Tensor, Tensor];
    // [S, N, 5, C]
    const pairs = this.scoped(() => edgeConvGather(castTo(linear(nodes, w1), x.dtype), linear(x, castTo(sub(w2, w1), x.dtype)), nearest));
    const y = this.scoped(() => neighbourMax(this.bn.forward(pairs, { relu: true })));
    return reshape(add(x, y), [s, h, w, c]);
  }

  /** x1 f32 [S, N, C] -> unit nodes [S, 32, C]: weighted mean residuals to the anchors, normalised per node, then together. */
  private pool(x1: Tensor): Tensor {
    const [s, , c] = x1.shape as [number, number, number];
    const iv = addScalar(exp(neg(this.sigma)), 1); // 1 / sigmoid(s)
    const scaled = mul(this.anchors, iv);
    // ||(x - mu) iv||^2 = x^2 . iv^2 - 2 x . (mu iv^2) + ||mu iv||^2
    const iv2 = square(iv);
    const squared = add(
      sub(linear(square(x1), iv2), mulScalar(linear(x1, mul(scaled, iv)), 2)),
      reshape(sum(square(scaled), { axes: [1] }), [1, 1, NODES]),
    );
    const q = softmax(mulScalar(squared, -0.5), -1); // [S, N, 32]
    const mass = reshape(sum(q, { axes: [1] }), [s, NODES, 1]);
    // sum_n q (x - mu) iv = (q^T x - mass mu) iv
    const moments = mul(sub(matmul(q, x1, { transA: true }), mul(mass, this.anchors)), iv);
    const v = l2Normalize(div(moments, addScalar(mass, 1e-9)));
    return reshape(l2Normalize(reshape(v, [s, NODES * c])), [s, NODES, c]);
  }
}

/** Squared Euclidean distances but for the term that is equal for all nodes: ||v||^2 - 2 x . v, [S, N, 32]. */
function distances(x: Tensor, nodes: Tensor): Tensor {
  const norms = reshape(sum(square(nodes), { axes: [2] }), [nodes.shape[0], 1, NODES]);
  return sub(norms, mulScalar(matmul(x, nodes, { transB: true }), 2));
}
