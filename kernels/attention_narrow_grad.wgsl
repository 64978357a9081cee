// SPDX-License-Identifier: MIT
// Backward of attention_narrow.wgsl: scores are computed again, and neither they nor their gradients pass through memory.
// P = exp(score - log-sum), dP = dy . v, dS = P (dP - delta), delta = sum(dy y) of a query (Dao et al. 2022).
// attention_narrow_dq: a lane owns four queries and walks over the keys; attention_narrow_dkv: four keys, over the queries;
// attention_narrow_dbias: four queries by KB keys of the bias, over the slices that share them. What it owns stays in its registers (or on
// its stack), the other side is read uniformly.
// Cosine scores add the adjoint of the normalisation: gradient = factor (g - u (u . g)) with u = own row / norm.
// @import "lib/attention.wgsl"

override WG: u32 = 8u;
override COSINE: bool = false;
const D = 16u; // @spec 4u 8u 16u
const KT = 4u;
const KB = 8u; // the host counts workgroups by it

// [slices, rows]: factor, log-sum, delta, 1 / norm; then [slices, keys], the cols, whose x becomes the sum of dS (key bias's gradient);
// filled by attention_delta and attention_key_norms
@group(0) @binding(4) var<storage, read_write> stats: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> dy: array<T>;                 // y's strides
@group(0) @binding(7) var<storage, read_write> grad_q: array<T>;       // q's strides
// [slices, rows]: u . g, the temperature's gradient but for the scale
@group(0) @binding(8) var<storage, read_write> dtau: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_k: array<T>;       // k's strides
@group(0) @binding(8) var<storage, read_write> grad_v: array<T>;       // v's strides
@group(0) @binding(7) var<storage, read_write> grad_bias: array<T>;    // [B | 1, heads | 1, rows, keys]

// The stats of four queries or keys, by component.
fn four_stats(at: vec4<u32>) -> mat4x4<f32> { return transpose(mat4x4<f32>(stats[at.x], stats[at.y], stats[at.z], stats[at.w])); }

fn bias_of(z: u32, query: vec4<u32>, key: vec4<u32>) -> vec4<f32> {
  if (BIAS == 0u) { return vec4<f32>(0.0); }
  let at = start(z, 0u, params.bias_b, params.bias_h, 0u) + query * params.keys + key;
  return vec4<f32>(f32(bias[at.x]), f32(bias[at.y]), f32(bias[at.z]), f32(bias[at.w]));
}

// Workgroups: `slices * ceil(rows / (4 * WG))`
@compute @workgroup_size(WG)
fn attention_narrow_dq(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let four = four_of(wid.x + wid.y * nwg.x, lane, WG, params.rows);
  let z = four.z;
  if (z >= params.slices) { return; }
  let t = four.t;
  let valid = four.valid;
  let here = reads(z, t);
  let r = here.r;
  let of_rows = four_stats(r);
  let factor = of_rows[0];
  let log_sum = of_rows[1];
  let delta = of_rows[2];
  let inverse = of_rows[3];
  let y_at = start(z, params.y0, params.yb, params.yh, params.yg) + t * params.yt;
  let q_at = here.q;
  let k_first = here.k;
  let v_first = here.v;

  var x: array<vec4<f32>, D>; // q and dy; channels past their width are zero
  var g: array<vec4<f32>, D>;
  for (var c = 0u; c < D; c++) {
    if (c < params.d) { x[c] = vec4<f32>(f32(q[q_at.x + c]), f32(q[q_at.y + c]), f32(q[q_at.z + c]), f32(q[q_at.w + c])); }
    if (c < params.dv) { g[c] = vec4<f32>(f32(dy[y_at.x + c]), f32(dy[y_at.y + c]), f32(dy[y_at.z + c]), f32(dy[y_at.w + c])); }
  }
  var sum: array<vec4<f32>, D>;
  let chunks = (params.keys + KT - 1u) / KT;
  for (var left = chunks; left > 0u; left--) {
    let first = (chunks - left) * KT;
    for (var j = 0u; j < KT; j++) {
      let key = min(first + j, params.keys - 1u);
      let k_at = k_first + key * params.kt;
      let v_at = v_first + key * params.vt;
      let col = stats[params.slices * params.rows + z * params.keys + key];
      var a = vec4<f32>(0.0);
      var dp = vec4<f32>(0.0);
      for (var c = 0u; c < D; c++) {
        a = fma(x[c], vec4<f32>(f32(k[k_at + min(c, params.d - 1u)])), a);
        dp = fma(g[c], vec4<f32>(f32(v[v_at + min(c, params.dv - 1u)])), dp);
      }
      let seen = (vec4<u32>(key) <= t + params.ahead) & vec4<bool>(first + j < params.keys);
      let p = select(
        vec4<f32>(0.0), exp(max(a * (factor * col.x) + col.y + bias_of(z, t, vec4<u32>(key)), vec4<f32>(MASKED)) - log_sum),
        seen);
      let ds = p * (dp - delta) * col.x;
      for (var c = 0u; c < D; c++) { sum[c] = fma(ds, vec4<f32>(f32(k[k_at + min(c, params.d - 1u)])), sum[c]); }
    }
  }

  var dot = vec4<f32>(0.0);
  for (var c = 0u; c < D; c++) { dot = fma(x[c] * inverse, sum[c], dot); }
  for (var c = 0u; c < D; c++) {
    if (c < params.d) {
      var o = sum[c];
      if (COSINE) { o -= x[c] * inverse * dot; }
      o *= factor;
      if (valid.x) { grad_q[q_at.x + c] = T(o.x); }
      if (valid.y) { grad_q[q_at.y + c] = T(o.y); }
      if (valid.z) { grad_q[q_at.z + c] = T(o.z); }
      if (valid.w) { grad_q[q_at.w + c] = T(o.w); }
    }
  }
  if (valid.x) { dtau[r.x] = dot.x; }
  if (valid.y) { dtau[r.y] = dot.y; }
  if (valid.z) { dtau[r.z] = dot.z; }
  if (valid.w) { dtau[r.w] = dot.w; }
}

