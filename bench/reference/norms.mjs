// SPDX-License-Identifier: MIT
// Softmax and normalisations with their gradients, in float64.
const EPS = 1e-5;

export function softmax({ x, g }, { y: [, n] }) {
  const row = (r) => {
    const values = x.subarray(r * n, (r + 1) * n);
    const top = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const e = Float64Array.from(values, (v) => Math.exp(v - top));
    const sum = e.reduce((a, b) => a + b, 0);
    return e.map((v) => v / sum);
  };
  return {
    y: (at) => row(Math.floor(at / n))[at % n],
    dx(at) {
      const r = Math.floor(at / n);
      const p = row(r);
      const inner = p.reduce((s, v, j) => s + v * g[r * n + j], 0);
      return p[at % n] * (g[at] - inner);
    },
  };
}

/** Normalisation over sets of places: `setOf(i)` in [0, sets), all sets equally large; gamma and beta by the last axis. */
function normalised({ x, gamma, beta, g }, c, sets, setOf) {
  const count = x.length / sets;
  const sums = () => new Float64Array(sets);
  const [mean, square, a, b] = [sums(), sums(), sums(), sums()];
  for (let i = 0; i < x.length; i++) mean[setOf(i)] += x[i] / count;
  for (let i = 0; i < x.length; i++) square[setOf(i)] += (x[i] - mean[setOf(i)]) ** 2 / count;
  const inverse = square.map((v) => 1 / Math.sqrt(v + EPS));
  const hat = (i) => (x[i] - mean[setOf(i)]) * inverse[setOf(i)];
  const [dgamma, dbeta] = [new Float64Array(c), new Float64Array(c)];
  for (let i = 0; i < x.length; i++) {
    const h = hat(i);
    dgamma[i % c] += g[i] * h;
    dbeta[i % c] += g[i];
    a[setOf(i)] += (g[i] * gamma[i % c]) / count;
    b[setOf(i)] += (g[i] * gamma[i % c] * h) / count;
  }
  return {
    y: (i) => hat(i) * gamma[i % c] + beta[i % c],
    dx: (i) => (g[i] * gamma[i % c] - a[setOf(i)] - hat(i) * b[setOf(i)]) * inverse[setOf(i)],
    dgamma: (i) => dgamma[i],
    dbeta: (i) => dbeta[i],
  };
}

export const layernorm = (v, { y: [rows, c] }) => normalised(v, c, rows, (i) => Math.floor(i / c));
export const batchnorm = (v, { y }) => normalised(v, y.at(-1), y.at(-1), (i) => i % y.at(-1));
/** One image: the sets are the groups of neighbouring channels. */
export const groupnorm = (v, { y, groups }) => normalised(v, y.at(-1), groups, (i) => Math.floor((i % y.at(-1)) / (y.at(-1) / groups)));
