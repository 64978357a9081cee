// SPDX-License-Identifier: MIT
// SAM-Med3D (H. Wang et al. 2023) as SA-Net's 3D network: a volume and clicks in, mask logits out (specification 3).
import { zeros, type Tensor } from '../../engine/tensor.ts';
import { expand } from '../../ops/expand.ts';
import { resize } from '../../ops/resize.ts';
import { Module } from '../../nn/module.ts';
import type { SamConfig } from './config.ts';
import { ImageEncoder } from './image_encoder.ts';
import { MaskDecoder } from './mask_decoder.ts';
import { PromptEncoder, type Clicks } from './prompt_encoder.ts';

export class SamMed3D extends Module {
  readonly image_encoder: ImageEncoder;
  readonly prompt_encoder: PromptEncoder;
  readonly mask_decoder: MaskDecoder;
  readonly config: SamConfig;

  constructor(config: SamConfig) {
    super();
    this.config = config;
    this.image_encoder = new ImageEncoder(config);
    this.prompt_encoder = new PromptEncoder(config);
    this.mask_decoder = new MaskDecoder();
  }

  /** volume [B, D, H, W, 1] of any size, resized to the cube -> [B, g, g, g, 384] */
  encode(volume: Tensor): Tensor {
    const s = this.config.size;
    const cubic = volume.shape.slice(1, 4).every((d) => d === s);
    return this.image_encoder.forward(cubic ? volume : resize(volume, [s, s, s], { mode: 'linear' }));
  }

  /**
   * One decode of B prompts against one embedding (broadcast over prompts). `mask`: low-resolution logits of the previous
   * click, [B, 4g, 4g, 4g, 1]; zeros before the first. Returns low-resolution logits of that shape.
   */
  decode(embedding: Tensor, clicks: Clicks, mask?: Tensor): Tensor {
    const b = clicks.labels.shape[0]!;
    const g = this.config.size / 16;
    const previous = mask ?? zeros([1, 4 * g, 4 * g, 4 * g, 1]);
    const image = embedding.shape[0] === b ? embedding : expand(embedding, [b, ...embedding.shape.slice(1)]);
    return this.mask_decoder.forward(image, this.prompt_encoder.densePE(), this.prompt_encoder.sparse(clicks), this.prompt_encoder.dense(previous));
  }

  /** Low-resolution logits [B, 4g, 4g, 4g, 1] at the volume's size, [B, D, H, W, 1]: by way of the cube, as the official code does. */
  upsample(low: Tensor, size: readonly [number, number, number]): Tensor {
    const s = this.config.size;
    const cube = resize(low, [s, s, s], { mode: 'linear' });
    return size.every((d) => d === s) ? cube : resize(cube, size, { mode: 'linear' });
  }
}