// Workgroups: `slices * ceil(keys / (4 * WG))`
@compute @workgroup_size(WG)
fn attention_narrow_dkv(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let four = four_of(wid.x + wid.y * nwg.x, lane, WG, params.keys);
  let z = four.z;
  if (z >= params.slices) { return; }
  let t = four.t;
  let valid = four.valid;
  let r = params.slices * params.rows + z * params.keys + t;
  // Lanes past the last key stand on it and read nothing of its stats, which another lane writes.
  var own = mat4x4<f32>();
  if (valid.x) { own[0] = stats[r.x]; }
  if (valid.y) { own[1] = stats[r.y]; }
  if (valid.z) { own[2] = stats[r.z]; }
  if (valid.w) { own[3] = stats[r.w]; }
  own = transpose(own);
  let factor = own[0];
  let term = own[1];
  let inverse = own[3];
  let q_first = start(z, params.q0, params.qb, params.qh, params.qg);
  let y_first = start(z, params.y0, params.yb, params.yh, params.yg);
  let k_at = start(z, params.k0, params.kb, params.kh, params.kg) + t * params.kt;
  let v_at = start(z, params.v0, params.vb, params.vh, params.vg) + t * params.vt;

  var x: array<vec4<f32>, D>; // k and v; channels past their width are zero
  var u: array<vec4<f32>, D>;
  for (var c = 0u; c < D; c++) {
    if (c < params.d) { x[c] = vec4<f32>(f32(k[k_at.x + c]), f32(k[k_at.y + c]), f32(k[k_at.z + c]), f32(k[k_at.w + c])); }
    if (c < params.dv) { u[c] = vec4<f32>(f32(v[v_at.x + c]), f32(v[v_at.y + c]), f32(v[v_at.z + c]), f32(v[v_at.w + c])); }
  }
  var sum_k: array<vec4<f32>, D>;
  var sum_v: array<vec4<f32>, D>;
  var total = vec4<f32>(0.0);
  let chunks = (params.rows + KT - 1u) / KT;
  for (var left = chunks; left > 0u; left--) {
    let first = (chunks - left) * KT;
    for (var j = 0u; j < KT; j++) {
      let query = min(first + j, params.rows - 1u);
      let q_at = q_first + query * params.qt;
      let y_at = y_first + query * params.yt;
      let row = stats[z * params.rows + query];
      var a = vec4<f32>(0.0);
      var dp = vec4<f32>(0.0);
      for (var c = 0u; c < D; c++) {
        a = fma(x[c], vec4<f32>(f32(q[q_at + min(c, params.d - 1u)])), a);
        dp = fma(u[c], vec4<f32>(f32(dy[y_at + min(c, params.dv - 1u)])), dp);
      }
      let seen = (t <= vec4<u32>(query + params.ahead)) & vec4<bool>(first + j < params.rows);
      let p = select(
        vec4<f32>(0.0), exp(max(a * (row.x * factor) + term + bias_of(z, vec4<u32>(query), t), vec4<f32>(MASKED)) - row.y),
        seen);
      let ds = p * (dp - row.z);
      total += ds;
      let e = ds * row.x;
      for (var c = 0u; c < D; c++) {
        sum_k[c] = fma(e, vec4<f32>(f32(q[q_at + min(c, params.d - 1u)])), sum_k[c]);
        sum_v[c] = fma(p, vec4<f32>(f32(dy[y_at + min(c, params.dv - 1u)])), sum_v[c]);
      }
    }
  }

  var dot = vec4<f32>(0.0);
  for (var c = 0u; c < D; c++) { dot = fma(x[c] * inverse, sum_k[c], dot); }
  for (var c = 0u; c < D; c++) {
    if (c < params.d) {
      var o = sum_k[c];
      if (COSINE) { o -= x[c] * inverse * dot; }
      o *= factor;
      if (valid.x) { grad_k[k_at.x + c] = T(o.x); }
      if (valid.y) { grad_k[k_at.y + c] = T(o.y); }
      if (valid.z) { grad_k[k_at.z + c] = T(o.z); }
      if (valid.w) { grad_k[k_at.w + c] = T(o.w); }
    }
    if (c < params.dv) {
      let o = sum_v[c];
      if (valid.x) { grad_v[v_at.x + c] = T(o.x); }
      if (valid.y) { grad_v[v_at.y + c] = T(o.y); }
      if (valid.z) { grad_v[v_at.z + c] = T(o.z); }
      if (valid.w) { grad_v[v_at.w + c] = T(o.w); }
    }
  }
  if (valid.x) { stats[r.x].x = total.x; }
  if (valid.y) { stats[r.y].x = total.y; }
  if (valid.z) { stats[r.z].x = total.z; }
  if (valid.w) { stats[r.w].x = total.w; }
}

