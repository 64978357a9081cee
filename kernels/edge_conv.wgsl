// SPDX-License-Identifier: MIT
// y[s, n, j] = u[s, index[s, n, j]] + v[s, n], rows of C channels: an edge convolution's two halves, each multiplied by its weights
// before the gather (Wang et al. 2019, split as in SA-Net's ESG). The gradient of u goes over lists of the places that read a node,
// made by one lane a node in order, so it needs no atomics. Other kernels: one lane an element; 64 a workgroup, folded over a 2D grid.
// An index outside gives NaN, and its node no gradient.
// @import "lib/nan.wgsl"
alias T = f32; // @spec f32 f16
alias I = u32; // @spec u32 i32

struct Params {
  n: u32,                                          // lanes: elements written; edge_conv_lists: slices x nodes
  nodes: u32, rows: u32, k: u32, channels: u32,    // nodes a slice; rows of v a slice; neighbours a row; channels
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<T>;             // [S, nodes, channels]
@group(0) @binding(2) var<storage, read> v: array<T>;             // [S, rows, channels]
@group(0) @binding(3) var<storage, read> index: array<I>;         // [S, rows, k]
@group(0) @binding(4) var<storage, read_write> y: array<T>;       // [S, rows, k, channels]

@compute @workgroup_size(64)
fn edge_conv_gather(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i >= params.n) { return; }
  let c = i % params.channels;
  let edge = i / params.channels;
  let row = edge / params.k;
  let own = u32(index[edge]);
  let node = (row / params.rows) * params.nodes + min(own, params.nodes - 1u);
  let sum = f32(u[node * params.channels + c]) + f32(v[row * params.channels + c]);
  y[i] = T(select(not_a_number(), sum, own < params.nodes));
}

@group(0) @binding(5) var<storage, read_write> starts: array<u32>; // [S, nodes, 2]: where a node's list begins and ends
@group(0) @binding(6) var<storage, read_write> edges: array<u32>;  // [S, rows k]: edges by node, in order

@compute @workgroup_size(8)
fn edge_conv_lists(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * 8u + lane;
  if (i >= params.n) { return; }
  let node = i % params.nodes;
  let count = params.rows * params.k;
  let first = (i / params.nodes) * count;
  var at = first;
  for (var left = count; left > 0u; left--) { let e = count - left; at += select(0u, 1u, u32(index[first + e]) < node); }
  starts[2u * i] = at;
  for (var left = count; left > 0u; left--) {
    let e = count - left;
    if (u32(index[first + e]) == node) {
      edges[at] = first + e;
      at++;
    }
  }
  starts[2u * i + 1u] = at;
}

@group(0) @binding(1) var<storage, read> dy: array<T>;            // [S, rows, k, channels]
@group(0) @binding(2) var<storage, read_write> dx: array<T>;      // du [S, nodes, channels] or dv [S, rows, channels]
@group(0) @binding(3) var<storage, read> from_starts: array<u32>; // filled by edge_conv_lists
@group(0) @binding(4) var<storage, read> from_edges: array<u32>; // filled by edge_conv_lists

@compute @workgroup_size(64)
fn edge_conv_du(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i >= params.n) { return; }
  let c = i % params.channels;
  let node = i / params.channels;
  var s = 0.0;
  let end = from_starts[2u * node + 1u];
  for (var left = end - from_starts[2u * node]; left > 0u; left--) {
    let at = end - left;
    s += f32(dy[from_edges[at] * params.channels + c]);
  }
  dx[i] = T(s);
}

@compute @workgroup_size(64)
fn edge_conv_dv(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i >= params.n) { return; }
  let c = i % params.channels;
  let first = (i / params.channels) * params.k;
  var s = 0.0;
  for (var left = params.k; left > 0u; left--) { let j = params.k - left; s += f32(dy[(first + j) * params.channels + c]); }
  dx[i] = T(s);
}
