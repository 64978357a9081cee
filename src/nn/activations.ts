// SPDX-License-Identifier: MIT
// Activations as layers, as a Sequential takes them: functions of src/ops, and those with learnt parameters.
import { expectArguments, fields, integer, maybe, oneOf, scalar } from '../check.ts';
import type { Tensor } from '../engine/tensor.ts';
import { celu, geluTanh, hardSigmoid, hardSwish, mish, prelu, selu, softsign } from '../ops/nonlinear.ts';
import { add, elu, gelu, leakyRelu, mul, relu, sigmoid, silu, softplus, square, tanh } from '../ops/pointwise.ts';
import { logSoftmax, softmax } from '../ops/softmax.ts';
import { castTo } from './cast_to.ts';
import { constant } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

/** max(x, 0), element by element. */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return this.scoped(() => relu(x));
  }
}

/** x sigmoid(x), element by element. */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return this.scoped(() => silu(x));
  }
}

/** 1 / (1 + exp(-x)), element by element. */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return this.scoped(() => sigmoid(x));
  }
}

/** tanh(x), element by element. */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return this.scoped(() => tanh(x));
  }
}

/** log(1 + exp(x)), element by element. */
export class Softplus extends Module {
  forward(x: Tensor): Tensor {
    return this.scoped(() => softplus(x));
  }
}

/** x / (1 + |x|), element by element. */
export class Softsign extends Module {
  forward(x: Tensor): Tensor {
    return this.scoped(() => softsign(x));
  }
}

/** min(max(x / 6 + 1/2, 0), 1), element by element. */
export class Hardsigmoid extends Module {
  forward(x: Tensor): Tensor {
    return this.scoped(() => hardSigmoid(x));
  }
}

/** x min(max(x / 6 + 1/2, 0), 1), element by element. */
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return this.scoped(() => hardSwish(x));
  }
}

/** x tanh(log(1 + exp(x))), element by element. */
export class Mish extends Module {
  forward(x: Tensor): Tensor {
    return this.scoped(() => mish(x));
  }
}

/** Self-normalising: 1.0507 x where x is positive, else 1.0507 * 1.6733 (exp(x) - 1). */
export class SELU extends Module {
  forward(x: Tensor): Tensor {
    return this.scoped(() => selu(x));
  }
}

/** x where it is positive, else slope x. */
export class LeakyReLU extends Module {
  private readonly slope: number;
  constructor(slope = 0.01) {
    super();
    expectArguments('LeakyReLU', { slope: scalar }, [slope]);
    this.slope = slope;
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => leakyRelu(x, this.slope));
  }
}

/** x where it is positive, else alpha (exp(x) - 1). */
export class ELU extends Module {
  private readonly alpha: number;
  constructor(alpha = 1) {
    super();
    expectArguments('ELU', { alpha: scalar }, [alpha]);
    this.alpha = alpha;
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => elu(x, this.alpha));
  }
}

/** max(x, 0) + min(alpha (exp(x / alpha) - 1), 0). */
export class CELU extends Module {
  private readonly alpha: number;
  constructor(alpha = 1) {
    super();
    expectArguments('CELU', { alpha: scalar }, [alpha]);
    this.alpha = alpha;
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => celu(x, this.alpha));
  }
}

/** x times the normal distribution's function at x, exact or with `tanh` in place of erf. */
export class GELU extends Module {
  private readonly approximate: 'none' | 'tanh';
  constructor({ approximate = 'none' }: { approximate?: 'none' | 'tanh' } = {}) {
    super();
    expectArguments('GELU', { options: fields({ approximate: oneOf('none', 'tanh') }) }, [{ approximate }]);
    this.approximate = approximate;
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => (this.approximate === 'tanh' ? geluTanh(x) : gelu(x)));
  }
}

/** exp(x) / sum exp(x) along `axis`. */
export class Softmax extends Module {
  private readonly axis: number;
  constructor(axis = -1) {
    super();
    expectArguments('Softmax', { axis: integer() }, [axis]);
    this.axis = axis;
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => softmax(x, this.axis));
  }
}

/** log(softmax(x)) along `axis`, without losing small probabilities. */
export class LogSoftmax extends Module {
  private readonly axis: number;
  constructor(axis = -1) {
    super();
    expectArguments('LogSoftmax', { axis: integer() }, [axis]);
    this.axis = axis;
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => logSoftmax(x, this.axis));
  }
}

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
