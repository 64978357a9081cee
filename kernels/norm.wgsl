// SPDX-License-Identifier: MIT
// Norms over the last axis of x [rows, n]; LANES neighbouring lanes share a row.
//   layer  y = (x - mean) * rstd * gamma + beta       rms  y = x * rstd * gamma (MEAN = false)
//   l2     y = x / max(|x|, eps); a row of zeros gives zeros and gets no gradient
// Statistics are f32 and two-pass: the variance is the mean of (x - mean)^2. gamma and beta are f32 whatever x is.
// `norm_dweight`: a lane owns PER neighbouring V of columns (as in batch_norm.wgsl) and walks down `chunk` rows; its partial sums are added
// up by reduce_cols.
// @import "lib/lanes.wgsl"
// @import "lib/nan.wgsl"

alias V = f32; // @spec f32 f16 vec4<f32> vec4<f16>
alias A = f32; // @spec V: f32 f32 vec4<f32> vec4<f32>
const W = 1.0; // @spec V: 1.0 1.0 4.0 4.0
const PER = 1u; // @spec 1u 4u
override MEAN: bool = true;   // subtract the mean
override AFFINE: bool = true; // use gamma (and beta where MEAN); else any buffer may be bound for them
override BETA: bool = true;   // false: gamma alone
override ADD: bool = false;   // z is added; else any buffer may be bound for it

struct Params {
  rows: u32, n: u32, // rows; elements a row, in V
  eps: f32,          // added to the variance (rms: to the mean square); l2: least norm
  chunk: u32,        // norm_dweight: rows of a part
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;              // [rows, n]; l2_dx: the result y
@group(0) @binding(2) var<storage, read> gamma: array<A>;          // [n]
@group(0) @binding(3) var<storage, read> beta: array<A>;           // [n]
@group(0) @binding(4) var<storage, read_write> y: array<V>;        // [rows, n]
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;  // [rows, 2]: mean, 1 / sqrt(var + eps); l2 [rows]: 1 / |x|
@group(0) @binding(6) var<storage, read> stats_in: array<f32>;     // the same, backward; filled by norm or l2
@group(0) @binding(7) var<storage, read> dy: array<V>;             // [rows, n]
@group(0) @binding(8) var<storage, read_write> dx: array<V>;       // [rows, n]
@group(0) @binding(9) var<storage, read_write> dgamma: array<A>;   // [parts, n]
@group(0) @binding(10) var<storage, read_write> dbeta: array<A>;   // [parts, n]
@group(0) @binding(11) var<storage, read> z: array<V>;             // [rows, n]: norm: a residual; norm_dx: what others give to dx

fn flat(a: A) -> f32 {
  let r = a; // @spec V: a a a.x+a.y+a.z+a.w a.x+a.y+a.z+a.w
  return r;
}

// Workgroups: `ceil(rows * LANES / WG)`
@compute @workgroup_size(WG)
fn norm(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let row = own_row(wid, nwg, lid.x, params.rows);
  let lane = row.lane;
  let base = row.at * params.n;
  let count = f32(params.n) * W;
  var mean = 0.0;
  if (MEAN) {
    var acc = A(0.0);
    for (var left = passes(lane, params.n); left > 0u; left--) {
      let i = lane + (left - 1u) * LANES;
      acc += A(x[base + i]);
    }
    mean = lanes_sum(flat(acc)) / count;
  }
  var squares = A(0.0);
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    let d = A(x[base + i]) - mean;
    squares += d * d;
  }
  let rstd = inverseSqrt(lanes_sum(flat(squares)) / count + params.eps);
  if (!row.inside) { return; }
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    var v = (A(x[base + i]) - mean) * rstd;
    if (AFFINE) { v = v * gamma[i]; }
    if (AFFINE && MEAN && BETA) { v = v + beta[i]; }
    if (ADD) { v = v + A(z[base + i]); }
    y[base + i] = V(v);
  }
  if (lane == 0u) {
    stats[2u * row.at] = mean;
    stats[2u * row.at + 1u] = rstd;
  }
}

