// SPDX-License-Identifier: MIT
// Times the GEMM and convolution kernels as src/ops lowers them, with tiles forced, against a float64 sample.
//   node bench/lab/conv_tiles.mjs [CASE-FILTER] [TILE,TILE,...] [ROUNDS] [f32 | f16]
// TILE: `auto`, register tiles TMxTN, workgroup tiles bTMxTN, subgroup matrices mRMxRN, with s8 behind it by eight subgroups (f16).
import { importSource, Lab, open, random } from './harness.mjs';

const source = await importSource({
  window: 'ops/window.ts',
  depthwise: 'ops/depthwise.ts',
  gemm: 'ops/gemm.ts',
  specialiser: 'gpu/specialise.ts',
  params: 'gpu/params.ts',
  dtypes: 'engine/dtype.ts',
});
const {
  window: { lowerDown, lowerUp, lowerDweight },
  depthwise,
  gemm: { lowerGemm, TABLE, registers, blocks, matrices },
  specialiser: { specialise },
  params: { packParams },
  dtypes: { toF16, fromF16 },
} = source;

const lab = new Lab(await open());
const dtype = process.argv[5] ?? 'f32';
const sizes = [...(lab.adapter.info.subgroupMatrixConfigs ?? [])].find((c) => c.componentType === 'f16' && c.resultComponentType === 'f32');
const { subgroupMinSize, subgroupMaxSize } = lab.adapter.info;
const software = /llvmpipe|swiftshader/i.test(lab.driver);
const caps = {
  subgroups: true,
  subgroupSize: subgroupMinSize,
  subgroupSizeMax: subgroupMaxSize,
  subgroupMatrix: sizes ?? null,
  software,
  driver: lab.driver,
  limits: lab.adapter.limits,
  tiles: {},
};
const window = (stride, pad, dil = 1, groups = 1, flat = true) => ({
  stride: [flat ? 1 : stride, stride, stride],
  before: [flat ? 0 : pad, pad, pad],
  after: [flat ? 0 : pad, pad, pad],
  dilation: [flat ? 1 : dil, dil, dil],
  groups,
});
const conv2 = (n, s, ci, co, k, stride = 1, groups = 1) => {
  const pad = k >> 1,
    o = Math.floor((s + 2 * pad - k) / stride) + 1;
  return { x: [n, 1, s, s, ci], w: [co, 1, k, k, ci / groups], y: [n, 1, o, o, co], window: window(stride, pad, 1, groups) };
};
const conv3 = (n, s, ci, co, k, stride, pad) => {
  const o = Math.floor((s + 2 * pad - k) / stride) + 1;
  return { x: [n, s, s, s, ci], w: [co, k, k, k, ci], y: [n, o, o, o, co], window: window(stride, pad, 1) };
};
const cases = {
  mm512: { mm: [512, 512, 512, false] },
  mm512nt: { mm: [512, 512, 512, true] },
  mm1024: { mm: [1024, 1024, 1024, false] },
  mm64x192x768: { mm: [64, 192, 768, true] },
  mm704x32x64: { mm: [704, 64, 32, true] },
  '3x3_64_56': conv2(4, 56, 64, 64, 3),
  '3x3_128_20': conv2(1, 20, 128, 128, 3),
  '1x1_256_64_40': conv2(1, 40, 256, 64, 1),
  '7x7s2_3_64_160': conv2(1, 160, 3, 64, 7, 2),
  '3x3x3_32_48': conv3(1, 48, 32, 32, 3, 1, 1),
  dw3x3_64_56: conv2(4, 56, 64, 64, 3, 1, 64),
  stem_tiny: conv2(8, 64, 1, 16, 7, 2),
  '3x3_16_16': conv2(8, 16, 16, 16, 3),
  '3x3_64_4': conv2(8, 4, 64, 64, 3),
  '3x3_128_2': conv2(8, 2, 128, 128, 3),
  '3x3s2_32_8': conv2(8, 16, 32, 32, 3, 2),
  patch16: conv3(1, 64, 1, 192, 16, 16, 0),
  neck3: conv3(1, 4, 384, 384, 3, 1, 1),
};
const numel = (s) => s.reduce((a, b) => a * b, 1);

