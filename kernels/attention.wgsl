// SPDX-License-Identifier: MIT
// y = softmax(scale q k^T + bias) v without a matrix of scores: online softmax (Milakov & Gimelshein 2018, Dao et al. 2022).
// A workgroup takes 4 WG queries of one slice, a lane four of them; it walks the keys in chunks of KC. The chunk's scores lie in
// workgroup memory, each lane reading back only what it wrote, so there is no barrier and no exchange between lanes.
// Factors of queries and keys and the keys' added term come from attention_norms.wgsl.
// Sums live in arrays with constant indices, that is in registers; what happens once a tile loops over a copy, with bounds that no
// compiler can tell: unrolled, it would compile for seconds. The second of a row becomes log(sum(exp(scores))), all that backward needs.
// @import "lib/attention.wgsl"

override WG: u32 = 8u;
override KC: u32 = 64u;      // keys a chunk, a multiple of 8
override CELLS: u32 = 512u;  // WG KC

// [slices, rows, 4]: factor, log-sum, -, 1 / norm; factors filled by attention_norms.
// One lane reads a factor where another writes a log-sum
@group(0) @binding(6) var<storage, read_write> rows: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;          // [B, heads, groups, rows, dv] by strides

var<workgroup> p: array<vec4<f32>, CELLS>;

// Workgroups: `slices * ceil(rows / (4 * WG))`
@compute @workgroup_size(WG)
fn attention(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
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
  let out = start(z, params.y0, params.yb, params.yh, params.yg) + t * params.yt;

  var high = vec4<f32>(MASKED);
  var sum = vec4<f32>(0.0);
  for (var first = 0u; first < params.keys; first += KC) {
    let n = min(KC, params.keys - first);
    var top = high;
    for (var j = 0u; j < n; j += 8u) {
      var tile = products(q_at, k_first + (first + j) * params.kt, params.kt);
      let end = min(j + 8u, n);
      for (var left = end - j; left > 0u; left--) {
        let i = end - left;
        let s = score(tile[i - j], z, t, scale, first + i);
        p[i * WG + lane] = s;
        top = max(top, s);
      }
    }
    let fade = exp(high - top);
    high = top;
    sum *= fade;
    for (var left = n; left > 0u; left--) {
      let j = n - left;
      let e = exp(p[j * WG + lane] - top);
      sum += e;
      p[j * WG + lane] = e;
    }
    let last = first + n == params.keys;
    let finish = select(vec4<f32>(1.0), select(1.0 / sum, vec4<f32>(0.0), none(high, sum)), last); // no key: 0, as in PyTorch
    for (var c = 0u; c < params.dv; c += 8u) {
      let end = min(c + 8u, params.dv);
      var a = array<vec4<f32>, 8>();
      var v_at = v_first + first * params.vt + c;
      for (var left = n; left > 0u; left--) {
        let j = n - left;
        let e = p[j * WG + lane];
        for (var i = 0u; i < 8u; i++) { a[i] = fma(e, vec4<f32>(f32(v[v_at + i])), a[i]); }
        v_at += params.vt;
      }
      var tile = a;
      for (var left = end - c; left > 0u; left--) {
        let i = end - left;
        var o = tile[i - c];
        let at = out + i;
        if (first > 0u) { // lanes without a query read nothing: another lane is writing the row that they stand on
          var before = vec4<f32>();
          if (valid.x) { before.x = y[at.x]; }
          if (valid.y) { before.y = y[at.y]; }
          if (valid.z) { before.z = y[at.z]; }
          if (valid.w) { before.w = y[at.w]; }
          o = fma(fade, before, o);
        }
        o *= finish;
        if (valid.x) { y[at.x] = o.x; }
        if (valid.y) { y[at.y] = o.y; }
        if (valid.z) { y[at.z] = o.z; }
        if (valid.w) { y[at.w] = o.w; }
      }
    }
  }
  let log_sum = select(high + log(sum), vec4<f32>(0.0), none(high, sum)); // without keys, exp(score - 0) is 0 in the backward
  if (valid.x) { rows[4u * r.x + 1u] = log_sum.x; }
  if (valid.y) { rows[4u * r.y + 1u] = log_sum.y; }
  if (valid.z) { rows[4u * r.z + 1u] = log_sum.z; }
  if (valid.w) { rows[4u * r.w + 1u] = log_sum.w; }
}
