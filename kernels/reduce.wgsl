// SPDX-License-Identifier: MIT
// Reductions of x [outer, n, inner] over n, split into `parts` runs of `chunk`: partial results [outer, parts, inner] are
// reduced again by the same kernels until one part is left, so a single long row is parallel and every order is fixed.
// `reduce_rows` (inner = 1): LANES neighbouring lanes share a run and meet by butterfly.
// `reduce_cols`: a lane owns one V (four columns where inner % 4 = 0) and walks down a run.
// `match_rows`, `match_cols`: smallest index of the element equal to the row's extremum `best`; with OP = min over the
// parts this is argmax and argmin, the first of equals. NaN is the extremum of what holds one.
// Floats accumulate in f32; the results are A (rows: S).
// @import "lib/lanes.wgsl"
// @import "lib/nan.wgsl"

alias V = f32; // @spec f32 f16 i32 u32 vec4<f32> vec4<f16>
alias A = f32; // @spec V: f32 f32 i32 u32 vec4<f32> vec4<f32>
alias S = f32; // @spec V: f32 f32 i32 u32 f32 f32
alias B = u32; // @spec V: u32 u32 u32 u32 vec4<u32> vec4<u32>
const W = 1u; // @spec V: 1u 1u 1u 1u 4u 4u
const MAGNITUDE = 0x7fffffffu; // @spec V: 0x7fffffffu 0x7fffffffu 0xffffffffu 0xffffffffu 0x7fffffffu 0x7fffffffu

override OP: u32 = 0u;       // 0 sum, 1 max, 2 min, 3 product
override PRE: u32 = 0u;      // on reading: 0 x, 1 x * x, 2 |x|, 3 x != 0, 4 x * z

