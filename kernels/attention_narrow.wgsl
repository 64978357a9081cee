// SPDX-License-Identifier: MIT
// attention.wgsl for heads of at most D channels: a lane's four queries and their results stay in its registers (or on its stack), so
// that neither scores nor results pass through memory while it walks over the keys, KT at a time: three times as fast on Mesa 26
// (bench/lab).
// @import "lib/attention.wgsl"

override WG: u32 = 8u;
const D = 16u; // @spec 4u 8u 16u
const KT = 4u; // on Mesa 26 1 takes 1.4 times as long, 8 takes 1.4 to 2.3 times

// [slices, rows, 4]: factor, log-sum, -, 1 / norm; factors filled by attention_norms.
// One lane reads a factor where another writes a log-sum
@group(0) @binding(6) var<storage, read_write> rows: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<T>;            // [B, heads, groups, rows, dv] by strides

// Workgroups: `slices * ceil(rows / (4 * WG))`
@compute @workgroup_size(WG)
fn attention_narrow(
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
  let scale = vec4<f32>(rows[4u * r.x], rows[4u * r.y], rows[4u * r.z], rows[4u * r.w]);
  let q_at = here.q;
  let k_first = here.k;
  let v_first = here.v;

  var x: array<vec4<f32>, D>; // the queries; channels past d are zero
  for (var c = 0u; c < D; c++) {
    if (c < params.d) { x[c] = vec4<f32>(f32(q[q_at.x + c]), f32(q[q_at.y + c]), f32(q[q_at.z + c]), f32(q[q_at.w + c])); }
  }
  var o: array<vec4<f32>, D>;
  var high = vec4<f32>(MASKED);
  var sum = vec4<f32>(0.0);
  let chunks = (params.keys + KT - 1u) / KT;
  for (var left = chunks; left > 0u; left--) {
    let first = (chunks - left) * KT;
    var p: array<vec4<f32>, KT>;
    var top = high;
    for (var j = 0u; j < KT; j++) {
      let key = min(first + j, params.keys - 1u);
      let k_at = k_first + key * params.kt;
      var a = vec4<f32>(0.0);
      for (var c = 0u; c < D; c++) { a = fma(x[c], vec4<f32>(f32(k[k_at + min(c, params.d - 1u)])), a); }
      p[j] = select(vec4<f32>(MASKED), score(a, z, t, scale, key), first + j < params.keys);
      top = max(top, p[j]);
    }
    let fade = exp(high - top);
    high = top;
    sum *= fade;
    for (var j = 0u; j < KT; j++) {
      p[j] = exp(p[j] - top);
      sum += p[j];
    }
    for (var c = 0u; c < D; c++) {
      var a = o[c] * fade;
      for (var j = 0u; j < KT; j++) {
        let v_at = v_first + min(first + j, params.keys - 1u) * params.vt;
        a = fma(p[j], vec4<f32>(f32(v[v_at + min(c, params.dv - 1u)])), a);
      }
      o[c] = a;
    }
  }
  let masked = none(high, sum); // every key, or there is none: 0, as in PyTorch
  let finish = select(1.0 / sum, vec4<f32>(0.0), masked);
  let out = start(z, params.y0, params.yb, params.yh, params.yg) + t * params.yt;
  for (var c = 0u; c < D; c++) {
    if (c < params.dv) {
      let a = o[c] * finish;
      if (valid.x) { y[out.x + c] = T(a.x); }
      if (valid.y) { y[out.y + c] = T(a.y); }
      if (valid.z) { y[out.z + c] = T(a.z); }
      if (valid.w) { y[out.w + c] = T(a.w); }
    }
  }
  let log_sum = select(high + log(sum), vec4<f32>(0.0), masked); // without keys, exp(score - 0) is 0 in the backward
  if (valid.x) { rows[4u * r.x + 1u] = log_sum.x; }
  if (valid.y) { rows[4u * r.y + 1u] = log_sum.y; }
  if (valid.z) { rows[4u * r.z + 1u] = log_sum.z; }
  if (valid.w) { rows[4u * r.w + 1u] = log_sum.w; }
}
