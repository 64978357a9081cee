// SPDX-License-Identifier: MIT
// y[to + i] = sum over s, in order, of x[first + s n + i]: the last pass of a reduction that was split between workgroups. Up to six such
// sums in one dispatch, one lane an element: a program puts those together that write gradients into one arena (src/engine/sums.ts).
// KEEP: the sum is added to what y holds. Four neighbours a lane where every sum allows it.
alias T = f32; // @spec f32 f16 vec4<f32> vec4<f16>
alias A = f32; // @spec T: f32 f32 vec4<f32> vec4<f32>
override WG: u32 = 64u;
override KEEP: bool = false; // y + scale * sum; else the sum alone

struct Params {
  end0: u32, end1: u32, end2: u32, // elements of sum 0, in T as all that follows; of sums 0 and 1 together; of sums 0 to 2
  end3: u32, end4: u32, end5: u32, // of sums 0 to 3; of sums 0 to 4; of all
  splits0: u32, splits1: u32, splits2: u32, // partial results of each element of sum 0; of sum 1; of sum 2
  splits3: u32, splits4: u32, splits5: u32, // of sum 3; of sum 4; of sum 5
  first0: u32, first1: u32, first2: u32,    // where they begin in x0; in x1; in x2
  first3: u32, first4: u32, first5: u32,    // where they begin in x3; in x4; in x5
  to0: u32, to1: u32, to2: u32,             // where y of sum 0 begins; of sum 1; of sum 2
  to3: u32, to4: u32, to5: u32,             // where y of sum 3 begins; of sum 4; of sum 5
  scale: f32,                               // of the sums, where KEEP
}
@group(0) @binding(0) var<uniform> params: Params;
// [splits, n] from `first` on; filled by a kernel that splits its reduction: matmul, conv_dweight, depthwise_dweight, reduce_cols, gn_grad
@group(0) @binding(1) var<storage, read> x0: array<A>;
@group(0) @binding(2) var<storage, read> x1: array<A>; // of sum 1, likewise; any other where there are fewer
@group(0) @binding(3) var<storage, read> x2: array<A>; // of sum 2, likewise
@group(0) @binding(4) var<storage, read> x3: array<A>; // of sum 3, likewise
@group(0) @binding(5) var<storage, read> x4: array<A>; // of sum 4, likewise
@group(0) @binding(6) var<storage, read> x5: array<A>; // of sum 5, likewise
@group(0) @binding(7) var<storage, read_write> y: array<T>; // [n] of each sum, from its `to` on; where KEEP it holds what is added to

// Workgroups: `ceil(end5 / WG)`
@compute @workgroup_size(WG)
fn split_sum(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let p = params;
  var i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= p.end5) { return; }
  var to = p.to0 + i;
  var sum = A();
  if (i < p.end0) {
    for (var left = p.splits0; left > 0u; left--) { sum += x0[p.first0 + i + (p.splits0 - left) * p.end0]; }
  } else if (i < p.end1) {
    i -= p.end0;
    to = p.to1 + i;
    let n = p.end1 - p.end0;
    for (var left = p.splits1; left > 0u; left--) { sum += x1[p.first1 + i + (p.splits1 - left) * n]; }
  } else if (i < p.end2) {
    i -= p.end1;
    to = p.to2 + i;
    let n = p.end2 - p.end1;
    for (var left = p.splits2; left > 0u; left--) { sum += x2[p.first2 + i + (p.splits2 - left) * n]; }
  } else if (i < p.end3) {
    i -= p.end2;
    to = p.to3 + i;
    let n = p.end3 - p.end2;
    for (var left = p.splits3; left > 0u; left--) { sum += x3[p.first3 + i + (p.splits3 - left) * n]; }
  } else if (i < p.end4) {
    i -= p.end3;
    to = p.to4 + i;
    let n = p.end4 - p.end3;
    for (var left = p.splits4; left > 0u; left--) { sum += x4[p.first4 + i + (p.splits4 - left) * n]; }
  } else {
    i -= p.end4;
    to = p.to5 + i;
    let n = p.end5 - p.end4;
    for (var left = p.splits5; left > 0u; left--) { sum += x5[p.first5 + i + (p.splits5 - left) * n]; }
  }
  if (KEEP) { sum = A(y[to]) + params.scale * sum; }
  y[to] = T(sum);
}
