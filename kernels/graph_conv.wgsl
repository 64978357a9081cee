// SPDX-License-Identifier: MIT
// Graph convolution y = A X W^T of a batch of graphs (Kipf & Welling 2017): A [B, N, M] (any weighted adjacency, normalised or not),
// features X [B, M, C], weight W [O, C]. A workgroup takes 8 receivers and 64 output channels; for 64 features at a time it puts the
// receivers' sums over sources, A X, into workgroup memory (8 x 64) and multiplies them with W. Sums are f32, in fixed order.
alias T = f32; // @spec f32 f16

struct Params {
  batch: u32, receivers: u32, sources: u32, // graphs; rows of A and y; columns of A, rows of x
  features: u32, outputs: u32,              // channels of x; channels of y
  a_batch: u32,                             // elements from one graph's A to the next, 0: one A for all
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<T>;        // [batch | 1, receivers, sources]
@group(0) @binding(2) var<storage, read> x: array<T>;        // [batch, sources, features]
@group(0) @binding(3) var<storage, read> w: array<T>;        // [outputs, features]
@group(0) @binding(4) var<storage, read_write> y: array<T>;  // [batch, receivers, outputs]

var<workgroup> gathered: array<f32, 512>; // [64 features, 8 receivers]

// Workgroups: `batch * ceil(receivers / 8) * ceil(outputs / 64)`
@compute @workgroup_size(64)
fn graph_conv(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let blocks = (params.receivers + 7u) / 8u;
  let tiles = (params.outputs + 63u) / 64u;
  let index = wid.x + wid.y * nwg.x;
  let b = index / (blocks * tiles);
  if (b >= params.batch) { return; }
  let first = ((index / tiles) % blocks) * 8u;
  let o = (index % tiles) * 64u + lane;
  let own_w = min(o, params.outputs - 1u) * params.features;
  let a_first = b * params.a_batch + first * params.sources;
  var s = array<f32, 8>();
  for (var c0 = 0u; c0 < params.features; c0 += 64u) {
    let c = min(c0 + lane, params.features - 1u);
    var t = array<f32, 8>();
    for (var left = params.sources; left > 0u; left--) {
      let j = params.sources - left;
      let value = f32(x[(b * params.sources + j) * params.features + c]);
      for (var r = 0u; r < 8u; r++) { t[r] = fma(f32(a[a_first + r * params.sources + j]), value, t[r]); }
    }
    for (var r = 0u; r < 8u; r++) { gathered[lane * 8u + r] = t[r]; }
    workgroupBarrier();
    let n = min(64u, params.features - c0);
    for (var left = n; left > 0u; left--) {
      let i = n - left;
      let value = f32(w[own_w + c0 + i]);
      for (var r = 0u; r < 8u; r++) { s[r] = fma(gathered[i * 8u + r], value, s[r]); }
    }
    workgroupBarrier();
  }
  if (o >= params.outputs) { return; }
  for (var r = 0u; r < 8u; r++) {
    if (first + r < params.receivers) { y[(b * params.receivers + first + r) * params.outputs + o] = T(s[r]); }
  }
}
