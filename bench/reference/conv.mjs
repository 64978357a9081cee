// SPDX-License-Identifier: MIT
// Convolution and its gradients at single places, in float64. Two-dimensional ones have depth 1.

export function conv({ x, w, g }, { inputs, y, rank, stride, padding, groups }) {
  const three = (shape) => (rank === 3 ? shape : [shape[0], 1, ...shape.slice(1)]);
  const [N, XD, XH, XW, XC] = three(inputs.x.shape);
  const [, YD, YH, YW, YC] = three(y);
  const [, KD, KH, KW, I] = three(inputs.w.shape);
  const O = YC / groups;
  const [sz, sy, sx] = [rank === 3 ? stride : 1, stride, stride];
  const [pz, py, px] = [rank === 3 ? padding : 0, padding, padding];
  const split = (at, dims) => {
    const out = [];
    for (let i = dims.length - 1; i >= 0; i--) {
      out[i] = at % dims[i];
      at = Math.floor(at / dims[i]);
    }
    return out;
  };
  const xAt = (n, z, r, c, ch) => (((n * XD + z) * XH + r) * XW + c) * XC + ch;
  const yAt = (n, z, r, c, ch) => (((n * YD + z) * YH + r) * YW + c) * YC + ch;
  const wAt = (o, z, r, c, i) => (((o * KD + z) * KH + r) * KW + c) * I + i;
  /** Output index that reads input i through tap k, or -1. */
  const back = (i, k, p, s, size) => {
    const t = i + p - k;
    return t % s === 0 && t >= 0 && t / s < size ? t / s : -1;
  };

  return {
    y(at) {
      const [n, oz, oy, ox, o] = split(at, [N, YD, YH, YW, YC]);
      const first = Math.floor(o / O) * I;
      let s = 0;
      for (let kz = 0; kz < KD; kz++)
        for (let ky = 0; ky < KH; ky++)
          for (let kx = 0; kx < KW; kx++) {
            const [z, r, c] = [oz * sz + kz - pz, oy * sy + ky - py, ox * sx + kx - px];
            if (z < 0 || r < 0 || c < 0 || z >= XD || r >= XH || c >= XW) continue;
            for (let i = 0; i < I; i++) s += x[xAt(n, z, r, c, first + i)] * w[wAt(o, kz, ky, kx, i)];
          }
      return s;
    },
    dx(at) {
      const [n, z, r, c, ch] = split(at, [N, XD, XH, XW, XC]);
      const [group, i] = [Math.floor(ch / I), ch % I];
      let s = 0;
      for (let kz = 0; kz < KD; kz++)
        for (let ky = 0; ky < KH; ky++)
          for (let kx = 0; kx < KW; kx++) {
            const [oz, oy, ox] = [back(z, kz, pz, sz, YD), back(r, ky, py, sy, YH), back(c, kx, px, sx, YW)];
            if (oz < 0 || oy < 0 || ox < 0) continue;
            for (let o = group * O; o < (group + 1) * O; o++) s += g[yAt(n, oz, oy, ox, o)] * w[wAt(o, kz, ky, kx, i)];
          }
      return s;
    },
    dw(at) {
      const [o, kz, ky, kx, i] = split(at, [YC, KD, KH, KW, I]);
      const ch = Math.floor(o / O) * I + i;
      let s = 0;
      for (let n = 0; n < N; n++)
        for (let oz = 0; oz < YD; oz++)
          for (let oy = 0; oy < YH; oy++) {
            const [z, r] = [oz * sz + kz - pz, oy * sy + ky - py];
            if (z < 0 || r < 0 || z >= XD || r >= XH) continue;
            for (let ox = 0; ox < YW; ox++) {
              const c = ox * sx + kx - px;
              if (c >= 0 && c < XW) s += x[xAt(n, z, r, c, ch)] * g[yAt(n, oz, oy, ox, o)];
            }
          }
      return s;
    },
  };
}
