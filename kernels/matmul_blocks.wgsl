// SPDX-License-Identifier: MIT
// y = act(A B + bias) as in matmul.wgsl, by workgroup tiles: for GPUs.
// @import "lib/blocks.wgsl"
// @import "lib/matmul_product.wgsl"

@compute @workgroup_size(256)
fn matmul_blocks(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = wid.x + wid.y * nwg.x;
  if (tile < params.tiles) { blocks(tile, lane); }
}
