// SPDX-License-Identifier: MIT
// Prompt encoder of SAM-Med3D: clicks and the previous mask as tokens (specification 3.3). Axes of coordinates: D, H, W.
import { tensor, type Tensor } from '../../engine/tensor.ts';
import { expand } from '../../ops/expand.ts';
import { concat } from '../../ops/layout.ts';
import { matmul } from '../../ops/matmul.ts';
import { add, addScalar, cos, gelu, mul, mulScalar, neg, sin } from '../../ops/pointwise.ts';
import { reshape } from '../../ops/reshape.ts';
import { normal } from '../../nn/init.ts';
import { Conv3d } from '../../nn/convolution.ts';
import { LayerNorm } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';
import { Embedding } from './blocks.ts';
import { PROMPT_DIM, type SamConfig } from './config.ts';

/** Random Fourier features of coordinates in [0, 1]^3: sin v, cos v, sin v with v = 2 pi (2c - 1) Gm. */
class PositionEncoding extends Module {
  readonly positional_encoding_gaussian_matrix: Parameter;
  constructor() {
    super();
    this.positional_encoding_gaussian_matrix = new Parameter([3, PROMPT_DIM / 3], normal(1), { trainable: false });
  }
  /** coords [..., 3] -> [..., 384] */
  forward(coords: Tensor): Tensor {
    const v = mulScalar(matmul(addScalar(mulScalar(coords, 2), -1), this.positional_encoding_gaussian_matrix), 2 * Math.PI);
    const s = sin(v);
    return concat([s, cos(v), s], { axis: -1 });
  }
}

/** Clicks on the device. coords [B, n, 3] in [0, 1] (D, H, W); labels [B, n], 1 = foreground, 0 = background. */
export interface Clicks {
  readonly coords: Tensor;
  readonly labels: Tensor;
}

export class PromptEncoder extends Module {
  readonly pe_layer: PositionEncoding;
  /** [background click, foreground click] */
  readonly point_embeddings: [Embedding, Embedding];
  readonly not_a_point_embed: Embedding;
  readonly no_mask_embed: Embedding;
  /** conv, norm, (GELU), conv, norm, (GELU), conv at indices 0, 1, 3, 4, 6 */
  readonly mask_downscaling: (Module | null)[];
  private readonly grid: number;
  private readonly official: boolean;

  constructor({ size, official }: SamConfig) {
    super();
    this.official = official !== undefined;
    this.grid = size / 16;
    this.pe_layer = new PositionEncoding();
    this.point_embeddings = [new Embedding(1), new Embedding(1)];
    this.not_a_point_embed = new Embedding(1);
    this.no_mask_embed = new Embedding(1);
    this.mask_downscaling = [
      new Conv3d(1, 4, 2, { stride: 2, bias: true }),
      new LayerNorm(4, 1e-6),
      null,
      new Conv3d(4, 16, 2, { stride: 2, bias: true }),
      new LayerNorm(16, 1e-6),
      null,
      new Conv3d(16, PROMPT_DIM, 1, { bias: true }),
    ];
  }

  /** Position of every grid cell: [1, g, g, g, 384]. Clicks and grid agree, but in the official code, which swaps two axes here. */
  densePE(): Tensor {
    const g = this.grid;
    const coords = new Float32Array(g ** 3 * 3);
    for (let i = 0; i < g ** 3; i++)
      coords.set(
        (this.official
          ? [Math.floor(i / g) % g, Math.floor(i / (g * g)), i % g]
          : [Math.floor(i / (g * g)), Math.floor(i / g) % g, i % g]
        ).map((k) => (k + 0.5) / g),
        i * 3,
      );
    return reshape(this.pe_layer.forward(tensor(coords, { shape: [g ** 3, 3] })), [1, g, g, g, PROMPT_DIM]);
  }

  /** The clicks, [B, n + 1, 384], then one token that says "no further point". */
  sparse({ coords, labels }: Clicks): Tensor {
    const [b, n] = labels.shape as [number, number];
    const label = reshape(labels, [b, n, 1]);
    const kind = add(mul(label, this.point_embeddings[1].weight), mul(addScalar(neg(label), 1), this.point_embeddings[0].weight));
    const tokens = add(this.pe_layer.forward(coords), kind);
    const padding = expand(reshape(this.not_a_point_embed.weight, [1, 1, PROMPT_DIM]), [b, 1, PROMPT_DIM]);
    return concat([tokens, padding], { axis: 1 });
  }

  /** mask [B, 4g, 4g, 4g, 1] (low-resolution logits of the previous click) -> [B, g, g, g, 384] */
  dense(mask: Tensor): Tensor {
    return this.mask_downscaling.reduce<Tensor>((x, layer) => (layer === null ? gelu(x) : (layer as Conv3d | LayerNorm).forward(x)), mask);
  }

  /** Without a mask: one learned vector everywhere, [1, 1, 1, 1, 384]. */
  noMask(): Tensor {
    return reshape(this.no_mask_embed.weight, [1, 1, 1, 1, PROMPT_DIM]);
  }
}
