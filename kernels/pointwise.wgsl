// SPDX-License-Identifier: MIT
// One expression over up to four tensors, element by element. Rows of the op table and fused chains of them replace the
// right-hand side of `let r`. Inputs are read as type E, the result is stored as R.
// `pointwise`: each input is read by a form of its own: at i (the same shape), at 0 (a scalar), i % mod (a trailing [C]), i / div (a
// value a row), or (i / div) % mod. Integer division is dear on a processor, hence the forms. `pointwise_strided`: any broadcast over
// up to six collapsed axes.
// `pointwise_quads`: four neighbours a lane; an input gives the four one vector (the same shape, a trailing [C]) or one value for all (a
// scalar, a value a row or another form, where runs of equal values are multiples of four).
// `pointwise_pair`, `pointwise_quads_pair`: a second expression of the same inputs and of the first one's result, stored beside it.
// An input that the expression does not use is bound to the first one again.
// @import "lib/math.wgsl"
// @import "lib/elementary.wgsl"

alias A = f32; // @spec f32 f16 i32 u32
alias B = f32; // @spec f32 f16 i32 u32
alias C = f32; // @spec f32 f16 i32 u32
alias D = f32; // @spec f32 f16 i32 u32
// pointwise_quads: what an input gives a lane
alias AQ = vec4<f32>; // @spec vec4<f32> vec4<f16> vec4<i32> vec4<u32> f32 f16 i32 u32
alias BQ = vec4<f32>; // @spec vec4<f32> vec4<f16> vec4<i32> vec4<u32> f32 f16 i32 u32
alias CQ = vec4<f32>; // @spec vec4<f32> vec4<f16> vec4<i32> vec4<u32> f32 f16 i32 u32
alias DQ = vec4<f32>; // @spec vec4<f32> vec4<f16> vec4<i32> vec4<u32> f32 f16 i32 u32
alias E = f32; // @spec f32 i32 u32
alias R = f32; // @spec f32 f16 i32 u32

// How an input is read: SAME, SCALAR, TRAILING, ROWS, anything else (i / div) % mod.
const SAME = 0u; const SCALAR = 1u; const TRAILING = 2u; const ROWS = 3u;
override WG: u32 = 64u;
override A_FORM: u32 = 0u;
override B_FORM: u32 = 0u;
override C_FORM: u32 = 0u;
override D_FORM: u32 = 0u;

struct Params {
  n: u32, // elements written, in what a lane computes: elements, quads
  a_div: u32, a_mod: u32, b_div: u32, b_mod: u32, c_div: u32, c_mod: u32, d_div: u32, d_mod: u32, // of each input's form, likewise
  p0: f32, p1: f32, p2: f32, p3: f32, p4: f32, p5: f32, p6: f32, p7: f32, // numbers that the expression may name
  size0: u32, size1: u32, size2: u32, size3: u32, size4: u32,             // pointwise_strided: sizes of the axes, last first
  a0: u32, a1: u32, a2: u32, a3: u32, a4: u32, a5: u32,                   // strides of A along the axes, 0 where it broadcasts
  b0: u32, b1: u32, b2: u32, b3: u32, b4: u32, b5: u32,                   // strides of B along the axes, likewise
  c0: u32, c1: u32, c2: u32, c3: u32, c4: u32, c5: u32,                   // strides of C along the axes, likewise
  d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32,                   // strides of D along the axes, likewise
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a_in: array<A>; // any shape that broadcasts to the result's
@group(0) @binding(2) var<storage, read> b_in: array<B>; // likewise
@group(0) @binding(3) var<storage, read> c_in: array<C>; // likewise
@group(0) @binding(4) var<storage, read> d_in: array<D>; // likewise
@group(0) @binding(5) var<storage, read_write> y: array<R>; // [n]
@group(0) @binding(6) var<storage, read> a_quads: array<AQ>; // the same as a_in to y, for pointwise_quads
@group(0) @binding(7) var<storage, read> b_quads: array<BQ>; // likewise
@group(0) @binding(8) var<storage, read> c_quads: array<CQ>; // likewise
@group(0) @binding(9) var<storage, read> d_quads: array<DQ>; // likewise
@group(0) @binding(10) var<storage, read_write> y_quads: array<vec4<R>>; // [n / 4]
@group(0) @binding(11) var<storage, read_write> second: array<R>; // [n]
@group(0) @binding(12) var<storage, read_write> second_quads: array<vec4<R>>; // [n / 4]

fn evaluate(a: E, b: E, c: E, d: E) -> R {
  let r = a; // @spec *
  return R(r);
}

// Of the inputs and r, the result above.
fn evaluate_second(a: E, b: E, c: E, d: E, r: E) -> R {
  let s = r; // @spec *
  return R(s);
}

fn place(form: u32, i: u32, div: u32, modulus: u32) -> u32 {
  switch (form) {
    case SAME: { return i; }
    case SCALAR: { return 0u; }
    case TRAILING: { return i % modulus; }
    case ROWS: { return i / div; }
    default: { return (i / div) % modulus; }
  }
}

@compute @workgroup_size(WG)
fn pointwise(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n) { return; }
  let a = E(a_in[place(A_FORM, i, params.a_div, params.a_mod)]);
  let b = E(b_in[place(B_FORM, i, params.b_div, params.b_mod)]);
  let c = E(c_in[place(C_FORM, i, params.c_div, params.c_mod)]);
  let d = E(d_in[place(D_FORM, i, params.d_div, params.d_mod)]);
  y[i] = evaluate(a, b, c, d);
}

