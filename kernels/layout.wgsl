// SPDX-License-Identifier: MIT
// y[y_offset + sum i_k y_k] = x[x_offset + sum i_k x_k] over up to seven axes: permute, slice, flip, tile, split, concat and
// every rearrangement that is a reshape, a permute and a reshape. The host merges neighbouring axes that are one run on both
// sides (ops/strided.ts). One lane an element. Values are moved as bits, so one pipeline serves all types of a width, and four
// at a time where the last axis is contiguous and all strides allow it.
// Negative strides are two's complement: u32 arithmetic wraps.

alias T = u32; // @spec u32 f16 vec4<u32> vec4<f16>

override WG: u32 = 64u;
override RANK: u32 = 7u;

struct Params {
  n: u32, x_offset: u32, y_offset: u32,                                   // elements, in T; first element of x; of y
  size0: u32, size1: u32, size2: u32, size3: u32, size4: u32, size5: u32, // last axis first; the first axis needs none
  x0: u32, x1: u32, x2: u32, x3: u32, x4: u32, x5: u32, x6: u32,          // strides of x, last axis first; negative: 2^32 - s
  y0: u32, y1: u32, y2: u32, y3: u32, y4: u32, y5: u32, y6: u32,          // strides of y, likewise
}
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
  if (RANK > 3u) { let q = rest / params.size2; at += (rest - q * params.size2) * vec2(params.x2, params.y2); rest = q; }
  if (RANK > 4u) { let q = rest / params.size3; at += (rest - q * params.size3) * vec2(params.x3, params.y3); rest = q; }
  if (RANK > 5u) { let q = rest / params.size4; at += (rest - q * params.size4) * vec2(params.x4, params.y4); rest = q; }
  if (RANK > 6u) { let q = rest / params.size5; at += (rest - q * params.size5) * vec2(params.x5, params.y5); rest = q; }
  at += rest * vec2(params.x6, params.y6); // the first axis, whatever the rank
  y[at.y] = x[at.x];
}
