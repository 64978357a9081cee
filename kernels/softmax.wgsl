// SPDX-License-Identifier: MIT
// softmax and log_softmax of x [outer, n, inner] over n, and their gradients:
//   softmax  dx = y (dy - sum y dy)        log_softmax  dx = dy - exp(y) sum dy
// `_rows` (inner = 1): LANES neighbouring lanes share a row. `_cols`: a lane owns one V (four neighbouring columns).
// Three readings of x and one writing: exp is computed twice rather than kept. All arithmetic is f32; the difference to the maximum comes
// first, for m + log(sum) has lost the logarithm where m is large.
// A row of -inf only gives NaN, as in PyTorch.
// @import "lib/lanes.wgsl"

alias V = f32; // @spec f32 f16 vec4<f32> vec4<f16>
alias A = f32; // @spec V: f32 f32 vec4<f32> vec4<f32>
override LOG: bool = false;

struct Params {
  outer: u32, n: u32, inner: u32, // before the axis; along it (rows: in V); behind it (cols: in V)
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;        // forward: [outer, n, inner]
@group(0) @binding(2) var<storage, read_write> y: array<V>;  // [outer, n, inner]
@group(0) @binding(3) var<storage, read> y_in: array<V>;     // backward: the result; filled by softmax_rows or softmax_cols
@group(0) @binding(4) var<storage, read> dy: array<V>;       // [outer, n, inner]
@group(0) @binding(5) var<storage, read_write> dx: array<V>; // [outer, n, inner]

fn flat_sum(a: A) -> f32 {
  let r = a; // @spec V: a a a.x+a.y+a.z+a.w a.x+a.y+a.z+a.w
  return r;
}
fn flat_max(a: A) -> f32 {
  let r = a; // @spec V: a a max(max(a.x,a.y),max(a.z,a.w)) max(max(a.x,a.y),max(a.z,a.w))
  return r;
}

// Workgroups: `ceil(outer * LANES / WG)`
@compute @workgroup_size(WG)
fn softmax_rows(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let row = own_row(wid, nwg, lid.x, params.outer);
  let lane = row.lane;
  let base = row.at * params.n;
  var top = A(x[base]);
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    top = max(top, A(x[base + i]));
  }
  let m = lanes_max(flat_max(top));
  var acc = A(0.0);
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    acc += exp(A(x[base + i]) - m);
  }
  let total = lanes_sum(flat_sum(acc));
  if (!row.inside) { return; }
  let factor = 1.0 / total;
  let rest = log(total);
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    let v = A(x[base + i]);
    if (LOG) { y[base + i] = V(v - m - rest); } else { y[base + i] = V(exp(v - m) * factor); }
  }
}

// Workgroups: `ceil(outer * LANES / WG)`
@compute @workgroup_size(WG)
fn softmax_rows_dx(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let row = own_row(wid, nwg, lid.x, params.outer);
  let lane = row.lane;
  let base = row.at * params.n;
  var acc = A(0.0);
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    let g = A(dy[base + i]);
    if (LOG) { acc += g; } else { acc += g * A(y_in[base + i]); }
  }
  let total = lanes_sum(flat_sum(acc));
  if (!row.inside) { return; }
  for (var left = passes(lane, params.n); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    dx[base + i] = gradient(A(dy[base + i]), A(y_in[base + i]), A(total));
  }
}

fn gradient(g: A, v: A, total: A) -> V {
  if (LOG) { return V(g - exp(v) * total); }
  return V(v * (g - total));
}

@compute @workgroup_size(WG)
fn softmax_cols(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let local = lid.x;
  let t = (wid.x + wid.y * nwg.x) * WG + local; // o * inner + i
  if (t >= params.outer * params.inner) { return; }
  let step = params.inner;
  let base = (t / step) * params.n * step + t % step;
  var m = A(x[base]);
  for (var left = params.n; left > 0u; left--) { let i = base + (params.n - left) * step; m = max(m, A(x[i])); }
  var total = A(0.0);
  for (var left = params.n; left > 0u; left--) { let i = base + (params.n - left) * step; total += exp(A(x[i]) - m); }
  let factor = 1.0 / total;
  let rest = log(total);
  for (var left = params.n; left > 0u; left--) {
    let i = base + (params.n - left) * step;
    let v = A(x[i]);
    if (LOG) { y[i] = V(v - m - rest); } else { y[i] = V(exp(v - m) * factor); }
  }
}

@compute @workgroup_size(WG)
fn softmax_cols_dx(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let local = lid.x;
  let t = (wid.x + wid.y * nwg.x) * WG + local;
  if (t >= params.outer * params.inner) { return; }
  let step = params.inner;
  let base = (t / step) * params.n * step + t % step;
  var total = A(0.0);
  for (var left = params.n; left > 0u; left--) {
    let i = base + (params.n - left) * step;
    let g = A(dy[i]);
    if (LOG) { total += g; } else { total += g * A(y_in[i]); }
  }
  for (var left = params.n; left > 0u; left--) { let i = base + (params.n - left) * step; dx[i] = gradient(A(dy[i]), A(y_in[i]), total); }
}