@compute @workgroup_size(WG)
fn pointwise_pair(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n) { return; }
  let a = E(a_in[place(A_FORM, i, params.a_div, params.a_mod)]);
  let b = E(b_in[place(B_FORM, i, params.b_div, params.b_mod)]);
  let c = E(c_in[place(C_FORM, i, params.c_div, params.c_mod)]);
  let d = E(d_in[place(D_FORM, i, params.d_div, params.d_mod)]);
  let r = evaluate(a, b, c, d);
  y[i] = r;
  second[i] = evaluate_second(a, b, c, d, E(r));
}

@compute @workgroup_size(WG)
fn pointwise_quads(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n / 4u) { return; }
  let a = vec4<E>(vec4(a_quads[place(A_FORM, i, params.a_div, params.a_mod)]));
  let b = vec4<E>(vec4(b_quads[place(B_FORM, i, params.b_div, params.b_mod)]));
  let c = vec4<E>(vec4(c_quads[place(C_FORM, i, params.c_div, params.c_mod)]));
  let d = vec4<E>(vec4(d_quads[place(D_FORM, i, params.d_div, params.d_mod)]));
  y_quads[i] = vec4<R>(
    evaluate(a.x, b.x, c.x, d.x), evaluate(a.y, b.y, c.y, d.y), evaluate(a.z, b.z, c.z, d.z), evaluate(a.w, b.w, c.w, d.w));
}

@compute @workgroup_size(WG)
fn pointwise_quads_pair(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n / 4u) { return; }
  let a = vec4<E>(vec4(a_quads[place(A_FORM, i, params.a_div, params.a_mod)]));
  let b = vec4<E>(vec4(b_quads[place(B_FORM, i, params.b_div, params.b_mod)]));
  let c = vec4<E>(vec4(c_quads[place(C_FORM, i, params.c_div, params.c_mod)]));
  let d = vec4<E>(vec4(d_quads[place(D_FORM, i, params.d_div, params.d_mod)]));
  let r = vec4<R>(
    evaluate(a.x, b.x, c.x, d.x), evaluate(a.y, b.y, c.y, d.y), evaluate(a.z, b.z, c.z, d.z), evaluate(a.w, b.w, c.w, d.w));
  y_quads[i] = r;
  second_quads[i] = vec4<R>(
    evaluate_second(a.x, b.x, c.x, d.x, E(r.x)), evaluate_second(a.y, b.y, c.y, d.y, E(r.y)),
    evaluate_second(a.z, b.z, c.z, d.z, E(r.z)), evaluate_second(a.w, b.w, c.w, d.w, E(r.w)));
}

@compute @workgroup_size(WG)
fn pointwise_strided(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n) { return; }
  var rest = i;
  let i0 = rest % params.size0; rest = rest / params.size0;
  let i1 = rest % params.size1; rest = rest / params.size1;
  let i2 = rest % params.size2; rest = rest / params.size2;
  let i3 = rest % params.size3; rest = rest / params.size3;
  let i4 = rest % params.size4; let i5 = rest / params.size4;
  let a = E(a_in[i0 * params.a0 + i1 * params.a1 + i2 * params.a2 + i3 * params.a3 + i4 * params.a4 + i5 * params.a5]);
  let b = E(b_in[i0 * params.b0 + i1 * params.b1 + i2 * params.b2 + i3 * params.b3 + i4 * params.b4 + i5 * params.b5]);
  let c = E(c_in[i0 * params.c0 + i1 * params.c1 + i2 * params.c2 + i3 * params.c3 + i4 * params.c4 + i5 * params.c5]);
  let d = E(d_in[i0 * params.d0 + i1 * params.d1 + i2 * params.d2 + i3 * params.d3 + i4 * params.d4 + i5 * params.d5]);
  y[i] = evaluate(a, b, c, d);
}
