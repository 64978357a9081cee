// SPDX-License-Identifier: MIT
// y = act(A B + bias) as in matmul.wgsl, by subgroup matrices: for f16 on GPUs with tensor cores. Operands are rounded to f16.
// @import "lib/matrices.wgsl"
// @import "lib/matmul_product.wgsl"

@compute @workgroup_size(LANES)
fn matmul_matrices(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) sid: u32,
) {
  let tile = wid.x + wid.y * nwg.x;
  if (tile < params.tiles) { matrices(tile, lane, subgroup, sid); }
}
