// SPDX-License-Identifier: MIT
// What the three parts of SAM-Med3D share, with the official names of their parameters.
import type { Tensor } from '../../engine/tensor.ts';
import { normal } from '../../nn/init.ts';
import { Linear } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';
import { PROMPT_DIM } from './config.ts';

/** dim -> hidden -> dim at every token; GELU in the image encoder, ReLU in the decoder. */
export class MlpBlock extends Module {
  readonly lin1: Linear;
  readonly lin2: Linear;
  private readonly activation: (x: Tensor) => Tensor;
  constructor(dim: number, hidden: number, activation: (x: Tensor) => Tensor) {
    super();
    this.lin1 = new Linear(dim, hidden);
    this.lin2 = new Linear(hidden, dim);
    this.activation = activation;
  }
  forward(x: Tensor): Tensor {
    return this.lin2.forward(this.activation(this.lin1.forward(x)));
  }
}

/** Learned vectors of the prompt width, N(0, 1) as PyTorch's Embedding. */
export class Embedding extends Module {
  readonly weight: Parameter;
  constructor(rows: number) {
    super();
    this.weight = new Parameter([rows, PROMPT_DIM], normal(1));
  }
}
