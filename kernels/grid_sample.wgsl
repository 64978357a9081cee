// SPDX-License-Identifier: MIT
// x [N, D, H, W, C] (2D: D = 1) read at places of a grid [N, P, 2 or 3], each in -1 to 1 along W, H(, D): PyTorch's grid_sample,
// and its two gradients. One lane an element, or four channels where C % 4 = 0; of `grid_sample_dgrid` a place, which walks over
// channels. `grid_sample_dx` has no atomics: an element of x adds up the places that read it, in ascending order.
// `grid_sample_boxes` notes for each run of RUN places which elements it reads, from first to last along each axis, so that runs
// elsewhere cost one look.

// @import "lib/nan.wgsl"

alias V = f32; // @spec f32 f16 vec4<f32> vec4<f16>
alias A = f32; // @spec V: f32 f32 vec4<f32> vec4<f32>
alias T = f32; // @spec V: f32 f16 f32 f16
const W = 1u; // @spec V: 1u 1u 4u 4u

override WG: u32 = 64u;
override TAPS: u32 = 8u;       // neighbours of a place: 1 nearest, 4 bilinear, 8 trilinear
override PADDING: u32 = 0u;    // outside: 0 zeros, 1 the border, 2 reflected
override ALIGNED: bool = false; // -1 and 1 are the centres of the corner elements, not their outer edges
const RUN: u32 = 64u;

struct Params {
  n: u32, c: u32,               // elements written; channels in V
  d: u32, h: u32, w: u32,       // x
  places: u32, axes: u32,       // of one sample; 2 or 3
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grid: array<T>;       // [N, P, axes]
@group(0) @binding(2) var<storage, read> x: array<V>;          // [N, D, H, W, C]
@group(0) @binding(3) var<storage, read_write> y: array<V>;    // [N, P, C]

/** Elements low and low + 1 have weights 1 - t and t; slope = d place / d grid, 0 where padding holds it. Nowhere: low -2, t NaN. */
struct Axis { low: i32, t: f32, slope: f32 }

fn axis(place: u32, a: u32, size: u32) -> Axis {
  if (a >= params.axes) { return Axis(0, 0.0, 0.0); }
  let g = f32(grid[place * params.axes + a]);
  let last = f32(size) - 1.0;
  let bits = bitcast<u32>(g);
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u || (PADDING != 1u && magnitude == 0x7f800000u)) { return Axis(-2, not_a_number(), 0.0); }
  if ((bits & 0x7fffffffu) == 0x7f800000u) { return Axis(select(i32(last), 0, bits == 0xff800000u), 0.0, 0.0); }
  var slope = 0.5 * select(f32(size), last, ALIGNED);
  var at = select((g + 1.0) * slope - 0.5, (g + 1.0) * slope, ALIGNED);
  if (PADDING == 2u) {
    let start = select(-0.5, 0.0, ALIGNED);
    let span = select(f32(size), last, ALIGNED);
    if (at < start) { slope = -slope; }
    let apart = abs(at - start);
    let turns = floor(apart / max(span, 1.0));
    let rest = apart - turns * span;
    at = rest + start;
    if (turns - 2.0 * floor(turns * 0.5) != 0.0) {
      at = span - rest + start;
      slope = -slope;
    }
    if (span == 0.0) { at = 0.0; slope = 0.0; }
  }
  if (PADDING != 0u) {
    if (at <= 0.0 || at >= last) { slope = 0.0; }
    at = clamp(at, 0.0, last);
  }
  at = clamp(at, -2.0, last + 2.0); // far outside is outside
  if (TAPS == 1u) { return Axis(i32(round(at)), 0.0, 0.0); }
  let low = floor(at);
  return Axis(i32(low), at - low, slope);
}

struct Place { w: Axis, h: Axis, d: Axis }
fn place_at(i: u32) -> Place { return Place(axis(i, 0u, params.w), axis(i, 1u, params.h), axis(i, 2u, params.d)); }
fn is_nowhere(p: Place) -> bool { return is_nan(p.w.t) || is_nan(p.h.t) || is_nan(p.d.t); }

fn weight(a: Axis, high: bool) -> f32 { return select(1.0 - a.t, a.t, high); }

struct Tap { at: u32, inside: bool, wx: f32, wy: f32, wz: f32 }
/** Neighbour k: bit 0 is along W, 1 along H, 2 along D. */
fn tap(p: Place, k: u32) -> Tap {
  let i = vec3<i32>(p.w.low, p.h.low, p.d.low) + vec3<i32>(vec3<u32>(k & 1u, (k >> 1u) & 1u, k >> 2u));
  let size = vec3<i32>(vec3<u32>(params.w, params.h, params.d));
  let inside = all(i >= vec3<i32>(0)) && all(i < size);
  let at = u32((i.z * size.y + i.y) * size.x + i.x);
  return Tap(at, inside, weight(p.w, (k & 1u) != 0u), weight(p.h, (k & 2u) != 0u), weight(p.d, (k & 4u) != 0u));
}

