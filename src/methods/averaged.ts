// SPDX-License-Identifier: MIT
// Trained networks of several runs as one: each output's probabilities are the mean of theirs.
import type { RoiPredictor } from './method.ts';

/** Of predictors with the same outputs on ROIs of one size. They are disposed of with it. */
export function averaged(predictors: readonly RoiPredictor[]): RoiPredictor {
  const [first, ...others] = predictors;
  if (others.length === 0) return first;
  return {
    most: Math.min(...predictors.map(({ most }) => most)),
    async run(images) {
      const sums = (await first.run(images)).map((outputs) => Object.fromEntries(Object.entries(outputs).map(([k, p]) => [k, p.slice()])));
      for (const other of others)
        (await other.run(images)).forEach((outputs, i) => {
          for (const [name, p] of Object.entries(outputs)) {
            const sum = sums[i][name];
            for (let k = 0; k < p.length; k++) sum[k] += p[k];
          }
        });
      for (const outputs of sums)
        for (const sum of Object.values(outputs)) for (let k = 0; k < sum.length; k++) sum[k] /= predictors.length;
      return sums;
    },
    dispose() {
      for (const each of predictors) each.dispose();
    },
  };
}