struct Params {
  outer: u32, n: u32, inner: u32, // before the reduced axis; along it; behind it, in V
  chunk: u32, parts: u32,         // of n a run; runs. Rows with W = 4 count n and chunk in V
  scale: f32,                     // of the result (a mean's 1 / n); float sums only
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;              // [outer, n, inner]
@group(0) @binding(2) var<storage, read> best: array<A>;           // match: [outer, inner]; filled by reduce_rows or reduce_cols
@group(0) @binding(3) var<storage, read_write> y: array<A>;        // cols: [outer, parts, inner]
@group(0) @binding(4) var<storage, read_write> y_rows: array<S>;   // rows: [outer, parts]
@group(0) @binding(5) var<storage, read_write> index: array<u32>;  // match: [outer, parts, inner]
@group(0) @binding(6) var<storage, read> z: array<V>;              // [outer, n, inner]; any other where x is not multiplied

fn load(i: u32) -> A {
  let v = A(x[i]);
  if (PRE == 1u) { return v * v; }
  if (PRE == 2u) { return abs(v); }
  if (PRE == 4u) { return v * A(z[i]); }
  if (PRE == 3u) { return select(A(S(0)), A(S(1)), (bitcast<B>(v) & B(MAGNITUDE)) != B(0u)); }
  return v;
}

fn combine(a: A, b: A) -> A {
  if (OP == 1u) { return select(a, b, b > a); }
  if (OP == 2u) { return select(a, b, b < a); }
  if (OP == 3u) { return a * b; }
  return a + b;
}
// Extrema that NaN goes through.
fn exact(a: A, b: A) -> A {
  let high = nan_max(a, b); // @spec V: nan_max(a,b) nan_max(a,b) a a nan_max4(a,b) nan_max4(a,b)
  let low = nan_min(a, b); // @spec V: nan_min(a,b) nan_min(a,b) a a nan_min4(a,b) nan_min4(a,b)
  return select(low, high, OP == 1u);
}
// Of an extremum's run: the sum of its elements tells whether to look for NaN.
fn suspect(sum: A) -> bool {
  let r = is_nan(sum); // @spec V: is_nan(sum) is_nan(sum) false false any(is_nan4(sum)) any(is_nan4(sum))
  return (OP == 1u || OP == 2u) && r;
}

// Extrema have no neutral element that a float constant can spell: they start from an element of the run.
fn start(i: u32) -> A {
  if ((OP == 1u || OP == 2u)) { return load(i); }
  return A(S(OP / 3u));
}

fn larger1(a: S, b: S) -> S {
  let r = nan_max(a, b); // @spec V: nan_max(a,b) nan_max(a,b) max(a,b) max(a,b) nan_max(a,b) nan_max(a,b)
  return r;
}
fn smaller1(a: S, b: S) -> S {
  let r = nan_min(a, b); // @spec V: nan_min(a,b) nan_min(a,b) min(a,b) min(a,b) nan_min(a,b) nan_min(a,b)
  return r;
}
fn combine1(a: S, b: S) -> S {
  if (OP == 1u) { return larger1(a, b); }
  if (OP == 2u) { return smaller1(a, b); }
  if (OP == 3u) { return a * b; }
  return a + b;
}

// One value of the four that a vector row holds; a scalar as it is.
fn flatten(a: A) -> S {
  let r = a; // @spec V: a a a a combine1(combine1(a.x,a.y),combine1(a.z,a.w)) combine1(combine1(a.x,a.y),combine1(a.z,a.w))
  return r;
}

fn scaled(a: S) -> S {
  let r = a * params.scale; // @spec V: a*params.scale a*params.scale a a a*params.scale a*params.scale
  return r;
}

// Workgroups: `ceil(outer * parts * LANES / WG)`
@compute @workgroup_size(WG)
fn reduce_rows(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let local = lid.x;
  let run = ((wid.x + wid.y * nwg.x) * WG + local) / LANES; // o * parts + part
  let lane = local % LANES;
  let inside = run < params.outer * params.parts;
  let o = select(0u, run / params.parts, inside);
  let first = select(0u, run % params.parts, inside) * params.chunk;
  let last = min(first + params.chunk, params.n);
  let base = o * params.n;
  var acc = start(base + first);
  var sum = A();
  for (var left = passes(lane, max(first, last) - first); left > 0u; left--) {
    let v = load(base + first + lane + (left - 1u) * LANES);
    acc = combine(acc, v);
    sum += v;
  }
  if (suspect(sum)) {
    for (var left = passes(lane, max(first, last) - first); left > 0u; left--) {
      acc = exact(acc, load(base + first + lane + (left - 1u) * LANES));
    }
  }
  var r = flatten(acc);
  for (var bit = countTrailingZeros(LANES); bit > 0u; bit--) { r = combine1(r, subgroupShuffleXor(r, 1u << (bit - 1u))); }
  if (inside && lane == 0u) { y_rows[run] = scaled(r); }
}

@compute @workgroup_size(WG)
fn reduce_cols(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let local = lid.x;
  let t = (wid.x + wid.y * nwg.x) * WG + local; // (o * parts + part) * inner + i
  if (t >= params.outer * params.parts * params.inner) { return; }
  let i = t % params.inner;
  let run = t / params.inner;
  let first = (run % params.parts) * params.chunk;
  let last = min(first + params.chunk, params.n);
  let base = (run / params.parts) * params.n * params.inner + i;
  var acc = start(base + first * params.inner);
  var sum = A();
  for (var left = max(first, last) - first; left > 0u; left--) {
    let v = load(base + (last - left) * params.inner);
    acc = combine(acc, v);
    sum += v;
  }
  if (suspect(sum)) {
    for (var left = max(first, last) - first; left > 0u; left--) { acc = exact(acc, load(base + (last - left) * params.inner)); }
  }
  let s = acc * params.scale; // @spec V: acc*params.scale acc*params.scale acc acc acc*params.scale acc*params.scale
  y[t] = s;
}

fn nan_at(v: A) -> bool {
  let r = is_nan(v); // @spec V: is_nan(v) is_nan(v) false false any(is_nan4(v)) any(is_nan4(v))
  return r;
}

// Workgroups: `ceil(outer * parts * LANES / WG)`
@compute @workgroup_size(WG)
fn match_rows(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let local = lid.x;
  let run = ((wid.x + wid.y * nwg.x) * WG + local) / LANES;
  let lane = local % LANES;
  let inside = run < params.outer * params.parts;
  let o = select(0u, run / params.parts, inside);
  let first = select(0u, run % params.parts, inside) * params.chunk;
  let last = min(first + params.chunk, params.n);
  let wanted = flatten(best[o]);
  var found = params.n - 1u;
  for (var left = passes(lane, max(first, last) - first); left > 0u; left--) {
    let i = first + lane + (left - 1u) * LANES;
    if (flatten(A(x[o * params.n + i])) == wanted) { found = min(found, i); }
  }
  if (nan_at(best[o])) {
    found = params.n - 1u;
    for (var left = passes(lane, max(first, last) - first); left > 0u; left--) {
      let i = first + lane + (left - 1u) * LANES;
      if (nan_at(A(x[o * params.n + i]))) { found = min(found, i); }
    }
  }
  for (var bit = countTrailingZeros(LANES); bit > 0u; bit--) { found = min(found, subgroupShuffleXor(found, 1u << (bit - 1u))); }
  if (inside && lane == 0u) { index[run] = found; }
}

@compute @workgroup_size(WG)
fn match_cols(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let local = lid.x;
  let t = (wid.x + wid.y * nwg.x) * WG + local;
  if (t >= params.outer * params.parts * params.inner) { return; }
  let i = t % params.inner;
  let run = t / params.inner;
  let o = run / params.parts;
  let first = (run % params.parts) * params.chunk;
  let last = min(first + params.chunk, params.n);
  let wanted = flatten(best[o * params.inner + i]);
  var found = params.n - 1u;
  for (var left = max(first, last) - first; left > 0u; left--) {
    let r = last - left;
    if (flatten(A(x[(o * params.n + r) * params.inner + i])) == wanted) { found = min(found, r); }
  }
  if (nan_at(best[o * params.inner + i])) {
    found = params.n - 1u;
    for (var left = max(first, last) - first; left > 0u; left--) {
      let r = last - left;
      if (nan_at(A(x[(o * params.n + r) * params.inner + i]))) { found = min(found, r); }
    }
  }
  index[t] = found;
}
