// SPDX-License-Identifier: MIT
// y[i] = act(sum over s, in order, of partial[s][i], + bias, other[i]): the second pass of a product whose reduction was split between
// workgroups, where it does more than that sum; split_sum.wgsl adds up the others. One lane an element.
// @import "lib/finish.wgsl"
alias T = f32; // @spec f32 f16
override WG: u32 = 64u;

struct Params {
  n: u32, splits: u32, // elements of y; partial sums of each
  channels: u32,       // of y's last axis, along which the bias runs
  has_bias: u32,       // 1: add bias
  act: u32,            // 0 none, 1 relu, 2 gelu, 3 sigmoid, 4 silu; of other: 5 add, 6 gelu', 7 relu', 8 silu'
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>; // [splits, n]; filled by matmul and conv
@group(0) @binding(2) var<storage, read> bias: array<T>;      // [channels]
@group(0) @binding(3) var<storage, read_write> y: array<T>;   // [n]
@group(0) @binding(4) var<storage, read> other: array<T>;     // [n], where act asks for it; else any buffer

// Workgroups: `ceil(n / WG)`
@compute @workgroup_size(WG)
fn split_finish(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n) { return; }
  var sum = 0.0;
  for (var left = params.splits; left > 0u; left--) { sum += partial[(params.splits - left) * params.n + i]; }
  if (params.has_bias == 1u) { sum += f32(bias[i % params.channels]); }
  y[i] = T(finish(sum, i));
}
