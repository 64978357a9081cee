// SPDX-License-Identifier: MIT
// Attention's gradients of q, k and v as one product: g[r] = sum over x of A[r, x] weight[x] B[x], where A is dS, its transpose or
// P's transpose (attention_grad.wgsl), read by strides, and B holds the rows of k, q or dy. Cosine scores add the adjoint of the
// normalisation: gradient = factor (g - u (u . g)) with u = own row / norm. A lane owns four rows and takes eight channels a pass;
// B is read uniformly. `part` gets one value a row for the gradients of the temperature (u . g) and of the key bias (sum of A).
alias T = f32; // @spec f32 f16
alias D = f32; // @spec f32 f16

struct Params {
  heads: u32, groups: u32, slice0: u32, slices: u32, // heads; groups; the piece: its first slice (batch, head, group); how many
  row0: u32, row_count: u32, rows: u32,              // rows written: from row0, row_count of `rows` a slice
  x0: u32, x_count: u32, xs: u32,                    // rows of B: from x0, x_count of `xs` a slice
  a0: u32, az: u32, ar: u32, ax: u32,                // A: first element; stride over slices of the piece; over rows; over x
  d: u32,                                            // channels of a row of B and of g
  b0: u32, bb: u32, bh: u32, bg: u32, bt: u32,       // B: first element; stride over batch; over head; over group; over token
  o0: u32, ob: u32, oh: u32, og: u32, ot: u32,       // own rows (q, k), likewise
  g0: u32, gb: u32, gh: u32, gg: u32, gt: u32,       // gradient written, likewise
  weigh: u32, add: u32,     // 1: times the factor in `weights`; 1: add to what earlier pieces left in g
  finish: u32, scale: f32,  // bits, see fn finish: 1 factor, 2 cosines, 4 and 8 what `part` gets; the scores' factor, for bit 4
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<D>;                 // [2, slices, rows of the piece, keys]; filled by attention_ds
@group(0) @binding(2) var<storage, read> b: array<T>; // rows of k, q or dy
@group(0) @binding(3) var<storage, read> weights: array<vec4<f32>>;   // [all slices, xs]: x = factor; filled by attention_norms
// [all slices, rows]: x = factor, w = 1 / norm; filled by attention_norms
@group(0) @binding(4) var<storage, read> own: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> own_rows: array<T>; // rows of q or k that belong to g, where cosine
@group(0) @binding(6) var<storage, read_write> g: array<T>; // gradient, by its strides
@group(0) @binding(7) var<storage, read_write> part: array<f32>;      // [all slices, rows]

override WG: u32 = 8u;

// @import "lib/slices.wgsl"

// The rest for one row. 8: part = sum of A, from every piece; once every x has been added: 1 the factor, 2 the adjoint of the
// normalisation, 4 part = scale u . g.
fn finish(row: u32, to: u32, from_own: u32, total: f32) {
  if ((params.finish & 8u) != 0u) { part[row] = total + select(0.0, part[row], params.add == 1u); }
  if ((params.finish & 1u) == 0u) { return; }
  let o = own[row];
  var dot = 0.0;
  if ((params.finish & 6u) != 0u) {
    for (var left = params.d; left > 0u; left--) {
      let c = params.d - left;
      dot = fma(f32(own_rows[from_own + c]) * o.w, f32(g[to + c]), dot);
    }
  }
  for (var left = params.d; left > 0u; left--) {
    let c = params.d - left;
    var r = f32(g[to + c]);
    if ((params.finish & 2u) != 0u) { r -= f32(own_rows[from_own + c]) * o.w * dot; }
    g[to + c] = T(r * o.x);
  }
  if ((params.finish & 4u) != 0u) { part[row] = dot * params.scale; }
}

// Workgroups: `slices * ceil(row_count / (4 * WG))`
@compute @workgroup_size(WG)
fn attention_dx(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = (params.row_count + 4u * WG - 1u) / (4u * WG);
  let index = wid.x + wid.y * nwg.x;
  let local = index / tiles;
  if (local >= params.slices) { return; }
  let z = params.slice0 + local;
  let mine = (index % tiles) * 4u * WG + lane + vec4<u32>(0u, WG, 2u * WG, 3u * WG);
  let valid = mine < vec4<u32>(params.row_count);
  let r = min(mine, vec4<u32>(params.row_count - 1u));
  let to = start(z, params.g0, params.gb, params.gh, params.gg) + (params.row0 + r) * params.gt;
  let from_a = params.a0 + local * params.az + r * params.ar;
  let from_b = start(z, params.b0, params.bb, params.bh, params.bg) + params.x0 * params.bt;
  let from_w = z * params.xs + params.x0;
  var total = vec4<f32>(0.0);
  for (var c = 0u; c < params.d; c += 8u) {
    let end = min(c + 8u, params.d);
    var s = array<vec4<f32>, 8>();
    total = vec4<f32>(0.0);
    var ia = from_a;
    var ib = from_b + c;
    for (var left = params.x_count; left > 0u; left--) {
      let x = params.x_count - left;
      var e = vec4<f32>(f32(a[ia.x]), f32(a[ia.y]), f32(a[ia.z]), f32(a[ia.w]));
      total += e;
      if (params.weigh == 1u) { e *= weights[from_w + x].x; }
      for (var i = 0u; i < 8u; i++) { s[i] = fma(e, vec4<f32>(f32(b[ib + i])), s[i]); }
      ia += params.ax;
      ib += params.bt;
    }
    var tile = s; // a copy is what the loop below indexes, so that the sums stay in registers
    for (var left = end - c; left > 0u; left--) {
      let i = end - left;
      var o = tile[i - c];
      let at = to + i;
      if (params.add == 1u) { o += vec4<f32>(f32(g[at.x]), f32(g[at.y]), f32(g[at.z]), f32(g[at.w])); }
      if (valid.x) { g[at.x] = T(o.x); }
      if (valid.y) { g[at.y] = T(o.y); }
      if (valid.z) { g[at.z] = T(o.z); }
      if (valid.w) { g[at.w] = T(o.w); }
    }
  }
  if (params.finish == 0u) { return; }
  let row = z * params.rows + params.row0 + r;
  let from_own = start(z, params.o0, params.ob, params.oh, params.og) + (params.row0 + r) * params.ot;
  for (var i = 0u; i < 4u; i++) {
    if (valid[i]) { finish(row[i], to[i], from_own[i], total[i]); }
  }
}
