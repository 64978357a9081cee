// SPDX-License-Identifier: MIT
// One value set for every query and key of attention: (factor, added term, 0, 1 / norm).
// A query's factor = scale x tau of its head x 1 / norm, a key's is 1 / norm; a key's bias is the added term. The norm is 1 unless scores
// are cosines. Zero rows get 1 / norm = 0: no score and no gradient.
// One lane a token (a sum), those of queries first; workgroups folded over a 2D grid.
alias T = f32; // @spec f32 f16

struct Params {
  slices: u32, rows: u32, keys: u32,                    // batch x heads x groups; queries a slice; keys a slice
  heads: u32, groups: u32, d: u32,                      // of the slices; of the slices; channels a head
  q0: u32, qb: u32, qh: u32, qg: u32, qt: u32,          // q: first element; stride over batch; over head; over group; over token
  k0: u32, kb: u32, kh: u32, kg: u32, kt: u32,          // k: likewise
  scale: f32, cosine: u32,                              // of the factor; 1: divide by the row's norm
  has_tau: u32, has_key_bias: u32,                      // 1: there is one; likewise
  first: u32,                                           // where keys begin in `key_norms`, in vectors: 0, or behind others
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<T>;                       // [B, heads, groups, rows, d] by strides
@group(0) @binding(2) var<storage, read> k: array<T>;                       // [B, heads, groups, keys, d] by strides
@group(0) @binding(3) var<storage, read> tau: array<T>;                     // [heads]
@group(0) @binding(4) var<storage, read> key_bias: array<T>;                // [B, keys]
@group(0) @binding(5) var<storage, read_write> row_norms: array<vec4<f32>>; // [slices, rows]
@group(0) @binding(6) var<storage, read_write> key_norms: array<vec4<f32>>; // [slices, keys]

struct Token { b: u32, h: u32, g: u32, t: u32 }
fn token(i: u32, tokens: u32) -> Token {
  let z = i / tokens;
  return Token(z / (params.heads * params.groups), (z / params.groups) % params.heads, z % params.groups, i % tokens);
}
fn inverse_root(s: f32) -> f32 { return select(0.0, 1.0 / sqrt(s), s > 1e-24); }

fn of_query(i: u32) {
  let own = token(i, params.rows);
  var inverse = 1.0;
  if (params.cosine == 1u) {
    let at = params.q0 + own.b * params.qb + own.h * params.qh + own.g * params.qg + own.t * params.qt;
    var s = 0.0;
    for (var left = params.d; left > 0u; left--) { let c = params.d - left; let v = f32(q[at + c]); s = fma(v, v, s); }
    inverse = inverse_root(s);
  }
  var factor = params.scale * inverse;
  if (params.has_tau == 1u) { factor *= f32(tau[own.h]); }
  row_norms[i] = vec4<f32>(factor, 0.0, 0.0, inverse);
}

fn of_key(i: u32) {
  let own = token(i, params.keys);
  var inverse = 1.0;
  if (params.cosine == 1u) {
    let at = params.k0 + own.b * params.kb + own.h * params.kh + own.g * params.kg + own.t * params.kt;
    var s = 0.0;
    for (var left = params.d; left > 0u; left--) { let c = params.d - left; let v = f32(k[at + c]); s = fma(v, v, s); }
    inverse = inverse_root(s);
  }
  var term = 0.0;
  if (params.has_key_bias == 1u) { term = f32(key_bias[own.b * params.keys + own.t]); }
  key_norms[params.first + i] = vec4<f32>(inverse, term, 0.0, inverse);
}

// Workgroups: `ceil(slices * (rows + keys) / 64)`
@compute @workgroup_size(64)
fn attention_norms(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  let queries = params.slices * params.rows;
  if (i < queries) {
    of_query(i);
  } else if (i < queries + params.slices * params.keys) {
    of_key(i - queries);
  }
}

// Workgroups: `ceil(slices * keys / 64)`
@compute @workgroup_size(64)
fn attention_key_norms(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i < params.slices * params.keys) { of_key(i); }
}