@compute @workgroup_size(WG)
fn grid_sample(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n) { return; }
  let at = i / params.c;
  let p = place_at(at);
  let base = at / params.places * params.d * params.h * params.w;
  var s = A();
  for (var k = 0u; k < TAPS; k++) {
    let t = tap(p, k);
    if (t.inside) { s += A(x[(base + t.at) * params.c + i % params.c]) * (t.wx * t.wy * t.wz); }
  }
  if (is_nowhere(p)) { s = A(not_a_number()); }
  y[i] = V(s);
}

@group(0) @binding(3) var<storage, read> g: array<V>;              // [N, P, C]
@group(0) @binding(4) var<storage, read_write> dgrid: array<T>;    // [N, P, axes]

@compute @workgroup_size(WG)
fn grid_sample_dgrid(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n) { return; }
  let p = place_at(i);
  let base = i / params.places * params.d * params.h * params.w;
  var s = vec3<f32>();
  for (var k = 0u; k < TAPS; k++) {
    let t = tap(p, k);
    if (!t.inside) { continue; }
    var products = A();
    for (var left = params.c; left > 0u; left--) {
      let c = params.c - left;
      products += A(g[i * params.c + c]) * A(x[(base + t.at) * params.c + c]);
    }
    let v = vec4<f32>(products); // of one, four copies
    let product = select((v.x + v.y) + (v.z + v.w), v.x, W == 1u);
    let side = select(vec3<f32>(-1.0), vec3<f32>(1.0), (vec3<u32>(k) & vec3<u32>(1u, 2u, 4u)) != vec3<u32>(0u));
    s += side * vec3<f32>(t.wy * t.wz, t.wx * t.wz, t.wx * t.wy) * product;
  }
  let slopes = vec3<f32>(p.w.slope, p.h.slope, p.d.slope);
  for (var left = params.axes; left > 0u; left--) {
    let a = params.axes - left;
    let slope = select(s[a] * slopes[a], 0.0, slopes[a] == 0.0);
    dgrid[i * params.axes + a] = T(select(slope, not_a_number(), is_nowhere(p)));
  }
}

@group(0) @binding(2) var<storage, read_write> boxes: array<i32>;    // [N, runs, 6]: first and last element along W, H, D

@compute @workgroup_size(WG)
fn grid_sample_boxes(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n) { return; }
  let runs = (params.places + RUN - 1u) / RUN;
  let first = i % runs * RUN;
  var low = vec3<i32>(0x7fffffff);
  var high = vec3<i32>(-0x7fffffff);
  for (var left = min(RUN, params.places - first); left > 0u; left--) {
    let p = place_at(i / runs * params.places + first + left - 1u);
    let at = vec3<i32>(p.w.low, p.h.low, p.d.low);
    low = min(low, at);
    high = max(high, at + vec3<i32>(select(1, 0, TAPS == 1u)));
  }
  for (var a = 0u; a < 3u; a++) {
    boxes[i * 6u + a] = low[a];
    boxes[i * 6u + 3u + a] = high[a];
  }
}

@group(0) @binding(2) var<storage, read> reach: array<i32>;         // boxes, as they were noted
@group(0) @binding(4) var<storage, read_write> dx: array<V>;        // [N, D, H, W, C]

fn share(a: Axis, i: i32) -> f32 {
  if (TAPS == 1u) { return 1.0; }
  return weight(a, i != a.low);
}

@compute @workgroup_size(WG)
fn grid_sample_dx(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n) { return; }
  let c = i % params.c;
  var rest = i / params.c;
  let ix = rest % params.w;
  rest /= params.w;
  let iy = rest % params.h;
  rest /= params.h;
  let at = vec3<i32>(vec3<u32>(ix, iy, rest % params.d));
  let sample = rest / params.d;
  let runs = (params.places + RUN - 1u) / RUN;
  var s = A();
  for (var left = runs; left > 0u; left--) {
    let run = runs - left;
    let box = (sample * runs + run) * 6u;
    let low = vec3<i32>(reach[box], reach[box + 1u], reach[box + 2u]);
    let high = vec3<i32>(reach[box + 3u], reach[box + 4u], reach[box + 5u]);
    if (any(at < low) || any(at > high)) { continue; }
    let end = min((run + 1u) * RUN, params.places);
    for (var more = end - run * RUN; more > 0u; more--) {
      let place = sample * params.places + end - more;
      let p = place_at(place);
      let off = at - vec3<i32>(p.w.low, p.h.low, p.d.low);
      if (any(off < vec3<i32>(0)) || any(off > vec3<i32>(select(1, 0, TAPS == 1u)))) { continue; }
      s += A(g[place * params.c + c]) * (share(p.w, at.x) * share(p.h, at.y) * share(p.d, at.z));
    }
  }
  dx[i] = V(s);
}
