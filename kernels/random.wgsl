// SPDX-License-Identifier: MIT
// Random numbers as functions of (seed, stream, step, op, element): `random` fills y with shift + scale r, r uniform in [0, 1)
// or standard normal (Box-Muller: lanes 0, 1 and 2, 3 are pairs); `dropout` is x / (1 - p) where its element's uniform is at
// least p, else 0. The backward pass is the same call on the gradient, so no mask is stored. One lane a block of four elements.
// @import "lib/philox.wgsl"
// @import "lib/trigonometry.wgsl"

alias T = f32; // @spec f32 f16

override WG: u32 = 64u;
override NORMAL: bool = false;

struct Params {
  n: u32, op: u32,         // elements; number of the op within a step, which makes its numbers its own
  shift: f32, scale: f32,  // random: added; factor (dropout: 1 / (1 - p))
  p: f32,                  // dropout: chance of a 0
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> counter: array<u32>;    // [3]: seed, stream, step
@group(0) @binding(2) var<storage, read> x: array<T>;            // dropout: [n]
@group(0) @binding(3) var<storage, read_write> y: array<T>;      // [n]

fn bits(block: u32) -> vec4<u32> { return philox4x32(vec2(counter[0], counter[1]), vec4(counter[2], params.op, block, 0u)); }

// Two normals; 1 - u lies in (0, 1], so the logarithm is finite.
fn box_muller(u: vec2<f32>) -> vec2<f32> {
  let angle = small_angle(6.283185307179586 * u.y);
  return sqrt(-2.0 * log(1.0 - u.x)) * vec2(cos_of(angle), sin_of(angle));
}

// Workgroups: `ceil(n / (4 * WG))`
@compute @workgroup_size(WG)
fn random(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let block = (wid.x + wid.y * nwg.x) * WG + lane;
  let first = block * 4u;
  if (first >= params.n) { return; }
  var r = to_uniform(bits(block));
  if (NORMAL) { r = vec4(box_muller(r.xy), box_muller(r.zw)); }
  for (var k = 0u; k < 4u; k++) {
    if (first + k < params.n) { y[first + k] = T(params.shift + params.scale * r[k]); }
  }
}

// Workgroups: `ceil(n / (4 * WG))`
@compute @workgroup_size(WG)
fn dropout(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let block = (wid.x + wid.y * nwg.x) * WG + lane;
  let first = block * 4u;
  if (first >= params.n) { return; }
  let u = to_uniform(bits(block));
  for (var k = 0u; k < 4u; k++) {
    if (first + k < params.n) { y[first + k] = T(f32(x[first + k]) * select(0.0, params.scale, u[k] >= params.p)); }
  }
}
