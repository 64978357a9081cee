// SPDX-License-Identifier: MIT
// Backward of attention, from recomputed scores. A piece of the slices x queries is worked on at a time, so that the scratch stays
// bounded whatever the length: `attention_ds` writes P and dS = P (dP - delta) of the piece, `attention_dx` multiplies them with
// k, q and dy (the three gradients are one product), `attention_dbias` and `attention_dpositions` sum dS.
// delta = sum(dy y) of a row (Dao et al. 2022). As in the forward kernel a lane owns four rows and the other side is read uniformly.
// @import "lib/attention.wgsl"

override WG: u32 = 8u;

@group(0) @binding(6) var<storage, read> dy: array<T>;                // y's strides
// [slices, rows]: factor, log-sum, delta, 1 / norm; filled by attention_delta
@group(0) @binding(7) var<storage, read> rows: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> ds: array<f32>;        // [2, slices of the piece, row_count, keys]: P, dS

// Four queries a lane and all keys. One workgroup 4 WG queries of one slice.
// Workgroups: `slices of the piece * ceil(row_count / (4 * WG))`
@compute @workgroup_size(WG)
fn attention_ds(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = (params.row_count + 4u * WG - 1u) / (4u * WG);
  let index = wid.x + wid.y * nwg.x;
  let local = index / tiles;
  if (local >= params.slices) { return; }
  let z = params.slice0 + local;
  let own = (index % tiles) * 4u * WG + lane + vec4<u32>(0u, WG, 2u * WG, 3u * WG);
  let valid = own < vec4<u32>(params.row_count);
  let t = params.row0 + min(own, vec4<u32>(params.row_count - 1u));
  let here = reads(z, t);
  let r = here.r;
  let rx = rows[r.x];
  let ry = rows[r.y];
  let rz = rows[r.z];
  let rw = rows[r.w];
  let scale = vec4<f32>(rx.x, ry.x, rz.x, rw.x);
  let log_sum = vec4<f32>(rx.y, ry.y, rz.y, rw.y);
  let delta = vec4<f32>(rx.z, ry.z, rz.z, rw.z);
  let dy_at = start(z, params.y0, params.yb, params.yh, params.yg) + t * params.yt;
  let q_at = here.q;
  let k_first = here.k;
  var v_at = here.v;
  let to_p = (local * params.row_count + own) * params.keys;
  let to_ds = to_p + params.slices * params.row_count * params.keys;
  for (var key = 0u; key < params.keys; key += 8u) {
    var tile = products(q_at, k_first + key * params.kt, params.kt);
    var a = array<vec4<f32>, 8>();
    for (var left = params.dv; left > 0u; left--) {
      let c = params.dv - left;
      let g = vec4<f32>(f32(dy[dy_at.x + c]), f32(dy[dy_at.y + c]), f32(dy[dy_at.z + c]), f32(dy[dy_at.w + c]));
      for (var j = 0u; j < 8u; j++) { a[j] = fma(g, vec4<f32>(f32(v[v_at + j * params.vt + c])), a[j]); }
    }
    v_at += 8u * params.vt;
    var dp = a; // copies are what the loop below indexes, so that the sums stay in registers
    let end = min(key + 8u, params.keys);
    for (var left = end - key; left > 0u; left--) {
      let j = end - left;
      let w = exp(score(tile[j - key], z, t, scale, j) - log_sum);
      let d = w * (dp[j - key] - delta);
      let i = to_p + j;
      let o = to_ds + j;
      if (valid.x) { ds[i.x] = w.x; ds[o.x] = d.x; }
      if (valid.y) { ds[i.y] = w.y; ds[o.y] = d.y; }
      if (valid.z) { ds[i.z] = w.z; ds[o.z] = d.z; }
      if (valid.w) { ds[i.w] = w.w; ds[o.w] = d.w; }
    }
  }
}
