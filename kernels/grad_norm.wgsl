// SPDX-License-Identifier: MIT
// Global norm of all gradients in two deterministic passes, and sums into gradient ranges.
// square_sums: a workgroup walks down `chunk` neighbouring V of a range and leaves one partial. WG is one subgroup on a processor, which
// runs them one after the other: each then reads memory in order.
// clip_factor: one workgroup adds up all partials; factor = min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_: 0 where
// the norm is infinite, NaN where it is NaN. Without a bound (max_norm 0) it is 1, whatever the norm.
// @import "lib/nan.wgsl"
alias V = f32; // @spec f32 vec4<f32>
override WG: u32 = 64u; // a power of two

struct Params {
  n: u32,        // V of the range; clip_factor: partials, single floats
  chunk: u32,    // square_sums: V a workgroup
  offset: u32,   // square_sums: where its partials begin
  max_norm: f32, // clip_factor: the bound, 0: none
  scale: f32,    // assign_scaled: factor on g
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> g: array<V>;                // [n] gradients
@group(0) @binding(2) var<storage, read_write> partials: array<f32>; // [workgroups of all ranges]
@group(0) @binding(3) var<storage, read> sums: array<f32>;           // partials, read; filled by square_sums
@group(0) @binding(4) var<storage, read_write> clip: array<f32>;     // [2] factor, norm
@group(0) @binding(5) var<storage, read_write> target_range: array<V>;   // [n]

var<workgroup> folded: array<f32, WG>;

// Afterwards the first lane finds the sum over all lanes in the first place.
fn fold(value: f32, lane: u32) {
  folded[lane] = value;
  workgroupBarrier();
  for (var bit = countTrailingZeros(WG); bit > 0u; bit--) {
    let half = 1u << (bit - 1u);
    if (lane < half) { folded[lane] += folded[lane + half]; }
    workgroupBarrier();
  }
}

fn flat(v: V) -> f32 {
  let r = v; // @spec V: v v.x+v.y+v.z+v.w
  return r;
}

// Workgroups: `ceil(n / chunk)`, along x alone
@compute @workgroup_size(WG)
fn square_sums(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let first = wid.x * params.chunk;
  let end = min(first + params.chunk, params.n);
  var sum = V(0.0);
  var i = first + lid.x;
  for (var left = (end - min(end, i) + WG - 1u) / WG; left > 0u; left--) {
    let v = g[i];
    sum += v * v;
    i += WG;
  }
  fold(flat(sum), lid.x);
  if (lid.x == 0u) { partials[params.offset + wid.x] = folded[0]; }
}

// Workgroups: `1`
@compute @workgroup_size(WG)
fn clip_factor(@builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  var sum = 0.0;
  let turns = (params.n + WG - 1u - lane) / WG;
  for (var left = turns; left > 0u; left--) { sum += sums[lane + (turns - left) * WG]; }
  fold(sum, lane);
  if (lane == 0u) {
    let norm = sqrt(folded[0]);
    clip[0] = nan_min(1.0, params.max_norm / (norm + 1e-6));
    if (params.max_norm == 0.0) { clip[0] = 1.0; }
    clip[1] = norm;
  }
}

@compute @workgroup_size(64)
fn assign_scaled(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i < params.n) { target_range[i] = params.scale * g[i]; }
}

@compute @workgroup_size(64)
fn clear(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i < params.n) { target_range[i] = V(0.0); }
}