/** float64 value of one output of `pass`, and its flat index. */
function sample(c, pass, t, i) {
  if (c.mm) {
    const [, n, k, transB] = c.mm,
      r = Math.floor(i / n),
      j = i % n;
    let s = 0;
    for (let q = 0; q < k; q++) s += t.x[r * k + q] * (transB ? t.w[j * k + q] : t.w[q * n + j]);
    return s;
  }
  const [N, D, H, W, C] = c.x,
    [, d, h, v, O] = c.y,
    [, KD, KH, KW, g] = c.w,
    { stride: S, before: P } = c.window,
    gs = O / c.window.groups;
  const out = pass === 'fwd' ? c.y : pass === 'dx' ? c.x : c.w;
  const at = out.map((_, a) => Math.floor(i / numel(out.slice(a + 1))) % out[a]);
  let s = 0;
  const range = (fixed, n) => (fixed === undefined ? Array.from({ length: n }, (_, j) => j) : [fixed]);
  const f =
    pass === 'fwd'
      ? { n: at[0], z: at[1], y: at[2], x: at[3], o: at[4] }
      : pass === 'dx'
        ? { n: at[0], Z: at[1], Y: at[2], X: at[3], C: at[4] }
        : { o: at[0], kz: at[1], ky: at[2], kx: at[3], c: at[4] };
  for (const kz of range(f.kz, KD))
    for (const ky of range(f.ky, KH))
      for (const kx of range(f.kx, KW))
        for (const n of range(f.n, N)) {
          for (const z of f.Z === undefined ? range(f.z, d) : [(f.Z + P[0] - kz) / S[0]])
            for (const y of f.Y === undefined ? range(f.y, h) : [(f.Y + P[1] - ky) / S[1]])
              for (const x of f.X === undefined ? range(f.x, v) : [(f.X + P[2] - kx) / S[2]]) {
                if (
                  !Number.isInteger(z) ||
                  !Number.isInteger(y) ||
                  !Number.isInteger(x) ||
                  z < 0 ||
                  y < 0 ||
                  x < 0 ||
                  z >= d ||
                  y >= h ||
                  x >= v
                )
                  continue;
                const Z = z * S[0] - P[0] + kz,
                  Y = y * S[1] - P[1] + ky,
                  X = x * S[2] - P[2] + kx;
                if (Z < 0 || Y < 0 || X < 0 || Z >= D || Y >= H || X >= W) continue;
                const groupOf = f.C === undefined ? null : Math.floor(f.C / g);
                for (const o of f.o === undefined
                  ? groupOf === null
                    ? range(undefined, O)
                    : Array.from({ length: gs }, (_, j) => groupOf * gs + j)
                  : [f.o])
                  for (const ch of f.C === undefined ? range(f.c, g) : [f.C % g]) {
                    const xv = t.x[(((n * D + Z) * H + Y) * W + X) * C + Math.floor(o / gs) * g + ch],
                      yv = t.y[(((n * d + z) * h + y) * v + x) * O + o],
                      wv = t.w[(((o * KD + kz) * KH + ky) * KW + kx) * g + ch];
                    s += pass === 'fwd' ? xv * wv : pass === 'dx' ? yv * wv : xv * yv;
                  }
              }
        }
  return s;
}

function lowered(c, pass) {
  const scratch = [];
  const context = {
    caps,
    scratch(shape, dtype = 'f32') {
      scratch.push({ shape, dtype, role: 'scratch', index: scratch.length });
      return scratch.at(-1);
    },
  };
  const ref = (name, shape) => ({ name, shape, dtype });
  let list;
  if (c.mm) {
    const [m, n, k, transB] = c.mm;
    list = lowerGemm(context, {
      a: ref('x', [m, k]),
      b: ref('w', [k, n]),
      bias: null,
      y: ref('out', [m, n]),
      m,
      n,
      k,
      aRow: k,
      aK: 1,
      bK: transB ? 1 : n,
      bCol: transB ? k : 1,
    });
  } else {
    const dw = c.w.at(-1) === 1 && c.window.groups > 1;
    const [down, up, dweight] = dw
      ? [depthwise.lowerDepthwiseDown, depthwise.lowerDepthwiseUp, depthwise.lowerDepthwiseDweight]
      : [lowerDown, lowerUp, lowerDweight];
    list =
      pass === 'fwd'
        ? down(context, [ref('x', c.x), ref('w', c.w), null, null, ref('out', c.y)], c.window, 0)
        : pass === 'dx'
          ? up(context, [ref('y', c.y), ref('w', c.w), null, null, ref('out', c.x)], c.window, 0)
          : dweight(context, ref('x', c.x), ref('y', c.y), ref('out', c.w), c.window);
  }
  return { list, scratch };
}

