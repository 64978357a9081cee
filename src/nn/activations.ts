// SPDX-License-Identifier: MIT
// Activations with learnt parameters. What has none is a function of src/ops.
import { expectArguments, fields, integer, maybe, scalar } from '../check.ts';
import type { Tensor } from '../engine/tensor.ts';
import { prelu } from '../ops/nonlinear.ts';
import { add, mul, relu, square } from '../ops/pointwise.ts';
import { castTo } from './cast_to.ts';
import { constant } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

/** x [..., C], where it is negative times the slope of its channel, or one slope for all (PyTorch's default). */
export class PReLU extends Module {
  readonly weight: Parameter;
  constructor(channels = 1, { slope = 0.25 }: { slope?: number } = {}) {
    super();
    expectArguments('PReLU', { channels: integer(1), options: fields({ slope: maybe(scalar) }) }, [channels, { slope }]);
    this.weight = new Parameter([channels], constant(slope));
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => prelu(x, castTo(this.weight, x.dtype)));
  }
}

/** scale relu(x)^2 + bias, each one learnt number (MetaFormer baselines, Yu et al. 2022). */
export class StarReLU extends Module {
  readonly scale: Parameter;
  readonly bias: Parameter;
  constructor({ scale = 1, bias = 0 }: { scale?: number; bias?: number } = {}) {
    super();
    expectArguments('StarReLU', { options: fields({ scale: maybe(scalar), bias: maybe(scalar) }) }, [{ scale, bias }]);
    this.scale = new Parameter([1], constant(scale));
    this.bias = new Parameter([1], constant(bias));
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => add(mul(square(relu(x)), castTo(this.scale, x.dtype)), castTo(this.bias, x.dtype)));
  }
}
