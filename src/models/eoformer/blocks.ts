// SPDX-License-Identifier: MIT
// EoFormer's blocks (specification 9.1): a mixer of voxels and a mixer of channels, each upon a residual; all on [B, D, H, W, C].
// The public Block is called with a position embedding that its signature lacks, and stops there; it is None throughout, and left out here.
import type { Tensor } from '../../engine/tensor.ts';
import { matmul } from '../../ops/matmul.ts';
import { permute } from '../../ops/permute.ts';
import { add, mul } from '../../ops/pointwise.ts';
import { reshape } from '../../ops/reshape.ts';
import { softmax } from '../../ops/softmax.ts';
import { StarReLU } from '../../nn/activations.ts';
import { castTo } from '../../nn/cast_to.ts';
import { DropPath } from '../../nn/dropout.ts';
import { onesInit } from '../../nn/init.ts';
import { Conv3d } from '../../nn/convolution.ts';
import { attentionInit, LayerNorm, Linear } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';

export type Mixer = Module & { forward(x: Tensor): Tensor };

/** Channel norm with scale alone. */
export const channelNorm = (channels: number): LayerNorm => new LayerNorm(channels, 1e-6, { bias: false });

/** Depthwise 3 x 3 x 3 between two linear layers, nothing with a bias. */
export class SepConv extends Module {
  readonly pwconv1: Linear;
  readonly act1 = new StarReLU();
  readonly dwconv: Conv3d;
  readonly pwconv2: Linear;
  constructor(channels: number) {
    super();
    this.pwconv1 = new Linear(channels, 2 * channels, { bias: false });
    this.dwconv = new Conv3d(2 * channels, 2 * channels, 3, { padding: 1, groups: 2 * channels });
    this.pwconv2 = new Linear(2 * channels, channels, { bias: false });
  }
  forward(x: Tensor): Tensor {
    return this.pwconv2.forward(this.dwconv.forward(this.act1.forward(this.pwconv1.forward(x))));
  }
}

/** Attention whose cost is linear in voxels (Shen et al. 2021): keys weigh voxels into one small matrix a head, queries mix its rows. */
export class EfficientAttention extends Module {
  readonly keys: Conv3d;
  readonly queries: Conv3d;
  readonly values: Conv3d;
  readonly reprojection: Conv3d;
  private readonly heads: number;
  constructor(channels: number, heads: number) {
    super();
    const pointwise = (): Conv3d => new Conv3d(channels, channels, 1, { bias: true, ...attentionInit });
    this.keys = pointwise();
    this.queries = pointwise();
    this.values = pointwise();
    this.reprojection = pointwise();
    this.heads = heads;
  }
  forward(x: Tensor): Tensor {
    const [batch, channels, width] = [x.shape[0], x.shape.at(-1)!, x.shape.at(-1)! / this.heads];
    const tokens = (y: Tensor): Tensor => reshape(y, [batch, x.size / batch / channels, channels]);
    // [B, heads, tokens, d]
    const split = (y: Tensor): Tensor => permute(reshape(y, [...y.shape.slice(0, 2), this.heads, width]), [0, 2, 1, 3]);
    const k = split(softmax(tokens(this.keys.forward(x)), 1));
    const q = softmax(split(tokens(this.queries.forward(x))), -1);
    const v = split(tokens(this.values.forward(x)));
    const mixed = matmul(q, matmul(k, v, { transA: true }));
    return this.reprojection.forward(reshape(permute(mixed, [0, 2, 1, 3]), x.shape));
  }
}

class Mlp extends Module {
  readonly fc1: Linear;
  readonly act = new StarReLU();
  readonly fc2: Linear;
  constructor(channels: number) {
    super();
    this.fc1 = new Linear(channels, 4 * channels, { bias: false });
    this.fc2 = new Linear(4 * channels, channels, { bias: false });
  }
  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.act.forward(this.fc1.forward(x)));
  }
}

/** A learnt factor for every channel of the residual. */
class Scale extends Module {
  readonly scale: Parameter;
  constructor(channels: number) {
    super();
    this.scale = new Parameter([channels], onesInit);
  }
  forward(x: Tensor): Tensor {
    return mul(x, castTo(this.scale, x.dtype));
  }
}

export class Block extends Module {
  readonly norm1: LayerNorm;
  readonly token_mixer: Mixer;
  readonly drop_path1: DropPath;
  readonly res_scale1: Scale | null;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;
  readonly drop_path2: DropPath;
  readonly res_scale2: Scale | null;
  constructor(channels: number, mixer: Mixer, { dropPath, scaled }: { dropPath: number; scaled: boolean }) {
    super();
    this.norm1 = channelNorm(channels);
    this.token_mixer = mixer;
    this.drop_path1 = new DropPath(dropPath);
    this.res_scale1 = scaled ? new Scale(channels) : null;
    this.norm2 = channelNorm(channels);
    this.mlp = new Mlp(channels);
    this.drop_path2 = new DropPath(dropPath);
    this.res_scale2 = scaled ? new Scale(channels) : null;
  }
  forward(x: Tensor): Tensor {
    const y = add(this.res_scale1?.forward(x) ?? x, this.drop_path1.forward(this.token_mixer.forward(this.norm1.forward(x))));
    return add(this.res_scale2?.forward(y) ?? y, this.drop_path2.forward(this.mlp.forward(this.norm2.forward(y))));
  }
}
