// SPDX-License-Identifier: MIT
// One convolution, one attention and one graph convolution: buffers, params and grid as the kernel files describe them, and
// the answer in plain JavaScript.
const wave = (n, step) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * step + 1));
const range = (n) => Array.from({ length: n }, (_, i) => i);

/** y [1, 7, 6, 16] = 3 x 3 convolution with padding 1 of x [1, 7, 6, 8], bias added. */
function convolution(subgroup) {
  const [H, W, I, O] = [7, 6, 8, 16];
  const x = wave(H * W * I, 0.37),
    w = wave(O * 9 * I, 0.11),
    bias = wave(O, 0.7);
  const expected = new Float32Array(H * W * O);
  for (const [oy, ox, o] of range(H).flatMap((a) => range(W).flatMap((b) => range(O).map((c) => [a, b, c])))) {
    let s = bias[o];
    for (let ky = 0; ky < 3; ky++) {
      for (let kx = 0; kx < 3; kx++) {
        const [iy, ix] = [oy + ky - 1, ox + kx - 1];
        if (iy < 0 || ix < 0 || iy >= H || ix >= W) continue;
        for (let i = 0; i < I; i++) s += x[(iy * W + ix) * I + i] * w[((o * 3 + ky) * 3 + kx) * I + i];
      }
    }
    expected[(oy * W + ox) * O + o] = s;
  }
  const WG = Math.max(8, Math.min(32, subgroup));
  const SG = subgroup < 8 ? 4 : 8;
  const tiles = Math.ceil((H * W) / 16) * Math.ceil(O / (4 * WG)); // TM x (TN * WG)
  return {
    name: 'conv',
    needsSpec: SG !== 8,
    overrides: { WG },
    grid: [tiles],
    expected,
    buffers: { x, w, bias, other: bias, y: new Float32Array(expected.length).fill(NaN) },
    params: {
      n: 1,
      xd: 1,
      xh: H,
      xw: W,
      xc: I,
      yd: 1,
      yh: H,
      yw: W,
      yc: O,
      gi: I,
      go: O,
      kd: 1,
      kh: 3,
      kw: 3,
      down_z: 1,
      down_y: 1,
      down_x: 1,
      up_z: 1,
      up_y: 1,
      up_x: 1,
      pad_z: 0,
      pad_y: -1,
      pad_x: -1,
      dil_z: -1,
      dil_y: -1,
      dil_x: -1,
      step_z: 1,
      step_y: 1,
      step_x: 1,
      run: 1,
      w_col: 9 * I,
      w_k: 1,
      w_group: O * 9 * I,
      w_z: 9 * I,
      w_y: 3 * I,
      w_x: I,
      has_bias: 1,
      act: 0,
      tiles,
    },
  };
}

/** y = softmax(q k^T / sqrt(d)) v for 2 heads of [T, d]. */
function attention() {
  const [heads, T, d] = [2, 21, 8];
  const q = wave(heads * T * d, 0.3),
    k = wave(heads * T * d, 0.5),
    v = wave(heads * T * d, 0.2);
  const expected = new Float32Array(heads * T * d);
  const row = (a, h, t) => a.subarray((h * T + t) * d, (h * T + t + 1) * d);
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < T; t++) {
      const scores = range(T).map((j) => row(q, h, t).reduce((s, a, c) => s + a * row(k, h, j)[c], 0) / Math.sqrt(d));
      const e = scores.map((s) => Math.exp(s - Math.max(...scores)));
      const total = e.reduce((a, b) => a + b);
      for (let c = 0; c < d; c++) expected[(h * T + t) * d + c] = e.reduce((s, p, j) => s + p * row(v, h, j)[c], 0) / total;
    }
  }
  // factor, added term, -, 1 / norm
  const factors = (value) => Float32Array.from({ length: heads * T * 4 }, (_, i) => [value, 0, 0, 1][i % 4]);
  const strides = (name) => ({ [`${name}0`]: 0, [`${name}b`]: heads * T * d, [`${name}h`]: T * d, [`${name}g`]: T * d, [`${name}t`]: d });
  return {
    name: 'attention',
    grid: [heads * Math.ceil(T / 32)],
    expected, // 4 WG queries a workgroup, WG = 8
    buffers: { q, k, v, cols: factors(1), bias: q, rows: factors(1 / Math.sqrt(d)), y: new Float32Array(expected.length).fill(NaN) },
    params: {
      slices: heads,
      heads,
      groups: 1,
      rows: T,
      keys: T,
      d,
      dv: d,
      ...strides('q'),
      ...strides('k'),
      ...strides('v'),
      ...strides('y'),
      bias_b: 0,
      bias_h: 0,
      n0: 1,
      n1: 1,
      n2: 1,
      ahead: 0x7fffffff,
      slice0: 0,
      row0: 0,
      row_count: T,
    },
  };
}

/** y [B, N, O] = a [N, M] x [B, M, C] w^T [O, C]: one adjacency for all graphs. */
function graphConvolution() {
  const [B, N, M, C, O] = [3, 9, 11, 70, 5];
  const a = wave(N * M, 0.4),
    x = wave(B * M * C, 0.1),
    w = wave(O * C, 0.9);
  const expected = Float32Array.from({ length: B * N * O }, (_, at) => {
    const [b, n, o] = [Math.floor(at / (N * O)), Math.floor(at / O) % N, at % O];
    let s = 0;
    for (let m = 0; m < M; m++) for (let c = 0; c < C; c++) s += a[n * M + m] * x[(b * M + m) * C + c] * w[o * C + c];
    return s;
  });
  return {
    name: 'graph_conv',
    grid: [B * Math.ceil(N / 8) * Math.ceil(O / 64)],
    expected,
    buffers: { a, x, w, y: new Float32Array(expected.length).fill(NaN) },
    params: { batch: B, receivers: N, sources: M, features: C, outputs: O, a_batch: 0 },
  };
}

export const problems = (subgroup) => [convolution(subgroup), attention(), graphConvolution()];
