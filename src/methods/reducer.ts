// SPDX-License-Identifier: MIT
// One run on several processes, as a step sees it. Each has its own volumes of an iteration; what they learnt is added up in the order of
// their ranks, so that all of them have the same bits and stay one model.

export interface Reducer {
  /** This process, from 0, and how many there are. */
  readonly rank: number;
  readonly ranks: number;
  /**
   * The sums over all processes, the same bits in each. Every process asks for the same sums in the same order, and they are made in that
   * order. A `gradient` may travel in fewer bits; a `measure` may not. `values` may be overwritten once it has answered.
   */
  sum(values: Float32Array, kind: 'gradient' | 'measure'): Promise<Float32Array>;
}
