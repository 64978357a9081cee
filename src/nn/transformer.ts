// SPDX-License-Identifier: MIT
// Attention with its projections, and the encoder layers made of it: PyTorch's modules and state dicts, tokens [B, T, C].
import { expectArguments, fields, flag, integer, maybe, number, oneOf } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor, noneOrTensor } from '../engine/door.ts';
import { tensor, type Tensor } from '../engine/tensor.ts';
import { attention, attentionPacked } from '../ops/attention.ts';
import { split } from '../ops/layout.ts';
import { linear, matmul } from '../ops/matmul.ts';
import { permute } from '../ops/permute.ts';
import { add, gelu, mulScalar, relu, where } from '../ops/pointwise.ts';
import { reshape } from '../ops/reshape.ts';
import { softmax } from '../ops/softmax.ts';
import { castTo } from './cast_to.ts';
import { Dropout } from './dropout.ts';
import { xavierUniform, zerosInit } from './init.ts';
import { LayerNorm, Linear } from './layers.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

export interface AttentionMasks {
  /** Token i sees tokens 0 ... i. */
  causal?: boolean;
  /**
   * [T, S] or [B | 1, heads | 1, T, S]: numbers are added to the scores; of u32, 1 hides a key from a query (PyTorch's boolean
   * `attn_mask`).
   */
  mask?: Tensor | null;
  /** [B, S] u32: 1 hides a key from all queries, as padding is (PyTorch's `key_padding_mask`). */
  keyPadding?: Tensor | null;
}
const MASKS = { causal: maybe(flag), mask: noneOrTensor, keyPadding: noneOrTensor };

/** -infinity where a u32 mask is 1; numbers as they are. */
function scores(mask: Tensor, dtype: 'f32' | 'f16'): Tensor {
  if (mask.dtype !== 'u32') return castTo(mask, dtype);
  return where(mask, tensor([-Infinity], { shape: [], dtype }), tensor([0], { shape: [], dtype }));
}

/**
 * `nn.MultiheadAttention` with tokens in the second axis (`batch_first`). q [B, T, width], k [B, S, keyWidth], v [B, S, valueWidth] -> [B,
 * T, width]; k and v are q unless given. In training `dropout` falls on the shares of attention, which are then in memory, [B, heads, T,
 * S].
 */
export class MultiheadAttention extends Module {
  readonly in_proj_weight?: Parameter;
  readonly q_proj_weight?: Parameter;
  readonly k_proj_weight?: Parameter;
  readonly v_proj_weight?: Parameter;
  readonly in_proj_bias?: Parameter;
  readonly out_proj: Linear;
  readonly dropout: Dropout;
  private readonly heads: number;

  constructor(width: number, heads: number, options: { dropout?: number; bias?: boolean; keyWidth?: number; valueWidth?: number } = {}) {
    super();
    const kinds = { dropout: maybe(number(0, 1)), bias: maybe(flag), keyWidth: maybe(integer(1)), valueWidth: maybe(integer(1)) };
    expectArguments('MultiheadAttention', { width: integer(1), heads: integer(1), options: fields(kinds) }, [width, heads, options]);
    if (width % heads !== 0) throw new ShapeError(`MultiheadAttention: got ${heads} heads for width ${width}, expected a divisor.`);
    const { dropout = 0, bias = true, keyWidth = width, valueWidth = width } = options;
    if (keyWidth === width && valueWidth === width) {
      this.in_proj_weight = new Parameter([3 * width, width], xavierUniform);
    } else {
      this.q_proj_weight = new Parameter([width, width], xavierUniform);
      this.k_proj_weight = new Parameter([width, keyWidth], xavierUniform);
      this.v_proj_weight = new Parameter([width, valueWidth], xavierUniform);
    }
    if (bias) this.in_proj_bias = new Parameter([3 * width], zerosInit);
    this.out_proj = new Linear(width, width, { bias, biasInit: zerosInit });
    this.dropout = new Dropout(dropout);
    this.heads = heads;
  }

  forward(q: Tensor, k: Tensor = q, v: Tensor = k, masks: AttentionMasks = {}): Tensor {
    expectArguments('MultiheadAttention', { q: aTensor, k: aTensor, v: aTensor, masks: fields(MASKS) }, [q, k, v, masks]);
    return this.scoped(() => this.out_proj.forward(this.attend(q, k, v, masks)));
  }

