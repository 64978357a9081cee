// SPDX-License-Identifier: MIT
// EoFormer's edge-oriented mixers (specification 9.1): a convolution beside fixed stencils, whose strength in each channel is learnt.
import type { Tensor } from '../../engine/tensor.ts';
import { conv3d } from '../../ops/conv.ts';
import { layerNorm } from '../../ops/norm.ts';
import { add, mul } from '../../ops/pointwise.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { PReLU } from '../../nn/activations.ts';
import { castTo } from '../../nn/cast_to.ts';
import { fanInBias, fanInUniform, normal } from '../../nn/init.ts';
import { Conv3d } from '../../nn/convolution.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';

/** 27 numbers, x fastest, of the outer product of three lines. */
const outer = (z: number[], y: number[], x: number[]): number[] => z.flatMap((a) => y.flatMap((b) => x.map((c) => a * b * c)));
const [SMOOTH, STEP] = [
  [1, 2, 1],
  [-1, 0, 1],
];
const STENCILS = {
  sbx: outer(SMOOTH, SMOOTH, STEP),
  sby: outer(SMOOTH, STEP, SMOOTH),
  sbz: outer(STEP, SMOOTH, SMOOTH),
  /** The six neighbours of a voxel less six times itself. */
  lpl: Array.from({ length: 27 }, (_, i) => (i === 13 ? -6 : [4, 10, 12, 14, 16, 22].includes(i) ? 1 : 0)),
};
type Stencil = keyof typeof STENCILS;

/**
 * 1 x 1 x 1 convolution, a border of its own bias, and a stencil of each channel times the channel's scale, plus bias. What a border of
 * zeros becomes in the first convolution is that bias, so the whole is one 3 x 3 x 3 convolution with zeros around: `kernel` and `shift`.
 * Stencils whose sum is 0, as all of these, leave nothing of `b0`; it is a parameter because it is one in public weights.
 */
class Branch extends Module {
  readonly k0: Parameter;
  readonly b0: Parameter;
  readonly scale: Parameter;
  readonly bias: Parameter;
  readonly mask: Parameter;
  constructor(channels: number, stencil: Stencil) {
    super();
    this.k0 = new Parameter([channels, channels, 1, 1, 1], fanInUniform, { layout: 'conv' });
    this.b0 = new Parameter([channels], fanInBias(channels));
    this.scale = new Parameter([channels, 1, 1, 1, 1], normal(1e-3), { decay: false });
    this.bias = new Parameter([channels], normal(1e-3));
    this.mask = new Parameter([channels, 1, 3, 3, 3], ([c]) => Float32Array.from({ length: 27 * c }, (_, i) => STENCILS[stencil][i % 27]), {
      layout: 'conv',
      trainable: false,
    });
  }
  /** [C, 3, 3, 3, C] */
  kernel(): Tensor {
    return mul(mul(this.mask, this.scale), this.k0);
  }
  /** [C] */
  shift(): Tensor {
    return add(this.bias, mul(this.b0, mul(reshape(this.scale, this.b0.shape), sum(this.mask, { axes: [1, 2, 3, 4] }))));
  }
}

/**
 * conv3^3 + branches + x, normalised over channels, PReLU. In training too all branches are one convolution: the same function in one pass
 * over the voxels.
 */
export class EdgeMixer extends Module {
  readonly conv3x3x3: Conv3d;
  readonly conv1x1x1_sbx?: Branch;
  readonly conv1x1x1_sby?: Branch;
  readonly conv1x1x1_sbz?: Branch;
  readonly conv1x1x1_lpl?: Branch;
  readonly act: PReLU;
  constructor(channels: number, stencils: readonly Stencil[]) {
    super();
    this.conv3x3x3 = new Conv3d(channels, channels, 3, { padding: 1, bias: true });
    Object.assign(this, Object.fromEntries(stencils.map((stencil) => [`conv1x1x1_${stencil}`, new Branch(channels, stencil)])));
    this.act = new PReLU(channels);
  }
  /** x [B, D, H, W, C] -> the same */
  forward(x: Tensor): Tensor {
    return this.scoped(() => {
      const branches = [this.conv1x1x1_sbx, this.conv1x1x1_sby, this.conv1x1x1_sbz, this.conv1x1x1_lpl].filter(
        (branch) => branch !== undefined,
      );
      const kernel = branches.reduce((k, branch) => add(k, branch.kernel()), this.conv3x3x3.weight as Tensor);
      const bias = branches.reduce((b, branch) => add(b, branch.shift()), this.conv3x3x3.bias! as Tensor);
      const y = add(conv3d(x, castTo(kernel, x.dtype), { bias: castTo(bias, x.dtype), padding: 1 }), x);
      return this.act.forward(layerNorm(y, null, null, { eps: 1e-5 }));
    });
  }
}

/** Three Sobel stencils: where a boundary is. */
export const EoS = (channels: number): EdgeMixer => new EdgeMixer(channels, ['sbx', 'sby', 'sbz']);
/** The Laplacian: where it turns. */
export const EoL = (channels: number): EdgeMixer => new EdgeMixer(channels, ['lpl']);