// Workgroups: `extents of the bias (B | 1) * (heads | 1) * ceil(keys / KB) * ceil(rows / (4 * WG))`, KB = 8
@compute @workgroup_size(WG)
fn attention_narrow_dbias(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // Slices of one batch that share an entry lie side by side: those of its head, or all.
  let inner = params.heads * params.groups;
  let batches = select(1u, params.slices / inner, params.bias_b > 0u);
  let heads = select(1u, params.heads, params.bias_h > 0u);
  let sharing = select(inner, params.groups, params.bias_h > 0u);
  let blocks = (params.keys + KB - 1u) / KB;
  let index = wid.x + wid.y * nwg.x;
  let first = (index % blocks) * KB;
  let four = four_of(index / blocks, lane, WG, params.rows);
  let own = four.z;
  if (own >= batches * heads) { return; }
  let t = four.t;
  let valid = four.valid;
  let first_slice = (own / heads) * inner + (own % heads) * params.groups;
  var term: array<vec4<f32>, KB>;
  for (var j = 0u; j < KB; j++) { term[j] = bias_of(first_slice, t, vec4<u32>(min(first + j, params.keys - 1u))); }

  var sum: array<vec4<f32>, KB>;
  let count = sharing * (params.slices / inner / batches);
  for (var left = count; left > 0u; left--) {
    let s = count - left;
    let z = first_slice + (s / sharing) * inner + s % sharing;
    let here = reads(z, t);
    let of_rows = four_stats(here.r);
    let y_at = start(z, params.y0, params.yb, params.yh, params.yg) + t * params.yt;
    let q_at = here.q;
    let k_first = here.k;
    let v_first = here.v;
    var x: array<vec4<f32>, D>;
    var g: array<vec4<f32>, D>;
    for (var c = 0u; c < D; c++) {
      if (c < params.d) { x[c] = vec4<f32>(f32(q[q_at.x + c]), f32(q[q_at.y + c]), f32(q[q_at.z + c]), f32(q[q_at.w + c])); }
      if (c < params.dv) { g[c] = vec4<f32>(f32(dy[y_at.x + c]), f32(dy[y_at.y + c]), f32(dy[y_at.z + c]), f32(dy[y_at.w + c])); }
    }
    for (var j = 0u; j < KB; j++) {
      let key = min(first + j, params.keys - 1u);
      let col = stats[params.slices * params.rows + z * params.keys + key];
      var a = vec4<f32>(0.0);
      var dp = vec4<f32>(0.0);
      for (var c = 0u; c < D; c++) {
        a = fma(x[c], vec4<f32>(f32(k[k_first + key * params.kt + min(c, params.d - 1u)])), a);
        dp = fma(g[c], vec4<f32>(f32(v[v_first + key * params.vt + min(c, params.dv - 1u)])), dp);
      }
      let p = exp(max(a * (of_rows[0] * col.x) + col.y + term[j], vec4<f32>(MASKED)) - of_rows[1]);
      sum[j] += select(vec4<f32>(0.0), p * (dp - of_rows[2]), vec4<u32>(key) <= t + params.ahead);
    }
  }

  let out = (own * params.rows + t) * params.keys + first;
  for (var j = 0u; j < KB; j++) {
    if (first + j < params.keys) {
      if (valid.x) { grad_bias[out.x + j] = T(sum[j].x); }
      if (valid.y) { grad_bias[out.y + j] = T(sum[j].y); }
      if (valid.z) { grad_bias[out.z + j] = T(sum[j].z); }
      if (valid.w) { grad_bias[out.w + j] = T(sum[j].w); }
    }
  }
}
