// SPDX-License-Identifier: MIT
// `pad`: element o of each axis (up to six) of y comes from element source(o) of x: constant, replicate, reflect or circular
// border, or, with STEPPED, every step-th element (the adjoint of a strided or flipped slice).
// `pad_dx`: adjoint along one axis of [outer, out, inner]: each input sums the outputs that read it. The one that moved with it
// and those in the margins are looked at, in ascending order, so nothing is ever added by two lanes.
// One lane an element (four where the last axis is untouched and divisible).

alias V = f32; // @spec f32 f16 i32 u32 vec4<f32> vec4<f16> vec4<i32> vec4<u32>
alias S = f32; // @spec V: f32 f16 i32 u32 f32 f16 i32 u32
alias A = f32; // @spec V: f32 f32 i32 u32 vec4<f32> vec4<f32> vec4<i32> vec4<u32>

override WG: u32 = 64u;
override MODE: u32 = 0u; // 0 constant, 1 replicate, 2 reflect, 3 circular
override RANK: u32 = 6u;
override STEPPED: bool = false;

struct Params {
  n: u32, value: f32, inner: u32, // elements written, in V; constant border; pad_dx: elements behind the axis, in V
  // pad: axes of y, last first; pad_dx: axis 0 alone
  out0: u32, out1: u32, out2: u32, out3: u32, out4: u32, out5: u32,             // sizes of y
  in0: u32, in1: u32, in2: u32, in3: u32, in4: u32, in5: u32,                   // sizes of x
  start0: i32, start1: i32, start2: i32, start3: i32, start4: i32, start5: i32, // where element 0 of x lies in y; minus where cut off
  step0: i32, step1: i32, step2: i32, step3: i32, step4: i32, step5: i32,       // STEPPED: from one element of x to the next in y
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;        // pad: [in5, ..., in0]
@group(0) @binding(1) var<storage, read> g: array<V>;        // pad_dx: [outer, out0, inner]
@group(0) @binding(2) var<storage, read_write> y: array<V>;  // pad: [out5, ..., out0]
@group(0) @binding(2) var<storage, read_write> dx: array<V>; // pad_dx: [outer, in0, inner]

fn wrap(a: i32, period: i32) -> i32 { return ((a % period) + period) % period; }

// The element of x that element o of y holds; -1: none.
fn source(o: u32, size: u32, start: i32, step: i32) -> i32 {
  let n = i32(size);
  let t = i32(o) - start;
  if (MODE == 1u) { return clamp(t, 0, n - 1); }
  if (MODE == 2u) {
    let m = wrap(t, max(2 * (n - 1), 1));
    return select(m, 2 * (n - 1) - m, m >= n);
  }
  if (MODE == 3u) { return wrap(t, n); }
  var q = t;
  var hit = true;
  if (STEPPED) { q = t / step; hit = q * step == t; }
  return select(-1, q, hit && q >= 0 && q < n);
}

@compute @workgroup_size(WG)
fn pad(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  var rest = i;
  var s0 = 0; var s1 = 0; var s2 = 0; var s3 = 0; var s4 = 0; var s5 = 0;
  s0 = source(rest % params.out0, params.in0, params.start0, params.step0);
  if (RANK > 1u) { rest = rest / params.out0; s1 = source(rest % params.out1, params.in1, params.start1, params.step1); }
  if (RANK > 2u) { rest = rest / params.out1; s2 = source(rest % params.out2, params.in2, params.start2, params.step2); }
  if (RANK > 3u) { rest = rest / params.out2; s3 = source(rest % params.out3, params.in3, params.start3, params.step3); }
  if (RANK > 4u) { rest = rest / params.out3; s4 = source(rest % params.out4, params.in4, params.start4, params.step4); }
  if (RANK > 5u) { rest = rest / params.out4; s5 = source(rest, params.in5, params.start5, params.step5); }
  var v = V(S(params.value));
  if (min(min(s0, min(s1, s2)), min(s3, min(s4, s5))) >= 0) {
    let high = (u32(s5) * params.in4 + u32(s4)) * params.in3 + u32(s3);
    v = x[((high * params.in2 + u32(s2)) * params.in1 + u32(s1)) * params.in0 + u32(s0)];
  }
  y[i] = v;
}

@compute @workgroup_size(WG)
fn pad_dx(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let rest = i / params.inner;
  let k = i32(rest % params.in0);
  let base = (rest / params.in0) * params.out0 * params.inner + i % params.inner;
  let first = clamp(params.start0, 0, i32(params.out0));                              // margins: [0, first) and [last, out)
  let last = clamp(params.start0 + i32(params.in0), first, i32(params.out0));
  var sum = A();
  for (var left = first; left > 0; left--) {
    let o = first - left;
    if (source(u32(o), params.in0, params.start0, 1) == k) { sum += A(g[base + u32(o) * params.inner]); }
  }
  let own = k + params.start0;
  if (own >= first && own < last) { sum += A(g[base + u32(own) * params.inner]); }
  for (var left = i32(params.out0) - last; left > 0; left--) {
    let o = i32(params.out0) - left;
    if (source(u32(o), params.in0, params.start0, 1) == k) { sum += A(g[base + u32(o) * params.inner]); }
  }
  dx[i] = V(sum);
}
