// SPDX-License-Identifier: MIT
// y[i] = sum over s, in order, of partial[s][i]: the second pass of a reduction that was split between workgroups.
alias T = f32; // @spec f32 f16
override WG: u32 = 64u;

struct Params {
  n: u32, splits: u32, // elements of y; partial sums of each
}
@group(0) @binding(0) var<uniform> params: Params;
// [splits, n]; filled by a kernel that splits its reduction: matmul, conv_dweight, depthwise_dweight
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;    // [n]

@compute @workgroup_size(WG)
fn split_sum(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  var sum = 0.0;
  for (var left = params.splits; left > 0u; left--) { let s = params.splits - left; sum += partial[s * params.n + i]; }
  y[i] = T(sum);
}
