// SPDX-License-Identifier: MIT
// Adjacency of two graphs that exchange messages: A[i, j] = softmax over all sources j of LeakyReLU(p_r . Z_i + q_r . Z_j), with a
// vector pair (p_r, q_r) for each relation r = 2 (graph of receiver i) + (graph of source j) (graph attention, Velickovic et al.
// 2018; SA-Net eq. 3). The products come in as terms[node] = (p_0 ... p_3, q_0 ... q_3) . Z_node, from one GEMM.
// A lane owns a row (forward, first half of backward) or a column (second half) of one slice; nothing is shared.
alias T = f32; // @spec f32 f16

struct Params {
  rows: u32, nodes: u32, first: u32, // slices x nodes; nodes of both graphs; nodes of graph 0, which come first
  slope: f32,                        // of the LeakyReLU below 0
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> terms: array<T>;          // [slices, nodes, 8]
@group(0) @binding(2) var<storage, read_write> y: array<T>;        // A [slices, nodes, nodes]

// Sum before the LeakyReLU, of receiver i and source j; `base` is the slice's first node.
fn raw(base: u32, i: u32, j: u32) -> f32 {
  let r = select(0u, 2u, i >= params.first) + select(0u, 1u, j >= params.first);
  return f32(terms[(base + i) * 8u + r]) + f32(terms[(base + j) * 8u + 4u + r]);
}
fn leaky(e: f32) -> f32 { return select(e * params.slope, e, e > 0.0); }

@compute @workgroup_size(8)
fn bilateral_adjacency(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let row = (wid.x + wid.y * nwg.x) * 8u + lane;
  if (row >= params.rows) { return; }
  let i = row % params.nodes;
  let base = row - i;
  var top = -3e38;
  for (var left = params.nodes; left > 0u; left--) { let j = params.nodes - left; top = max(top, leaky(raw(base, i, j))); }
  var sum = 0.0;
  for (var left = params.nodes; left > 0u; left--) { let j = params.nodes - left; sum += exp(leaky(raw(base, i, j)) - top); }
  for (var left = params.nodes; left > 0u; left--) {
    let j = params.nodes - left;
    y[row * params.nodes + j] = T(exp(leaky(raw(base, i, j)) - top) / sum);
  }
}

@group(0) @binding(3) var<storage, read> adjacency: array<T>;      // A; filled by bilateral_adjacency
@group(0) @binding(4) var<storage, read> dy: array<T>;             // dA
@group(0) @binding(5) var<storage, read_write> dot: array<f32>;    // [slices, nodes]: sum over j of A dA
@group(0) @binding(6) var<storage, read_write> dterms: array<T>;   // [slices, nodes, 8]

fn slope(e: f32) -> f32 { return select(params.slope, 1.0, e > 0.0); }

// dterms[..., 0 ... 3] and dot
@compute @workgroup_size(8)
fn bilateral_dreceiver(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let row = (wid.x + wid.y * nwg.x) * 8u + lane;
  if (row >= params.rows) { return; }
  let i = row % params.nodes;
  let base = row - i;
  let at = row * params.nodes;
  var d = 0.0;
  for (var left = params.nodes; left > 0u; left--) { let j = params.nodes - left; d += f32(adjacency[at + j]) * f32(dy[at + j]); }
  dot[row] = d;
  var own = vec2<f32>(0.0);
  for (var left = params.nodes; left > 0u; left--) {
    let j = params.nodes - left;
    let g = f32(adjacency[at + j]) * (f32(dy[at + j]) - d) * slope(raw(base, i, j));
    own += select(vec2<f32>(g, 0.0), vec2<f32>(0.0, g), j >= params.first);
  }
  let low = i < params.first;
  dterms[row * 8u] = T(select(0.0, own.x, low));
  dterms[row * 8u + 1u] = T(select(0.0, own.y, low));
  dterms[row * 8u + 2u] = T(select(own.x, 0.0, low));
  dterms[row * 8u + 3u] = T(select(own.y, 0.0, low));
}

// dterms[..., 4 ... 7]; dot is read
@compute @workgroup_size(8)
fn bilateral_dsource(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let row = (wid.x + wid.y * nwg.x) * 8u + lane;
  if (row >= params.rows) { return; }
  let j = row % params.nodes;
  let base = row - j;
  var own = vec2<f32>(0.0);
  for (var left = params.nodes; left > 0u; left--) {
    let i = params.nodes - left;
    let at = (base + i) * params.nodes + j;
    let g = f32(adjacency[at]) * (f32(dy[at]) - dot[base + i]) * slope(raw(base, i, j));
    own += select(vec2<f32>(g, 0.0), vec2<f32>(0.0, g), i >= params.first);
  }
  let low = j < params.first;
  dterms[row * 8u + 4u] = T(select(0.0, own.x, low));
  dterms[row * 8u + 5u] = T(select(own.x, 0.0, low));
  dterms[row * 8u + 6u] = T(select(0.0, own.y, low));
  dterms[row * 8u + 7u] = T(select(own.y, 0.0, low));
}
