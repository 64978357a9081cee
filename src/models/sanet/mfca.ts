// SPDX-License-Identifier: MIT
// MFCA, multi-frequency channel attention (specification 4.2b): channels weighed by statistics of their DCT coefficients.
import { tensor, type Tensor } from '../../engine/tensor.ts';
import { mul, relu, sigmoid } from '../../ops/pointwise.ts';
import { frequencyStatistics } from '../../ops/frequency_statistics.ts';
import { adaptiveAvgPool2d } from '../../ops/pool.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { castTo } from '../../nn/cast_to.ts';
import { Linear } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';

const GRID = 7;
/** The "top 16" frequencies (u, v) of the source. */
const FREQUENCIES = [
  [0, 0],
  [0, 1],
  [6, 0],
  [0, 5],
  [0, 2],
  [1, 0],
  [1, 2],
  [4, 0],
  [5, 0],
  [1, 6],
  [3, 0],
  [0, 4],
  [0, 6],
  [0, 3],
  [3, 5],
  [2, 2],
] as const;

/** D[m, p, q] = b_u(p) b_v(q), orthonormal DCT basis on the 7 x 7 grid; [16 * 49]. */
export function dctTable(): Float32Array {
  const basis = (f: number, p: number): number =>
    (Math.cos((Math.PI * f * (p + 0.5)) / GRID) / Math.sqrt(GRID)) * (f === 0 ? 1 : Math.SQRT2);
  return Float32Array.from(
    FREQUENCIES.flatMap(([u, v]) => Array.from({ length: GRID * GRID }, (_, i) => basis(u, Math.floor(i / GRID)) * basis(v, i % GRID))),
  );
}

export class MFCA extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;
  constructor(channels: number) {
    super();
    this.fc1 = new Linear(channels, channels / 16, { bias: false });
    this.fc2 = new Linear(channels / 16, channels, { bias: false });
  }

  /** x [S, h, w, C] -> the same shape. The statistics of a 7 x 7 map and what follows cost little: f32. */
  forward(x: Tensor): Tensor {
    const [s, , , c] = x.shape as [number, number, number, number];
    const table = tensor(dctTable(), { shape: [FREQUENCIES.length, GRID * GRID] });
    const pooled = castTo(reshape(adaptiveAvgPool2d(x, { size: GRID }), [s, GRID * GRID, c]), 'f32');
    const statistics = this.scoped(() => frequencyStatistics(pooled, table)); // [S, 3, C]
    const scores = this.fc2.forward(relu(this.fc1.forward(statistics)));
    return mul(x, castTo(reshape(sigmoid(sum(scores, { axes: [1] })), [s, 1, 1, c]), x.dtype));
  }
}
