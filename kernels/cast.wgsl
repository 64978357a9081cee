// SPDX-License-Identifier: MIT
// `convert`: y[i] = TO(x[i]) by WGSL's conversions: f32 to f16 rounds to nearest even. `truncate`: floats to integers, what is out of range
// to the nearest integer in range and NaN to 0 (WGSL's own conversion stops at the largest float in range, and says nothing of NaN).
// One lane an element; workgroups folded over a 2D grid.
// @import "lib/exponential.wgsl"
alias FROM = f32; // @spec f32 f16 u32 i32
alias TO = f32; // @spec f32 f16 u32 i32
alias I = i32; // @spec i32 u32
const MOST = 2147483647i; // @spec I: 2147483647i 4294967295u
const BEYOND = 2147483648.0; // @spec I: 2147483648.0 4294967296.0
override WG: u32 = 64u;

struct Params {
  n: u32, // elements
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<FROM>;         // [n]
@group(0) @binding(2) var<storage, read_write> y: array<TO>;     // [n]
@group(0) @binding(3) var<storage, read_write> integers: array<I>; // [n]

@compute @workgroup_size(WG)
fn convert(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i < params.n) { y[i] = TO(x[i]); }
}

@compute @workgroup_size(WG)
fn truncate(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let v = f32(x[i]);
  integers[i] = select(select(I(v), MOST, v >= BEYOND), I(0), is_nan(v));
}