  private attend(q: Tensor, k: Tensor, v: Tensor, { causal = false, mask, keyPadding }: AttentionMasks): Tensor {
    const dtype = q.dtype as 'f32' | 'f16';
    const added = mask ? scores(mask, dtype) : null;
    const bias = added && (added.shape.length === 2 ? reshape(added, [1, ...added.shape]) : added);
    const keyBias = keyPadding ? scores(keyPadding, dtype) : null;
    const more = { ...(bias && { bias }), ...(keyBias && { keyBias }), causal, heads: this.heads };
    const drops = this.training && this.dropout.p > 0;
    if (q === k && q === v && this.in_proj_weight && !drops) {
      const packed = linear(q, castTo(this.in_proj_weight, dtype), { bias: this.in_proj_bias ? castTo(this.in_proj_bias, dtype) : null });
      return attentionPacked(packed, more);
    }
    const parts = this.projected(q, k, v);
    return drops ? this.dropped(parts, { causal, bias, keyBias }) : attention(...parts, more);
  }

  private projected(q: Tensor, k: Tensor, v: Tensor): [Tensor, Tensor, Tensor] {
    const { dtype } = q;
    const weights = this.in_proj_weight
      ? split(castTo(this.in_proj_weight, dtype), 3, { axis: 0 })
      : [this.q_proj_weight!, this.k_proj_weight!, this.v_proj_weight!].map((w) => castTo(w, dtype));
    const biases = this.in_proj_bias ? split(castTo(this.in_proj_bias, dtype), 3, { axis: 0 }) : [];
    return [q, k, v].map((x, i) => linear(x, weights[i], { bias: biases[i] ?? null })) as [Tensor, Tensor, Tensor];
  }

  /** The same with the shares in memory, where dropout can reach them. */
  private dropped(
    [q, k, v]: readonly [Tensor, Tensor, Tensor],
    { causal, bias, keyBias }: { causal: boolean; bias: Tensor | null; keyBias: Tensor | null },
  ): Tensor {
    const [b, t, width] = q.shape as [number, number, number];
    const s = k.shape[1];
    const d = width / this.heads;
    const byHead = (x: Tensor): Tensor => permute(reshape(x, [b, x.shape[1], this.heads, d]), [0, 2, 1, 3]);
    let logits = matmul(byHead(mulScalar(q, 1 / Math.sqrt(d))), byHead(k), { transB: true });
    if (bias) logits = add(logits, bias);
    if (keyBias) logits = add(logits, reshape(keyBias, [b, 1, 1, s]));
    if (causal) {
      const future = Float32Array.from({ length: t * s }, (_, i) => (i % s > Math.floor(i / s) ? -Infinity : 0));
      logits = add(logits, castTo(tensor(future, { shape: [t, s] }), q.dtype));
    }
    const shares = this.dropout.forward(softmax(logits));
    return reshape(permute(matmul(shares, byHead(v)), [0, 2, 1, 3]), [b, t, width]);
  }
}

export interface EncoderLayerOptions {
  /** Width between the two linear layers; default 2048. */
  feedForward?: number;
  dropout?: number;
  activation?: 'relu' | 'gelu';
  eps?: number;
  /** Norms before attention and linear layers instead of after the sums. */
  normFirst?: boolean;
}

/**
 * `nn.TransformerEncoderLayer`: self-attention and two linear layers, each with a residual, norm and dropout (0.1 unless given). x [B, T,
 * width].
 */
export class TransformerEncoderLayer extends Module {
  readonly self_attn: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;
  private readonly activation: 'relu' | 'gelu';
  private readonly normFirst: boolean;

  constructor(width: number, heads: number, options: EncoderLayerOptions = {}) {
    super();
    const kinds = {
      feedForward: maybe(integer(1)),
      dropout: maybe(number(0, 1)),
      activation: maybe(oneOf('relu', 'gelu')),
      eps: maybe(number(0)),
      normFirst: maybe(flag),
    };
    expectArguments('TransformerEncoderLayer', { width: integer(1), heads: integer(1), options: fields(kinds) }, [width, heads, options]);
    const { feedForward = 2048, dropout = 0.1, activation = 'relu', eps = 1e-5, normFirst = false } = options;
    this.self_attn = new MultiheadAttention(width, heads, { dropout });
    this.linear1 = new Linear(width, feedForward);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(feedForward, width);
    this.norm1 = new LayerNorm(width, eps);
    this.norm2 = new LayerNorm(width, eps);
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.activation = activation;
    this.normFirst = normFirst;
  }

  forward(x: Tensor, masks: AttentionMasks = {}): Tensor {
    const attended = (t: Tensor): Tensor => this.dropout1.forward(this.self_attn.forward(t, t, t, masks));
    const mixed = (t: Tensor): Tensor => {
      const wide = this.linear1.forward(t);
      return this.dropout2.forward(this.linear2.forward(this.dropout.forward(this.activation === 'relu' ? relu(wide) : gelu(wide))));
    };
    if (this.normFirst) {
      const y = add(x, attended(this.norm1.forward(x)));
      return add(y, mixed(this.norm2.forward(y)));
    }
    const y = this.norm1.forward(add(x, attended(x)));
    return this.norm2.forward(add(y, mixed(y)));
  }
}
