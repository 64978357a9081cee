// SPDX-License-Identifier: MIT
// What a case must give, in float64, at fixed places of every output.
import { inputsOf, numel, places } from '../inputs.mjs';
import { outputsOf } from '../cases.mjs';
import { conv } from './conv.mjs';
import { avgpool, maxpool, permute, resize, windows } from './movers.mjs';
import { attention, matmul } from './products.mjs';
import { batchnorm, groupnorm, layernorm, softmax } from './norms.mjs';
import { LOSSES } from './step_losses.mjs';

const add = ({ x, z }) => ({ y: (i) => x[i] + z[i] });
const chain = ({ x, z, v }) => ({ y: (i) => Math.max(0, x[i] * z[i] + v[i]) * 0.5 + x[i] });
const step = () => ({ y: (i) => LOSSES[i] });

/** By kind: inputs and case -> a function of the place for each output. */
const MOVERS = { add, chain, maxpool, avgpool, resize, windows, permute };
const KINDS = { matmul, conv, attention, softmax, layernorm, groupnorm, batchnorm, ...MOVERS, step };

/** @returns {Record<string, { at: number[], want: number[] }>} */
export function reference(c, pass) {
  const functions = KINDS[c.kind](inputsOf(c), c);
  return Object.fromEntries(
    Object.entries(outputsOf(c, pass)).map(([name, shape]) => {
      const at = places(numel(shape));
      return [name, { at, want: at.map(functions[name]) }];
    }),
  );
}

/** Largest difference allowed: sums are f32 throughout, what is stored may have eleven bits. */
export const tolerance = ({ dtype }) => (dtype === 'f16' ? 5e-3 : 2e-4);

/** Largest difference, in units of the largest value wanted. NaN counts as infinite. */
export function difference(got, want) {
  const scale = Math.max(...want.map(Math.abs), 1e-30);
  return Math.max(...want.map((w, i) => (Number.isFinite(got[i]) ? Math.abs(got[i] - w) / scale : Infinity)));
}
