// SPDX-License-Identifier: MIT
// y[o] = factor * sum of part over slices, for the gradients of attention's temperature, key bias and position tables. Inner and outer
// loops run over n_outer x n_inner values from first + (o / div) * high + (o % div) * low. One lane a sum, in fixed order.
alias T = f32; // @spec f32 f16
alias P = f32; // @spec f32 f16

struct Params {
  n: u32, div: u32, high: u32, low: u32,                  // sums; sum o starts at first + (o / div) * high + (o % div) * low
  n_outer: u32, outer: u32, n_inner: u32, inner: u32,     // terms of the outer loop; from one to the next; of the inner; likewise
  factor: f32, first: u32,                                // of the sum; first element of `part`
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> part: array<P>;     // [slices, tokens]; filled by attention_dx
@group(0) @binding(2) var<storage, read_write> y: array<T>;    // [n]

@compute @workgroup_size(8)
fn attention_sums(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = (wid.x + wid.y * nwg.x) * 8u + lane;
  if (o >= params.n) { return; }
  var at = params.first + (o / params.div) * params.high + (o % params.div) * params.low;
  var total = 0.0;
  for (var left = params.n_outer; left > 0u; left--) {
    var s = 0.0;
    for (var left = params.n_inner; left > 0u; left--) { let j = params.n_inner - left; s += f32(part[at + j * params.inner]); }
    total += s;
    at += params.outer;
  }
  y[o] = T(total * params.factor);
}