/** The row of the table that forces a tile by its name; none for `auto`. */
function row(name) {
  const [, family, a, b, eight] = /^([bm]?)(\d+)x(\d+)(s8)?$/.exec(name) ?? [];
  if (!a) return [];
  const make = {
    b: () => blocks(+a, +b, 1),
    m: () => matrices(+a, 1, +b, eight ? 4 : 2),
    '': () => registers(+a, +b, /Mesa 2[0-5]/.test(lab.driver), 1),
  }[family]();
  return [{ when: () => true, candidates: (on) => [make(on)] }];
}
const bytes = (x) => (dtype === 'f16' ? Uint16Array.from(x, toF16) : x);

const filter = new RegExp(process.argv[2] ?? '.'),
  tiles = (process.argv[3] ?? 'auto').split(',');
for (const [name, c] of Object.entries(cases))
  for (const pass of c.mm ? ['fwd'] : ['fwd', 'dx', 'dw']) {
    if (!filter.test(`${name} ${pass}`)) continue;
    const shapes = c.mm ? { x: [c.mm[0], c.mm[2]], w: [c.mm[2], c.mm[1]], y: [c.mm[0], c.mm[1]] } : c;
    const rounded = (x) => (dtype === 'f16' ? x.map((v) => fromF16(toF16(v))) : x);
    const host = { x: rounded(random(numel(shapes.x), 1)), w: rounded(random(numel(shapes.w), 2)), y: rounded(random(numel(shapes.y), 3)) };
    const size = numel(pass === 'fwd' ? shapes.y : pass === 'dx' ? shapes.x : shapes.w);
    const named = { x: lab.buffer(bytes(host.x)), w: lab.buffer(bytes(host.w)), y: lab.buffer(bytes(host.y)) };
    const candidates = [];
    for (const tile of tiles) {
      const forced = row(tile);
      TABLE.unshift(...forced);
      const { list, scratch } = lowered(c, pass);
      TABLE.splice(0, forced.length);
      const temporaries = scratch.map((s) => lab.buffer(numel(s.shape) * 4));
      const out = lab.buffer(bytes(new Float32Array(size).fill(NaN)));
      const calls = list.map((d) => {
        const group = Object.fromEntries(
          d.def.bindings.map((b) => {
            const r = d.bindings[b.name];
            return [
              b.binding,
              b.kind === 'uniform'
                ? lab.uniform(new Uint8Array(packParams(d.def, d.params)))
                : r.role === 'scratch'
                  ? temporaries[r.index]
                  : r.name === 'out'
                    ? out
                    : named[r.name],
            ];
          }),
        );
        return lab.call(specialise(d.def, d.spec), d.def.entry, group, d.grid, d.overrides);
      });
      const first = await lab.run(calls);
      const raw = await lab.read(out);
      const got = dtype === 'f16' ? Float32Array.from(new Uint16Array(raw.buffer), fromF16) : raw;
      let worst = 0,
        scale = 0;
      for (let i = 0; i < 60; i++) {
        const at = Math.floor(i * 7919.77) % size,
          want = sample(c, pass, host, at);
        worst = Math.max(worst, Number.isNaN(got[at]) ? Infinity : Math.abs(got[at] - want));
        scale = Math.max(scale, Math.abs(want));
      }
      const auto = list.find((d) => d.spec.TM)?.spec;
      candidates.push({
        label: tile === 'auto' && auto ? `auto ${parseInt(auto.TM)}x${parseInt(auto.TN)}` : tile,
        calls,
        first,
        error: worst / scale,
        splits: list[0].params.splits,
      });
    }
    const ms = await lab.race(candidates, { rounds: Number(process.argv[4] ?? 5) });
    const flops = c.mm ? 2 * c.mm[0] * c.mm[1] * c.mm[2] : 2 * numel(c.y) * numel(c.w.slice(1));
    for (const [i, k] of candidates.entries()) {
      console.log(
        lab.name,
        `${name} ${pass}`.padEnd(20),
        k.label.padEnd(10),
        `${ms[i].toFixed(2)} ms`.padStart(11),
        `${(flops / ms[i] / 1e6).toFixed(1)} GF`.padStart(8),
        `jit ${(2 * (k.first - ms[i])).toFixed(0)} ms`.padStart(14),
        `err ${k.error.toExponential(0)}`,
        k.splits > 1 ? `splits ${k.splits}` : '',
      );
    }
  }
process.exit(0);
