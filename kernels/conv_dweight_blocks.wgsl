// SPDX-License-Identifier: MIT
// Weight gradient of a convolution as in conv_dweight.wgsl, by workgroup tiles: for GPUs.
// @import "lib/blocks.wgsl"
// @import "lib/conv_dweight_product.wgsl"

@compute @workgroup_size(256)
fn conv_dweight_blocks(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = wid.x + wid.y * nwg.x;
  if (tile < params.tiles) { blocks(tile, lane); }
}