// With h = (x - mean) rstd and g = dy gamma: dx = rstd (g - mean(g) - h mean(g h)); the middle term only where MEAN.
// Workgroups: `ceil(rows * LANES / WG)`
@compute @workgroup_size(WG)
fn norm_dx(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let row = own_row(wid, nwg, lid.x, params.rows);
  let lane = row.lane;
  let base = row.at * params.n;
  let mean = stats_in[2u * row.at];
  let rstd = stats_in[2u * row.at + 1u];
  var sum_g = A(0.0);
  var sum_gh = A(0.0);
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    var g = A(dy[base + i]);
    if (AFFINE) { g = g * gamma[i]; }
    sum_g += g;
    sum_gh += g * ((A(x[base + i]) - mean) * rstd);
  }
  let count = f32(params.n) * W;
  var c1 = 0.0;
  if (MEAN) { c1 = lanes_sum(flat(sum_g)) / count; }
  let c2 = lanes_sum(flat(sum_gh)) / count;
  if (!row.inside) { return; }
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    var g = A(dy[base + i]);
    if (AFFINE) { g = g * gamma[i]; }
    var v = rstd * (g - c1 - (A(x[base + i]) - mean) * rstd * c2);
    if (ADD) { v = v + A(z[base + i]); }
    dx[base + i] = V(v);
  }
}

// Workgroups: `ceil(ceil(rows / chunk) * n / (PER * WG))`
@compute @workgroup_size(WG)
fn norm_dweight(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let local = lid.x;
  let t = ((wid.x + wid.y * nwg.x) * WG + local) * PER; // part * n + column
  let parts = (params.rows + params.chunk - 1u) / params.chunk;
  if (t >= parts * params.n) { return; }
  let first = (t / params.n) * params.chunk;
  let last = min(first + params.chunk, params.rows);
  let column = t % params.n;
  var sum_g: array<A, PER>;
  var sum_gh: array<A, PER>;
  for (var left = last - first; left > 0u; left--) {
    let row = last - left;
    let i = row * params.n + column;
    for (var v = 0u; v < PER; v++) {
      let g = A(dy[i + v]);
      sum_g[v] += g;
      sum_gh[v] += g * ((A(x[i + v]) - stats_in[2u * row]) * stats_in[2u * row + 1u]);
    }
  }
  for (var v = 0u; v < PER; v++) {
    dgamma[t + v] = sum_gh[v];
    dbeta[t + v] = sum_g[v];
  }
}

// Workgroups: `ceil(rows * LANES / WG)`
@compute @workgroup_size(WG)
fn l2(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let row = own_row(wid, nwg, lid.x, params.rows);
  let lane = row.lane;
  let base = row.at * params.n;
  var squares = A(0.0);
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    let v = A(x[base + i]);
    squares += v * v;
  }
  let length = sqrt(lanes_sum(flat(squares)));
  if (!row.inside) { return; }
  let factor = select(1.0 / nan_max(length, params.eps), 0.0, length == 0.0);
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    y[base + i] = V(A(x[base + i]) * factor);
  }
  if (lane == 0u) { stats[row.at] = select(factor, -factor, length <= params.eps); } // negative: the length was clamped
}

// dx = (dy - y (y . dy)) / |x|, and dy / eps where the length was clamped to eps: there y is linear in x.
// Workgroups: `ceil(rows * LANES / WG)`
@compute @workgroup_size(WG)
fn l2_dx(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let row = own_row(wid, nwg, lid.x, params.rows);
  let lane = row.lane;
  let base = row.at * params.n;
  var acc = A(0.0);
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    acc += A(x[base + i]) * A(dy[base + i]);
  }
  let factor = stats_in[row.at];
  let product = lanes_sum(flat(acc));
  let along = select(0.0, product, factor > 0.0 || is_nan(product)); // NaN: an infinite x, whose factor is 0
  if (!row.inside) { return; }
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    dx[base + i] = V((A(dy[base + i]) - A(x[base + i]) * along) * abs(factor));
  }
}
