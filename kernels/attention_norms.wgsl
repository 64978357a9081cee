// SPDX-License-Identifier: MIT
// One value set for every query or key of attention: (factor, added term, 0, 1 / norm).
// factor = scale x tau of the head x 1 / norm; the norm is 1 unless scores are cosines. Zero rows get 1 / norm = 0: no score and no
// gradient.
// One lane a token (a sum); workgroups folded over a 2D grid.
alias T = f32; // @spec f32 f16

struct Params {
  n: u32, tokens: u32, heads: u32, groups: u32, d: u32, // slices x tokens; tokens a slice; heads; groups; channels a head
  x0: u32, xb: u32, xh: u32, xg: u32, xt: u32,          // x: first element; stride over batch; over head; over group; over token
  scale: f32, cosine: u32,                              // of the factor; 1: divide by the row's norm
  term_b: u32, term_h: u32, term_t: u32,                // stride of `term` over batch; over head; over token
  multiply: u32,                                        // `term` is 0 not used, 1 a factor (tau), 2 the added term (key bias)
  first: u32,                                           // where the results begin in `norms`, in vectors: 0, or behind others
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;                   // [B, heads, groups, tokens, d] by strides
@group(0) @binding(2) var<storage, read> term: array<T>;                // tau [heads] or key bias [B, keys]
@group(0) @binding(3) var<storage, read_write> norms: array<vec4<f32>>; // [slices, tokens]

@compute @workgroup_size(64)
fn attention_norms(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i >= params.n) { return; }
  let z = i / params.tokens;
  let b = z / (params.heads * params.groups);
  let h = (z / params.groups) % params.heads;
  let at = params.x0 + b * params.xb + h * params.xh + (z % params.groups) * params.xg + (i % params.tokens) * params.xt;
  var inverse = 1.0;
  if (params.cosine == 1u) {
    var s = 0.0;
    for (var left = params.d; left > 0u; left--) { let c = params.d - left; let v = f32(x[at + c]); s = fma(v, v, s); }
    inverse = select(0.0, 1.0 / sqrt(s), s > 1e-24);
  }
  let extra = f32(term[b * params.term_b + h * params.term_h + (i % params.tokens) * params.term_t]);
  let factor = params.scale * inverse * select(1.0, extra, params.multiply == 1u);
  norms[params.first + i] = vec4<f32>(factor, select(0.0, extra, params.multiply == 2u), 0.0, inverse);
}
