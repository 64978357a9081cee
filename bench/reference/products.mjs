// SPDX-License-Identifier: MIT
// Matrix products and attention in float64.

export function matmul({ a, b, g }, { inputs }) {
  const [m, k] = inputs.a.shape;
  const n = inputs.b.shape[1];
  const dot = (length, left, right) => {
    let s = 0;
    for (let i = 0; i < length; i++) s += left(i) * right(i);
    return s;
  };
  return {
    y: (at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      return dot(
        k,
        (r) => a[i * k + r],
        (r) => b[r * n + j],
      );
    },
    da: (at) => {
      const [i, r] = [Math.floor(at / k), at % k];
      return dot(
        n,
        (j) => g[i * n + j],
        (j) => b[r * n + j],
      );
    },
    db: (at) => {
      const [r, j] = [Math.floor(at / n), at % n];
      return dot(
        m,
        (i) => a[i * k + r],
        (i) => g[i * n + j],
      );
    },
  };
}

/** softmax(q k^T / sqrt(d)) v: probabilities and their gradients once a head, on demand. */
export function attention({ q, k, v, g }, { inputs }) {
  const [, , T, d] = inputs.q.shape;
  const scale = 1 / Math.sqrt(d);
  const heads = new Map();
  const row = (a, h, t) => a.subarray((h * T + t) * d, (h * T + t + 1) * d);
  const dot = (a, b) => {
    let s = 0;
    for (let i = 0; i < a.length; i++) s += a[i] * b[i];
    return s;
  };

  function head(h) {
    if (heads.has(h)) return heads.get(h);
    const p = new Float64Array(T * T);
    const ds = new Float64Array(T * T);
    for (let t = 0; t < T; t++) {
      let top = -Infinity;
      for (let j = 0; j < T; j++) {
        p[t * T + j] = dot(row(q, h, t), row(k, h, j)) * scale;
        top = Math.max(top, p[t * T + j]);
      }
      let sum = 0;
      for (let j = 0; j < T; j++) {
        p[t * T + j] = Math.exp(p[t * T + j] - top);
        sum += p[t * T + j];
      }
      let inner = 0;
      for (let j = 0; j < T; j++) {
        p[t * T + j] /= sum;
        ds[t * T + j] = dot(row(g, h, t), row(v, h, j));
        inner += p[t * T + j] * ds[t * T + j];
      }
      for (let j = 0; j < T; j++) ds[t * T + j] = p[t * T + j] * (ds[t * T + j] - inner) * scale;
    }
    heads.set(h, { p, ds });
    return heads.get(h);
  }
  const at = (f) => (i) => f(Math.floor(i / (T * d)), Math.floor(i / d) % T, i % d);
  const along = (weight, values, h, c) => {
    let s = 0;
    for (let j = 0; j < T; j++) s += weight(j) * row(values, h, j)[c];
    return s;
  };
  return {
    y: at((h, t, c) => {
      const { p } = head(h);
      return along((j) => p[t * T + j], v, h, c);
    }),
    dq: at((h, t, c) => {
      const { ds } = head(h);
      return along((j) => ds[t * T + j], k, h, c);
    }),
    dk: at((h, t, c) => {
      const { ds } = head(h);
      return along((j) => ds[j * T + t], q, h, c);
    }),
    dv: at((h, t, c) => {
      const { p } = head(h);
      return along((j) => p[j * T + t], g, h, c);
    }),
  };
}
