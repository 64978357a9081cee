// SPDX-License-Identifier: MIT
// Mask decoder of SAM-Med3D: a two-way transformer between prompt tokens and the image, then upscaling (specification 3.4).
import type { Tensor } from '../../engine/tensor.ts';
import { attention } from '../../ops/attention.ts';
import { expand } from '../../ops/expand.ts';
import { concat, slice } from '../../ops/layout.ts';
import { matmul } from '../../ops/matmul.ts';
import { add, gelu, relu } from '../../ops/pointwise.ts';
import { reshape } from '../../ops/reshape.ts';
import { castTo } from '../../nn/cast_to.ts';
import { ConvTranspose3d } from '../../nn/convolution.ts';
import { LayerNorm, Linear } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { Embedding, MlpBlock } from './blocks.ts';
import { PROMPT_DIM } from './config.ts';

const HEADS = 8;
const MASK_TOKENS = 4;

class TokenAttention extends Module {
  readonly q_proj: Linear;
  readonly k_proj: Linear;
  readonly v_proj: Linear;
  readonly out_proj: Linear;
  constructor(dim: number, inner: number) {
    super();
    this.q_proj = new Linear(dim, inner);
    this.k_proj = new Linear(dim, inner);
    this.v_proj = new Linear(dim, inner);
    this.out_proj = new Linear(inner, dim);
  }
  /** q [B, T, dim], k and v [B, U, dim] -> [B, T, dim] */
  forward(q: Tensor, k: Tensor, v: Tensor): Tensor {
    const heads = [this.q_proj.forward(q), this.k_proj.forward(k), this.v_proj.forward(v)] as const;
    return this.out_proj.forward(this.scoped(() => attention(...heads, { heads: HEADS })));
  }
}

export class TwoWayLayer extends Module {
  readonly self_attn = new TokenAttention(PROMPT_DIM, PROMPT_DIM);
  readonly norm1 = new LayerNorm(PROMPT_DIM);
  readonly cross_attn_token_to_image = new TokenAttention(PROMPT_DIM, PROMPT_DIM / 2);
  readonly norm2 = new LayerNorm(PROMPT_DIM);
  readonly mlp = new MlpBlock(PROMPT_DIM, 2048, relu);
  readonly norm3 = new LayerNorm(PROMPT_DIM);
  readonly cross_attn_image_to_token = new TokenAttention(PROMPT_DIM, PROMPT_DIM / 2);
  readonly norm4 = new LayerNorm(PROMPT_DIM);
  private readonly first: boolean;

  constructor(first: boolean) {
    super();
    this.first = first;
  }

  /** `tokenPE` are the initial tokens. The first layer's self attention replaces the tokens and adds no position. */
  forward(tokens: Tensor, image: Tensor, tokenPE: Tensor, imagePE: Tensor): [tokens: Tensor, image: Tensor] {
    let t: Tensor;
    if (this.first) {
      t = this.self_attn.forward(tokens, tokens, tokens);
    } else {
      const q = add(tokens, tokenPE);
      t = add(tokens, this.self_attn.forward(q, q, tokens));
    }
    t = this.norm1.forward(t);
    t = this.norm2.forward(add(t, this.cross_attn_token_to_image.forward(add(t, tokenPE), add(image, imagePE), image)));
    t = this.norm3.forward(add(t, this.mlp.forward(t)));
    const attended = this.cross_attn_image_to_token.forward(add(image, imagePE), add(t, tokenPE), t);
    return [t, this.norm4.forward(add(image, attended))];
  }
}

class TwoWayTransformer extends Module {
  readonly layers = [new TwoWayLayer(true), new TwoWayLayer(false)];
  readonly final_attn_token_to_image = new TokenAttention(PROMPT_DIM, PROMPT_DIM / 2);
  readonly norm_final_attn = new LayerNorm(PROMPT_DIM);

  forward(image: Tensor, imagePE: Tensor, tokens: Tensor): [tokens: Tensor, image: Tensor] {
    let t = tokens;
    let i = image;
    for (const layer of this.layers) [t, i] = layer.forward(t, i, tokens, imagePE);
    const last = this.final_attn_token_to_image.forward(add(t, tokens), add(i, imagePE), i);
    return [this.norm_final_attn.forward(add(t, last)), i];
  }
}

class Mlp extends Module {
  readonly layers: Linear[];
  constructor(...widths: number[]) {
    super();
    this.layers = widths.slice(1).map((w, i) => new Linear(widths[i], w));
  }
  forward(x: Tensor): Tensor {
    return this.layers.reduce((y, layer, i) => (i < this.layers.length - 1 ? relu(layer.forward(y)) : layer.forward(y)), x);
  }
}

export class MaskDecoder extends Module {
  readonly transformer = new TwoWayTransformer();
  readonly iou_token = new Embedding(1);
  readonly mask_tokens = new Embedding(MASK_TOKENS);
  /** transposed convolution, norm, (GELU), transposed convolution, (GELU) at indices 0, 1, 3 */
  readonly output_upscaling = [
    new ConvTranspose3d(PROMPT_DIM, PROMPT_DIM / 4, 2, { stride: 2 }),
    new LayerNorm(PROMPT_DIM / 4, 1e-6),
    null,
    new ConvTranspose3d(PROMPT_DIM / 4, PROMPT_DIM / 8, 2, { stride: 2 }),
  ] as const;
  readonly output_hypernetworks_mlps = Array.from(
    { length: MASK_TOKENS },
    () => new Mlp(PROMPT_DIM, PROMPT_DIM, PROMPT_DIM, PROMPT_DIM / 8),
  );
  /** In the official state dict, never trained there and never run here. */
  readonly iou_prediction_head = new Mlp(PROMPT_DIM, 256, 256, MASK_TOKENS);

  /**
   * embedding [B, g, g, g, 384], densePE [1, g, g, g, 384], sparse [B, n, 384], dense broadcastable to the embedding
   * -> logits of mask 0, [B, 4g, 4g, 4g, 1].
   */
  forward(embedding: Tensor, densePE: Tensor, sparse: Tensor, dense: Tensor): Tensor {
    const b = sparse.shape[0];
    const g = densePE.shape[1];
    const fixed = castTo(concat([this.iou_token.weight, this.mask_tokens.weight], { axis: 0 }), sparse.dtype);
    const tokens = concat([expand(reshape(fixed, [1, 1 + MASK_TOKENS, PROMPT_DIM]), [b, 1 + MASK_TOKENS, PROMPT_DIM]), sparse], {
      axis: 1,
    });
    const source = add(embedding, dense);
    const [out, image] = this.transformer.forward(
      reshape(source, [b, g ** 3, PROMPT_DIM]),
      reshape(densePE, [1, g ** 3, PROMPT_DIM]),
      tokens,
    );
    const [up1, norm, , up2] = this.output_upscaling;
    const up = gelu(up2.forward(gelu(norm.forward(up1.forward(reshape(image, [b, g, g, g, PROMPT_DIM]))))));
    const token = reshape(slice(out, { axis: 1, start: 1, end: 2 }), [b, PROMPT_DIM]);
    const hyper = this.output_hypernetworks_mlps[0].forward(token);
    const voxels = (4 * g) ** 3;
    const mask = matmul(reshape(up, [b, voxels, PROMPT_DIM / 8]), reshape(hyper, [b, PROMPT_DIM / 8, 1]));
    return reshape(mask, [b, 4 * g, 4 * g, 4 * g, 1]);
  }
}
