// SPDX-License-Identifier: MIT
// y[y_offset + sum i_k y_k] = x[x_offset + sum i_k x_k] over up to seven axes: permute, slice, flip, tile, split, concat and
// every rearrangement that is a reshape, a permute and a reshape. The host merges neighbouring axes that are one run on both
// sides (ops/strided.ts). One lane an element. Values are moved as bits, so one pipeline serves all types of a width, and four
// at a time where the last axis is contiguous and all strides allow it.
// Negative strides are two's complement: u32 arithmetic wraps.
// @import "lib/strides.wgsl"

alias T = u32; // @spec u32 f16 vec4<u32> vec4<f16>

override WG: u32 = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;       // the values that the strides reach
@group(0) @binding(2) var<storage, read_write> y: array<T>; // likewise; other elements keep what they hold

@compute @workgroup_size(WG)
fn copy(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  var rest = i;
  var at = vec2(params.x_offset, params.y_offset);
  if (RANK > 1u) { let q = rest / params.size0; at += (rest - q * params.size0) * vec2(params.x0, params.y0); rest = q; }
  if (RANK > 2u) { let q = rest / params.size1; at += (rest - q * params.size1) * vec2(params.x1, params.y1); rest = q; }
  at = outer(rest, at);
  y[at.y] = x[at.x];
}
