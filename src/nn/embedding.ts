// SPDX-License-Identifier: MIT
// A table of rows that are looked up by index.
import { callable, expectArguments, fields, integer, maybe } from '../check.ts';
import { tensor, type Tensor } from '../engine/tensor.ts';
import { embedding } from '../ops/gather.ts';
import { detach, equal, where } from '../ops/pointwise.ts';
import { reshape } from '../ops/reshape.ts';
import { normal, type Initialiser } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

/**
 * Indices [...] (u32 or i32) to rows [..., width] of a table of `count`. The row `paddingIndex` starts as zeros and is not learnt. An index
 * outside is an IndexError where the host knows it, else its row is NaN.
 */
export class Embedding extends Module {
  readonly weight: Parameter;
  private readonly paddingIndex: number | undefined;
  constructor(count: number, width: number, options: { paddingIndex?: number; init?: Initialiser } = {}) {
    super();
    const kinds = { paddingIndex: maybe(integer(0, count - 1)), init: maybe(callable) };
    expectArguments('Embedding', { count: integer(1), width: integer(1), options: fields(kinds) }, [count, width, options]);
    const { paddingIndex, init = normal(1) } = options;
    this.paddingIndex = paddingIndex;
    this.weight = new Parameter([count, width], (shape, seed, id) => {
      const values = init(shape, seed, id);
      return paddingIndex === undefined ? values : values.fill(0, paddingIndex * width, (paddingIndex + 1) * width);
    });
  }
  forward(index: Tensor): Tensor {
    return this.scoped(() => {
      const rows = embedding(index, this.weight);
      if (this.paddingIndex === undefined) return rows;
      const padding = equal(index, tensor([this.paddingIndex], { shape: [], dtype: index.dtype }));
      return where(reshape(padding, [...index.shape, 1]), detach(rows), rows);
    });
  }
}
