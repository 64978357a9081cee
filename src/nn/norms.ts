// SPDX-License-Identifier: MIT
// Norms without running statistics: training and evaluation are one.
import type { Tensor } from '../engine/tensor.ts';
import { expectArguments, fields, flag, integer, maybe, scalar } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { globalResponseNorm } from '../ops/global_response_norm.ts';
import { groupNorm, instanceNorm } from '../ops/group_norm.ts';
import { rmsNorm } from '../ops/norm.ts';
import { reshape } from '../ops/reshape.ts';
import { onesInit, zerosInit } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

/** x [..., C] by its root mean square over C. */
export class RMSNorm extends Module {
  readonly weight: Parameter;
  private readonly eps: number;
  constructor(channels: number, eps = 1e-8) {
    super();
    expectArguments('RMSNorm', { channels: integer(1), eps: scalar }, [channels, eps]);
    this.weight = new Parameter([channels], onesInit);
    this.eps = eps;
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => rmsNorm(x, this.weight, { eps: this.eps }));
  }
}

/** x [N, ..., C] by the statistics of the batch at hand, in evaluation too: PyTorch's batch norm with `track_running_stats` false. */
export class BatchStatisticsNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  private readonly eps: number;
  constructor(channels: number, options: { eps?: number } = {}) {
    super();
    expectArguments('BatchStatisticsNorm', { channels: integer(1), options: fields({ eps: maybe(scalar) }) }, [channels, options]);
    const { eps = 1e-5 } = options;
    this.weight = new Parameter([channels], onesInit);
    this.bias = new Parameter([channels], zerosInit);
    this.eps = eps;
  }
  /** `add` is summed in before the ReLU: the residual of a block. */
  forward(x: Tensor, { relu = false, add = null }: { relu?: boolean; add?: Tensor | null } = {}): Tensor {
    const whole = (t: Tensor): Tensor => reshape(t, [1, -1, t.shape.at(-1)!]); // one sample holds the batch
    return this.scoped(() =>
      reshape(
        groupNorm(whole(x), this.weight, this.bias, { groups: x.shape.at(-1)!, eps: this.eps, relu, add: add && whole(add) }),
        x.shape,
      ),
    );
  }
}

/** x [N, ..., C], normalised over positions and the channels of each group. `relu` and the residual `add` are fused. */
export class GroupNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  private readonly groups: number;
  private readonly eps: number;
  constructor(groups: number, channels: number, options: { eps?: number } = {}) {
    super();
    expectArguments('GroupNorm', { groups: integer(1), channels: integer(1), options: fields({ eps: maybe(scalar) }) }, [
      groups,
      channels,
      options,
    ]);
    const { eps = 1e-5 } = options;
    if (channels % groups !== 0)
      throw new ShapeError(`GroupNorm: got ${groups} groups of ${channels} channels, expected groups that divide them.`);
    this.groups = groups;
    this.eps = eps;
    this.weight = new Parameter([channels], onesInit);
    this.bias = new Parameter([channels], zerosInit);
  }
  forward(x: Tensor, options: { relu?: boolean; add?: Tensor } = {}): Tensor {
    return this.scoped(() => groupNorm(x, this.weight, this.bias, { groups: this.groups, eps: this.eps, ...options }));
  }
}

/** x [N, ..., C], each channel of each sample normalised over its positions; `affine` false (PyTorch's default) has no parameters. */
export class InstanceNorm extends Module {
  readonly weight?: Parameter;
  readonly bias?: Parameter;
  private readonly channels: number;
  private readonly eps: number;
  constructor(channels: number, options: { eps?: number; affine?: boolean } = {}) {
    super();
    const kinds = { eps: maybe(scalar), affine: maybe(flag) };
    expectArguments('InstanceNorm', { channels: integer(1), options: fields(kinds) }, [channels, options]);
    const { eps = 1e-5, affine = false } = options;
    this.channels = channels;
    this.eps = eps;
    if (!affine) return;
    this.weight = new Parameter([channels], onesInit);
    this.bias = new Parameter([channels], zerosInit);
  }
  forward(x: Tensor): Tensor {
    if (x.shape.at(-1) !== this.channels) throw new ShapeError(`InstanceNorm: got [${x.shape}], expected [N, ..., ${this.channels}].`);
    return this.scoped(() => instanceNorm(x, this.weight ?? null, this.bias ?? null, { eps: this.eps }));
  }
}

/** x [N, ..., C], each channel scaled by its share of the norms over all positions; starts as x itself. */
export class GlobalResponseNorm extends Module {
  readonly gamma: Parameter;
  readonly beta: Parameter;
  private readonly eps: number;
  constructor(channels: number, options: { eps?: number } = {}) {
    super();
    expectArguments('GlobalResponseNorm', { channels: integer(1), options: fields({ eps: maybe(scalar) }) }, [channels, options]);
    const { eps = 1e-6 } = options;
    this.eps = eps;
    this.gamma = new Parameter([channels], zerosInit);
    this.beta = new Parameter([channels], zerosInit);
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => globalResponseNorm(x, this.gamma, this.beta, { eps: this.eps }));
  }
}
