// SPDX-License-Identifier: MIT
// Layers without parameters that change a tensor's places: pooling, upsampling, flattening, and none. Options are those of the functions in
// src/ops.
import { expectArguments, fields, flag, integer, maybe, number, oneOf, perAxis } from '../check.ts';
import { ShapeError } from '../errors.ts';
import type { Tensor } from '../engine/tensor.ts';
import {
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  type AvgPoolOptions,
} from '../ops/pool.ts';
import { POOL, type PoolOptions } from '../ops/pool_axes.ts';
import { reshape } from '../ops/reshape.ts';
import { resize } from '../ops/resize.ts';
import { Module } from './module.ts';

type PerAxis = number | readonly number[];
type Window<O extends PoolOptions> = Omit<O, 'kernel'>;

class Pooling<O extends PoolOptions> extends Module {
  protected readonly options: O;
  constructor(kernel: PerAxis, options: Window<O>) {
    super();
    const kinds = { ...POOL, countIncludePad: maybe(flag) };
    expectArguments(new.target.name, { options: fields(kinds) }, [{ ...options, kernel }]);
    this.options = { ...options, kernel } as O;
  }
}
class MaxPooling extends Pooling<PoolOptions> {
  constructor(kernel: PerAxis, options: Window<PoolOptions> = {}) {
    super(kernel, options);
  }
}
class AvgPooling extends Pooling<AvgPoolOptions> {
  constructor(kernel: PerAxis, options: Window<AvgPoolOptions> = {}) {
    super(kernel, options);
  }
}

/** x [N, W, C]: the largest of each window; `stride` is `kernel` unless given. */
export class MaxPool1d extends MaxPooling {
  forward(x: Tensor): Tensor {
    return this.scoped(() => maxPool1d(x, this.options));
  }
}
/** x [N, H, W, C], as MaxPool1d. */
export class MaxPool2d extends MaxPooling {
  forward(x: Tensor): Tensor {
    return this.scoped(() => maxPool2d(x, this.options));
  }
}
/** x [N, D, H, W, C], as MaxPool1d. */
export class MaxPool3d extends MaxPooling {
  forward(x: Tensor): Tensor {
    return this.scoped(() => maxPool3d(x, this.options));
  }
}
/** x [N, W, C]: the mean of each window; zeros of the padding count unless `countIncludePad` is false. */
export class AvgPool1d extends AvgPooling {
  forward(x: Tensor): Tensor {
    return this.scoped(() => avgPool1d(x, this.options));
  }
}
/** x [N, H, W, C], as AvgPool1d. */
export class AvgPool2d extends AvgPooling {
  forward(x: Tensor): Tensor {
    return this.scoped(() => avgPool2d(x, this.options));
  }
}
/** x [N, D, H, W, C], as AvgPool1d. */
export class AvgPool3d extends AvgPooling {
  forward(x: Tensor): Tensor {
    return this.scoped(() => avgPool3d(x, this.options));
  }
}

class AdaptivePooling extends Module {
  protected readonly size: PerAxis;
  /** `size`: how many means along each axis. */
  constructor(size: PerAxis) {
    super();
    expectArguments(new.target.name, { size: perAxis(1) }, [size]);
    this.size = size;
  }
}
/** x [N, W, C] -> [N, size, C]: means of bins that cover the axis. */
export class AdaptiveAvgPool1d extends AdaptivePooling {
  forward(x: Tensor): Tensor {
    if (x.shape.length !== 3) throw new ShapeError(`AdaptiveAvgPool1d: got [${x.shape}], expected [N, W, C].`);
    const [n, w, c] = x.shape as [number, number, number];
    return this.scoped(() => {
      const y = adaptiveAvgPool2d(reshape(x, [n, 1, w, c]), { size: [1, [this.size].flat()[0]] });
      return reshape(y, [n, y.shape[2], c]);
    });
  }
}
/** x [N, H, W, C] -> [N, size, size, C], as AdaptiveAvgPool1d. */
export class AdaptiveAvgPool2d extends AdaptivePooling {
  forward(x: Tensor): Tensor {
    return this.scoped(() => adaptiveAvgPool2d(x, { size: this.size }));
  }
}
/** x [N, D, H, W, C] -> [N, size, size, size, C], as AdaptiveAvgPool1d. */
export class AdaptiveAvgPool3d extends AdaptivePooling {
  forward(x: Tensor): Tensor {
    return this.scoped(() => adaptiveAvgPool3d(x, { size: this.size }));
  }
}

export interface UpsampleOptions {
  /** Places along each spatial axis afterwards, or how many times as many as before: one of the two. */
  size?: PerAxis;
  scale?: PerAxis;
  /** `nearest` (PyTorch's default), or `linear`: PyTorch's bilinear and trilinear. */
  mode?: 'nearest' | 'linear';
  alignCorners?: boolean;
}

/** x [N, ..., C] with other spatial sizes: `nn.Upsample`. */
export class Upsample extends Module {
  private readonly options: UpsampleOptions;
  constructor(options: UpsampleOptions) {
    super();
    const scales = (where: string, what: string, v: unknown): void => {
      for (const one of [v].flat()) number(0)(where, what, one);
    };
    const kinds = { size: maybe(perAxis(1)), scale: maybe(scales), mode: maybe(oneOf('nearest', 'linear')), alignCorners: maybe(flag) };
    expectArguments('Upsample', { options: fields(kinds) }, [options]);
    if ((options.size === undefined) === (options.scale === undefined))
      throw new ShapeError('Upsample: got both or none of size and scale, expected one.', 'new Upsample({ scale: 2 })');
    this.options = options;
  }
  forward(x: Tensor): Tensor {
    const { size, scale, mode = 'nearest', alignCorners } = this.options;
    const spatial = x.shape.slice(1, -1);
    const each = (v: PerAxis): readonly number[] => (typeof v === 'number' ? spatial.map(() => v) : v);
    const to = size === undefined ? spatial.map((d, i) => Math.floor(d * each(scale!)[i])) : each(size);
    // PyTorch looks by the factor where one is given, not by the quotient of the sizes.
    const factor = scale === undefined || alignCorners ? {} : { scale: [...each(scale)] };
    return this.scoped(() => resize(x, to, { mode, ...factor, ...(alignCorners === undefined ? {} : { alignCorners }) }));
  }
}

/**
 * Axes `start` to `end` as one. Places and channels are flattened in the engine's order, [H, W, C]: a linear layer that PyTorch trained
 * behind its own flattening expects [C, H, W] (docs/porting.md).
 */
export class Flatten extends Module {
  private readonly start: number;
  private readonly end: number;
  constructor(start = 1, end = -1) {
    super();
    expectArguments('Flatten', { start: integer(), end: integer() }, [start, end]);
    this.start = start;
    this.end = end;
  }
  forward(x: Tensor): Tensor {
    const rank = x.shape.length;
    const [a, b] = [this.start, this.end].map((axis) => (axis < 0 ? axis + rank : axis)) as [number, number];
    if (!(a >= 0 && a <= b && b < rank))
      throw new ShapeError(`Flatten: got axes ${this.start} to ${this.end} for [${x.shape}], expected two of its axes in order.`);
    const one = x.shape.slice(a, b + 1).reduce((p, d) => p * d, 1);
    return this.scoped(() => reshape(x, [...x.shape.slice(0, a), one, ...x.shape.slice(b + 1)]));
  }
}

/** x itself. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}
