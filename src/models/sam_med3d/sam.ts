// SPDX-License-Identifier: MIT
// SAM-Med3D (H. Wang et al. 2023) as SA-Net's 3D network: a volume and clicks in, mask logits out (specification 3).
import type { FloatType } from '../../engine/dtype.ts';
import { zeros, type Tensor } from '../../engine/tensor.ts';
import { expand } from '../../ops/expand.ts';
import { reshape } from '../../ops/reshape.ts';
import { resize } from '../../ops/resize.ts';
import { castTo } from '../../nn/cast_to.ts';
import { Module } from '../../nn/module.ts';
import type { SamConfig } from './config.ts';
import { ImageEncoder } from './image_encoder.ts';
import { MaskDecoder } from './mask_decoder.ts';
import { officialIntensities, turned, turnedCoords } from './official.ts';
import { PromptEncoder, type Clicks } from './prompt_encoder.ts';

/**
 * SAM-Med3D (Wang et al. 2023): a volume is encoded once, clicks are decoded against it into a mask's logits. Channels last; state dict
 * with the names of its authors' code, whose released weights `voxelgrad train --init` takes.
 */
export class SamMed3D extends Module {
  readonly image_encoder: ImageEncoder;
  readonly prompt_encoder: PromptEncoder;
  readonly mask_decoder: MaskDecoder;
  readonly config: SamConfig;
  private readonly storage: FloatType;

  /** `storage`: of activations, and of weights where they meet them. What goes in and comes out is f32. */
  constructor(config: SamConfig, storage: FloatType = 'f32') {
    super();
    this.config = config;
    this.storage = storage;
    this.image_encoder = new ImageEncoder(config);
    this.prompt_encoder = new PromptEncoder(config);
    this.mask_decoder = new MaskDecoder();
  }

  /** volume [B, D, H, W, 1] of any size, resized to the cube -> [B, g, g, g, 384] */
  encode(volume: Tensor): Tensor {
    const s = this.config.size;
    const { official } = this.config;
    const cube = volume.shape.slice(1, 4).every((d) => d === s) ? volume : resize(volume, [s, s, s], { mode: 'linear' });
    const seen = official ? turned(officialIntensities(cube, official)) : cube;
    return castTo(this.image_encoder.forward(this.stored(seen)), 'f32');
  }

  /**
   * One decode of B prompts against the embeddings of n volumes, B / n prompts of each one after another. `mask`: low-resolution logits of
   * the previous click, [B, 4g, 4g, 4g, 1]; zeros before the first. Returns low-resolution logits of that shape.
   */
  decode(embedding: Tensor, clicks: Clicks, mask?: Tensor): Tensor {
    const b = clicks.labels.shape[0];
    const g = this.config.size / 16;
    const previous = mask ?? zeros([1, 4 * g, 4 * g, 4 * g, 1]);
    const [n, ...grid] = embedding.shape as [number, ...number[]];
    const image = n === b ? embedding : reshape(expand(reshape(embedding, [n, 1, ...grid]), [n, b / n, ...grid]), [b, ...grid]);
    const { prompt_encoder: prompt } = this;
    const low = this.mask_decoder.forward(
      this.stored(image),
      this.stored(prompt.densePE()),
      this.stored(prompt.sparse(this.config.official ? { ...clicks, coords: turnedCoords(clicks.coords) } : clicks)),
      prompt.dense(this.stored(previous)),
    );
    return castTo(low, 'f32');
  }

  private stored(x: Tensor): Tensor {
    return castTo(x, this.storage);
  }

  /** Low-resolution logits [B, 4g, 4g, 4g, 1] at the volume's size, [B, D, H, W, 1]: by way of the cube, as the official code does. */
  upsample(low: Tensor, size: readonly [number, number, number]): Tensor {
    const s = this.config.size;
    const seen = resize(low, [s, s, s], { mode: 'linear' });
    const cube = this.config.official ? turned(seen) : seen;
    return size.every((d) => d === s) ? cube : resize(cube, size, { mode: 'linear' });
  }
}
