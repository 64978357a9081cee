// SPDX-License-Identifier: MIT
// y[i] = TO(x[i]). WGSL's conversions: float to integer truncates and saturates, f32 to f16 rounds to nearest even.
// One lane an element; workgroups folded over a 2D grid.
alias FROM = f32; // @spec f32 f16 u32 i32
alias TO = f32; // @spec f32 f16 u32 i32
override WG: u32 = 64u;

struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<FROM>;      // [n]
@group(0) @binding(2) var<storage, read_write> y: array<TO>;  // [n]

@compute @workgroup_size(WG)
fn convert(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i < params.n) { y[i] = TO(x[i]); }
}
