// SPDX-License-Identifier: MIT
// MSA, multi-scale attention (specification 4.2): F = MFCA(lateral), X = CSA(CCA(F)), O = MR(F + X), for levels E2..E5.
import type { Tensor } from '../../engine/tensor.ts';
import { concat } from '../../ops/layout.ts';
import { add } from '../../ops/pointwise.ts';
import { CBR } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { CCA, CSA } from './cross_layer.ts';
import { MFCA } from './mfca.ts';

/** Dilations of the four parallel convolutions, unless said otherwise. */
const RATES: readonly number[] = [1, 2, 4, 8];
const LEVELS = [0, 1, 2, 3];

/** Multi-rate convolutions: x + CBR1(cat of four CBR3 with growing dilation). */
export class MR extends Module {
  readonly branch: CBR[];
  readonly fuse: CBR;
  constructor(channels: number, rates = RATES) {
    super();
    this.branch = rates.map((dilation) => new CBR(channels, channels / 4, 3, { dilation }));
    this.fuse = new CBR(channels, channels, 1);
  }
  forward(x: Tensor): Tensor {
    return add(
      x,
      this.fuse.forward(
        concat(
          this.branch.map((b) => b.forward(x)),
          { axis: -1 },
        ),
      ),
    );
  }
}

export class MSA extends Module {
  readonly mfca: MFCA[];
  readonly cca: CCA;
  readonly csa: CSA;
  readonly mr: MR[];
  constructor(channels: number, rates = RATES) {
    super();
    this.mfca = LEVELS.map(() => new MFCA(channels));
    this.cca = new CCA(channels);
    this.csa = new CSA(channels);
    this.mr = LEVELS.map(() => new MR(channels, rates));
  }

  /** Lateral maps [S, h_i, w_i, C], largest first -> O_2..O_5 of the same shapes. */
  forward(laterals: readonly Tensor[]): Tensor[] {
    const f = laterals.map((x, i) => this.mfca[i].forward(x));
    const x = this.csa.forward(this.cca.forward(f));
    return f.map((y, i) => this.mr[i].forward(add(y, x[i])));
  }
}
