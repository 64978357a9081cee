// SPDX-License-Identifier: MIT
// Values that every engine gets, to the bit, and the layouts it may want them in.

export const numel = (shape) => shape.reduce((n, d) => n * d, 1);

/** Uniform in [-1, 1) by a linear congruential generator. */
export function noise(n, seed) {
  const out = new Float32Array(n);
  let s = seed >>> 0;
  for (let i = 0; i < n; i++) {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    out[i] = (s >>> 8) / 2 ** 23 - 1;
  }
  return out;
}

/** The nearest number that half precision has. */
function half(v) {
  if (v === 0) return 0;
  const unit = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(v)))) - 10);
  return Math.round(v / unit) * unit;
}

/** Inputs of a case by name, in our layout; of an f16 case numbers that f16 holds. */
export const inputsOf = ({ inputs, dtype }) =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, scale = 1, offset = 0 }], i) => {
      const values = noise(numel(shape), 17 * i + 3).map((v) => v * scale + offset);
      return [name, dtype === 'f16' ? values.map(half) : values];
    }),
  );

/** Axes of a dense array in another order. */
export function permute(values, shape, order) {
  const strides = shape.map((_, i) => numel(shape.slice(i + 1)));
  const dims = order.map((axis) => shape[axis]);
  const steps = order.map((axis) => strides[axis]);
  const out = new values.constructor(values.length);
  const last = dims.length - 1;
  const at = dims.map(() => 0);
  let from = 0;
  for (let i = 0; i < out.length;) {
    for (let k = 0; k < dims[last]; k++) out[i++] = values[from + k * steps[last]];
    for (let axis = last - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++at[axis] < dims[axis]) break;
      from -= steps[axis] * dims[axis];
      at[axis] = 0;
    }
  }
  return out;
}

/** [N, ..., C] -> [N, C, ...], and the order that leads back. */
export const channelsFirst = (rank) => [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];
export const inverse = (order) => order.map((_, i) => order.indexOf(i));
export const permuted = (shape, order) => order.map((axis) => shape[axis]);

/** Up to `count` fixed places of an array of n values. */
export function places(n, count = 256, seed = 99) {
  if (n <= count) return Array.from({ length: n }, (_, i) => i);
  return Array.from(noise(count, seed), (v) => Math.min(n - 1, Math.floor(((v + 1) / 2) * n)));
}
