// SPDX-License-Identifier: MIT
// Which order of axes an engine wants for each tensor of a case; null where ours suits it. Conversion happens outside the timing.
import { channelsFirst, inverse, permute, permuted } from '../inputs.mjs';

const MAPS = ['conv', 'groupnorm', 'batchnorm', 'maxpool', 'avgpool', 'resize'];

/** Channels-first engines: x, y, g [N, C, ...], weights [O, I, ...]; attention [B, T, heads, d]. */
export function ncOrder({ kind }, name, rank) {
  if (kind === 'attention') return [0, 2, 1, 3];
  return rank >= 4 && MAPS.includes(kind) && name !== 'gamma' && name !== 'beta' ? channelsFirst(rank) : null;
}

/** TensorFlow: channels last, weights [..., I, O], depthwise [..., O, I]. */
export function tfOrder({ kind, groups }, name, rank) {
  if (kind !== 'conv' || name !== 'w') return null;
  const kernel = Array.from({ length: rank - 2 }, (_, i) => i + 1);
  return groups > 1 ? [...kernel, 0, rank - 1] : [...kernel, rank - 1, 0];
}

/** Values and shape for the engine. */
export const given = (order, values, shape) =>
  order ? { values: permute(values, shape, order), shape: permuted(shape, order) } : { values, shape };

/** And back: values that the engine returned, for a tensor that is `shape` in our layout. */
export const returned = (order, values, shape) => (order ? permute(values, permuted(shape, order), inverse(order)) : values);

/** The input that an output is laid out like: `dw` like `w`, `y` like `x` (q in attention). */
export const likeOf = ({ kind }, output) => (output === 'y' ? (kind === 'attention' ? 'q' : 'x') : output.slice(1));
