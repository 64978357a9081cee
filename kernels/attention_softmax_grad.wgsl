// SPDX-License-Identifier: MIT
// Backward of attention between matrix products, on a GPU. Of a piece of the slices, `attention_softmax_grad` makes P and
// dS = P (dP - delta) from q k^T and dy v^T; dv = P^T dy. For dq = dS k and dk = dS^T q, dS carries the factors of its query and key: at
// once, or by `attention_weigh` after the sums of dS itself (the bias, and `attention_key_sums` for the key bias) are taken.
// Cosine scores add the adjoint of the normalisation, `attention_unit`.
// @import "lib/lanes.wgsl"
// @import "lib/attention.wgsl"

override WEIGH: u32 = 1u; // 1: dS is written with its factors
override TAU: u32 = 0u;   // 1: what a query adds to the gradient of the temperature is written

@group(0) @binding(1) var<storage, read> scores: array<f32>;         // [slices, rows, keys] from slice0 on: q k^T; filled by matmul
@group(0) @binding(2) var<storage, read> dp: array<f32>;             // [slices, rows, keys] from slice0 on: dy v^T; filled by matmul
// [all slices, rows]: factor, log-sum, delta, 1 / norm; filled by attention_delta
@group(0) @binding(6) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> ds: array<T>;         // [2, slices, rows, keys] from slice0 on: P, dS
@group(0) @binding(8) var<storage, read_write> sums: array<f32>;     // [all slices, rows | keys]

// LANES neighbouring lanes share a query.
// Workgroups: `ceil(slices * rows * LANES / WG)`
@compute @workgroup_size(WG)
fn attention_softmax_grad(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = own_row(wid, nwg, local, params.slices * params.rows);
  let z = params.slice0 + row.at / params.rows;
  let t = vec4<u32>(row.at % params.rows);
  let r = queries[params.slice0 * params.rows + row.at];
  let first = row.at * params.keys;
  let half = params.slices * params.rows * params.keys;
  var part = 0.0;
  var own_keys = 0u;
  if (row.inside) { own_keys = passes(row.lane, params.keys); }
  for (var left = own_keys; left > 0u; left--) {
    let i = row.lane + (left - 1u) * LANES;
    let product = scores[first + i];
    let w = exp(score(vec4<f32>(product), z, t, vec4<f32>(r.x), i).x - r.y);
    let d = w * (dp[first + i] - r.z);
    let factor = cols[z * params.keys + i].x;
    ds[first + i] = T(w);
    ds[half + first + i] = T(d * select(1.0, r.x * factor, WEIGH == 1u));
    part = fma(d, product * factor, part);
  }
  if (TAU == 0u) { return; }
  let total = lanes_sum(part);
  if (row.inside && row.lane == 0u) { sums[params.slice0 * params.rows + row.at] = total * r.w; }
}

// Workgroups: `ceil(slices * rows * LANES / WG)`
@compute @workgroup_size(WG)
fn attention_weigh(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = own_row(wid, nwg, local, params.slices * params.rows);
  if (!row.inside) { return; }
  let z = params.slice0 + row.at / params.rows;
  let factor = queries[params.slice0 * params.rows + row.at].x;
  let first = (params.slices * params.rows + row.at) * params.keys;
  for (var left = passes(row.lane, params.keys); left > 0u; left--) {
    let i = row.lane + (left - 1u) * LANES;
    ds[first + i] = T(f32(ds[first + i]) * (factor * cols[z * params.keys + i].x));
  }
}

// sums [all slices, keys] = sum of dS over queries; one lane a key.
// Workgroups: `ceil(slices * keys / WG)`
@compute @workgroup_size(WG)
fn attention_key_sums(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + local;
  if (i >= params.slices * params.keys) { return; }
  var at = (params.slices * params.rows + (i / params.keys) * params.rows) * params.keys + i % params.keys;
  var s = 0.0;
  for (var left = params.rows; left > 0u; left--) {
    s += f32(ds[at]);
    at += params.keys;
  }
  sums[params.slice0 * params.keys + i] = s;
}

@group(0) @binding(1) var<storage, read> own: array<T>;          // q, or k whose strides and count then stand for q's
@group(0) @binding(2) var<storage, read> norms: array<vec4<f32>>; // [slices, rows]: w = 1 / norm; filled by attention_norms
@group(0) @binding(7) var<storage, read_write> g: array<T>;      // gradient of the normalised rows times their 1 / norm, laid out like q

// g -= u (u . g) with u = own row / norm; one lane a row.
// Workgroups: `ceil(slices * rows / WG)`
@compute @workgroup_size(WG)
fn attention_unit(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + local;
  if (i >= params.slices * params.rows) { return; }
  let at = start(i / params.rows, params.q0, params.qb, params.qh, params.qg) + (i % params.rows) * params.qt;
  let inverse = norms[i].w;
  var dot = 0.0;
  for (var left = params.d; left > 0u; left--) {
    let c = at + params.d - left;
    dot = fma(f32(own[c]) * inverse, f32(g[c]), dot);
  }
  for (var left = params.d; left > 0u; left--) {
    let c = at + params.d - left;
    g[c] = T(f32(g[c]) - f32(own[c]) * inverse * dot);
  }
}
