// SPDX-License-Identifier: MIT
// y[r, c] = max over j of x[r, j, c], and which j it was (the first among equal ones, the first NaN): the pooling of an edge convolution.
// The gradient goes to that j alone. One lane a result; 64 a workgroup, folded over a 2D grid.
// @import "lib/nan.wgsl"
alias T = f32; // @spec f32 f16

struct Params {
  n: u32, k: u32, channels: u32, // elements written; neighbours a row; channels
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;             // [rows, k, channels]
@group(0) @binding(2) var<storage, read_write> y: array<T>;       // [rows, channels]
@group(0) @binding(3) var<storage, read_write> which: array<u32>; // [rows, channels]

@compute @workgroup_size(64)
fn neighbour_max(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i >= params.n) { return; }
  let first = (i / params.channels) * params.k * params.channels + i % params.channels;
  var best = f32(x[first]);
  var at = 0u;
  var sum = best;
  for (var left = params.k - 1u; left > 0u; left--) {
    let j = params.k - left;
    let value = f32(x[first + j * params.channels]);
    sum += value;
    let better = value > best;
    best = select(best, value, better);
    at = select(at, j, better);
  }
  if (is_nan(sum)) {
    for (var left = params.k; left > 0u; left--) {
      let j = left - 1u;
      if (is_nan(f32(x[first + j * params.channels]))) { best = sum; at = j; }
    }
  }
  y[i] = T(best);
  which[i] = at;
}

@group(0) @binding(1) var<storage, read> dy: array<T>;            // [rows, channels]
@group(0) @binding(2) var<storage, read> chosen: array<u32>;      // [rows, channels]; filled by neighbour_max
@group(0) @binding(3) var<storage, read_write> dx: array<T>;      // [rows, k, channels]

@compute @workgroup_size(64)
fn neighbour_max_dx(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i >= params.n) { return; }
  let first = (i / params.channels) * params.k * params.channels + i % params.channels;
  for (var left = params.k; left > 0u; left--) {
    let j = params.k - left;
    dx[first + j * params.channels] = select(T(0.0), dy[i], j == chosen[i]);
  }
}
