// SPDX-License-Identifier: MIT
// y[i] = value. One lane an element; workgroups folded over a 2D grid.
alias T = f32; // @spec f32 f16 u32 i32
override WG: u32 = 64u;

struct Params {
  n: u32, value: f32, // elements; what each becomes, converted to T
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<T>; // [n]

@compute @workgroup_size(WG)
fn fill(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i < params.n) { y[i] = T(params.value); }
}
