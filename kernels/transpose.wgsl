// SPDX-License-Identifier: MIT
// y = x by strides as in layout.wgsl, where y is contiguous along another axis than x: for GPUs, which want neighbouring lanes on
// neighbouring memory. Those two axes go first, y's and then x's, and a workgroup takes a square of 32 x 32 elements of them through its
// memory: it reads rows of x and writes columns, which are rows of y. Values are moved as bits.
// @import "lib/strides.wgsl"

alias T = u32; // @spec u32 f16

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;       // the values that the strides reach
@group(0) @binding(2) var<storage, read_write> y: array<T>; // likewise; other elements keep what they hold

var<workgroup> square: array<T, 1024>; // 32 rows, turned by their numbers, so that a column lies in as many banks

// Workgroups: `n`
@compute @workgroup_size(256)
fn transpose(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let index = wid.x + wid.y * nwg.x;
  if (index >= params.n) { return; }
  let across = (params.size0 + 31u) / 32u;
  let down = (params.size1 + 31u) / 32u;
  let at = outer(index / across / down, vec2(params.x_offset, params.y_offset));
  let first = vec2(index % across, (index / across) % down) * 32u;
  let lane = lid.x % 32u;
  let row = lid.x / 32u;
  for (var k = 0u; k < 4u; k++) { // a row is one of x: its elements are neighbours along the second axis
    let r = row + 8u * k;
    let p = first + vec2(r, lane);
    if (p.x < params.size0 && p.y < params.size1) { square[r * 32u + (lane ^ r)] = x[at.x + p.x * params.x0 + p.y * params.x1]; }
  }
  workgroupBarrier();
  for (var k = 0u; k < 4u; k++) {
    let c = row + 8u * k;
    let p = first + vec2(lane, c);
    if (p.x < params.size0 && p.y < params.size1) { y[at.y + p.x * params.y0 + p.y * params.y1] = square[lane * 32u + (c ^ lane)]; }
  }
}
