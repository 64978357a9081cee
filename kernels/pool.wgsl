// SPDX-License-Identifier: MIT
// Pooling of x [N, D, H, W, C] over windows (max_pool, avg_pool) or over a given number of bins (avg_pool with BINS), and their
// adjoints in gather form: an input element looks at the windows that hold it, in ascending order, so nothing is added by two
// lanes. One lane an element, or four channels where C % 4 = 0. Sums are f32.
// max_pool keeps the place of the maximum within D * H * W, the first of equals and the last NaN as in PyTorch; its adjoint compares
// places. A window of padding alone (dilation can make one) is -infinity, ABSENT from every place; its mean is 0.
// Bin o of an axis covers floor(o L / O) to ceil((o + 1) L / O) - 1; bins overlap, and repeat where O > L.
// @import "lib/nan.wgsl"

alias V = f32; // @spec f32 f16 vec4<f32> vec4<f16>
alias A = f32; // @spec V: f32 f32 vec4<f32> vec4<f32>
alias I = u32; // @spec V: u32 u32 vec4<u32> vec4<u32>
alias Truth = bool; // @spec V: bool bool vec4<bool> vec4<bool>

override WG: u32 = 64u;
override INCLUDE_PAD: bool = true; // avg_pool: padding counts in the divisor
override DILATED: bool = true;     // without dilation there is less to divide
override BINS: bool = false;       // avg_pool: windows are bins, which d, h, w and od, oh, ow alone tell
override VOLUME: bool = true;      // D takes part
// Strides: known to the compiler, for the adjoints divide by them.
override SD: u32 = 1u;
override SH: u32 = 1u;
override SW: u32 = 1u;

struct Params {
  n: u32, c: u32,                   // elements written; channels (both in V)
  d: u32, h: u32, w: u32,           // input: depth; height; width
  od: u32, oh: u32, ow: u32,        // output: depth; height; width
  kd: u32, kh: u32, kw: u32,        // window
  pd: i32, ph: i32, pw: i32,        // padding before, plus
  ld: u32, lh: u32, lw: u32,        // dilation
  ed: i32, eh: i32, ew: i32,        // padding after, plus
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;            // [N, D, H, W, C]
@group(0) @binding(1) var<storage, read> g: array<V>;            // [N, OD, OH, OW, C]
@group(0) @binding(2) var<storage, read> index: array<I>;        // max_pool_dx: [N, OD, OH, OW, C]; filled by max_pool
@group(0) @binding(3) var<storage, read_write> y: array<V>;      // [N, OD, OH, OW, C]
@group(0) @binding(3) var<storage, read_write> dx: array<V>;     // [N, D, H, W, C]
@group(0) @binding(4) var<storage, read_write> place: array<I>;  // max_pool: [N, OD, OH, OW, C]

// One axis: a window of `size` taps, `dilation` apart, from `start` (may lie in the padding).
struct Window { start: i32, first: i32, end: i32, count: i32 } // taps first to end - 1 lie inside; count goes into the divisor

fn bin(o: u32, length: u32, bins: u32) -> vec2<u32> { return vec2(o * length / bins, ((o + 1u) * length + bins - 1u) / bins); }

fn window(o: u32, length: u32, windows: u32, size: u32, stride: u32, before: i32, after: i32, dilation: u32) -> Window {
  if (BINS) {
    let b = vec2<i32>(bin(o, length, windows));
    return Window(b.x, 0, b.y - b.x, b.y - b.x);
  }
  let start = i32(o * stride) - before;
  if (!DILATED) {
    let inside = vec2(max(0, -start), min(i32(size), i32(length) - start));
    return Window(start, inside.x, inside.y, select(inside.y - inside.x, min(i32(size), i32(length) + after - start), INCLUDE_PAD));
  }
  let l = i32(dilation);
  let first = select(0, (l - 1 - start) / l, start < 0);
  let end = min(i32(size), (i32(length) - start + l - 1) / l);
  let padded = min(i32(size), (i32(length) + after - start + l - 1) / l);
  return Window(start, first, end, select(end - first, padded, INCLUDE_PAD));
}
fn window_d(o: u32) -> Window {
  if (!VOLUME) { return Window(0, 0, 1, 1); }
  return window(o, params.d, params.od, params.kd, SD, params.pd, params.ed, params.ld);
}
fn window_h(o: u32) -> Window { return window(o, params.h, params.oh, params.kh, SH, params.ph, params.eh, params.lh); }
fn window_w(o: u32) -> Window { return window(o, params.w, params.ow, params.kw, SW, params.pw, params.ew, params.lw); }

// Windows of an axis that may hold input element i: from .x to .y - 1.
fn holders(i: u32, length: u32, size: u32, stride: u32, before: i32, dilation: u32, windows: u32) -> vec2<u32> {
  if (BINS) { return bin(i, windows, length); } // the same rule with the lengths exchanged
  let at = i32(i) + before;
  let reach = at - i32((size - 1u) * dilation);
  let low = select(0u, (u32(reach) + stride - 1u) / stride, reach > 0);
  return vec2(low, min(windows, u32(at) / stride + 1u));
}
fn holders_d(i: u32) -> vec2<u32> {
  if (!VOLUME) { return vec2(0u, 1u); }
  return holders(i, params.d, params.kd, SD, params.pd, params.ld, params.od);
}
fn holders_h(i: u32) -> vec2<u32> { return holders(i, params.h, params.kh, SH, params.ph, params.lh, params.oh); }
fn holders_w(i: u32) -> vec2<u32> { return holders(i, params.w, params.kw, SW, params.pw, params.lw, params.ow); }

struct Position { n: u32, d: u32, h: u32, w: u32, c: u32 }
fn position(i: u32, d: u32, h: u32, w: u32) -> Position {
  let pixel = i / params.c;
  let row = pixel / w;
  let plane = row / h;
  if (!VOLUME) { return Position(plane, 0u, row % h, pixel % w, i % params.c); }
  return Position(plane / d, plane % d, row % h, pixel % w, i % params.c);
}
fn output_position(i: u32) -> Position { return position(i, params.od, params.oh, params.ow); }
fn input_position(i: u32) -> Position { return position(i, params.d, params.h, params.w); }
fn input_row(n: u32, d: u32, h: u32) -> u32 { return ((n * params.d + d) * params.h + h) * params.w; }
fn output_row(n: u32, d: u32, h: u32) -> u32 { return ((n * params.od + d) * params.oh + h) * params.ow; }

fn nan_at(v: A) -> Truth {
  let r = is_nan(v); // @spec V: is_nan(v) is_nan(v) is_nan4(v) is_nan4(v)
  return r;
}

fn suspect(sum: A) -> bool {
  let r = is_nan(sum); // @spec V: is_nan(sum) is_nan(sum) any(is_nan4(sum)) any(is_nan4(sum))
  return r;
}

// The element of an axis that tap k of a window reads.
fn tap(v: Window, k: i32, dilation: u32) -> u32 { return u32(v.start + k * i32(dilation)); }

@compute @workgroup_size(WG)
fn max_pool(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let p = output_position(i);
  let vd = window_d(p.d);
  let vh = window_h(p.h);
  let vw = window_w(p.w);
  let origin = input_row(p.n, 0u, 0u);
  var best = A(-infinity());
  var at = I(input_row(0u, tap(vd, vd.first, params.ld), tap(vh, vh.first, params.lh)) + tap(vw, vw.first, params.lw));
  var sum = A();
  if (vd.first >= vd.end || vh.first >= vh.end || vw.first >= vw.end) { at = I(ABSENT); }
  for (var kd = vd.first; kd < vd.end; kd++) {
    for (var kh = vh.first; kh < vh.end; kh++) {
      let row = input_row(0u, tap(vd, kd, params.ld), tap(vh, kh, params.lh));
      for (var left = vw.end - vw.first; left > 0; left--) {
        let here = row + tap(vw, vw.end - left, params.lw);
        let v = A(x[(origin + here) * params.c + p.c]);
        let better = v > best;
        sum += v;
        best = select(best, v, better);
        at = select(at, I(here), better);
      }
    }
  }
  if (suspect(sum)) { // once more, for NaN: rare, and a walk of its own, so that the first one stays lean
    for (var kd = vd.first; kd < vd.end; kd++) {
      for (var kh = vh.first; kh < vh.end; kh++) {
        let row = input_row(0u, tap(vd, kd, params.ld), tap(vh, kh, params.lh));
        for (var left = vw.end - vw.first; left > 0; left--) {
          let here = row + tap(vw, vw.end - left, params.lw);
          let v = A(x[(origin + here) * params.c + p.c]);
          let nan = nan_at(v);
          best = select(best, v, nan);
          at = select(at, I(here), nan);
        }
      }
    }
  }
  y[i] = V(best);
  place[i] = at;
}

@compute @workgroup_size(WG)
fn max_pool_dx(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let p = input_position(i);
  let here = I(input_row(0u, p.d, p.h) + p.w);
  let rd = holders_d(p.d);
  let rh = holders_h(p.h);
  let rw = holders_w(p.w);
  var sum = A();
  for (var od = rd.x; od < rd.y; od++) {
    for (var oh = rh.x; oh < rh.y; oh++) {
      let row = output_row(p.n, od, oh);
      for (var left = max(rw.x, rw.y) - rw.x; left > 0u; left--) {
        let ow = rw.y - left;
        let o = (row + ow) * params.c + p.c;
        sum += select(A(), A(g[o]), index[o] == here);
      }
    }
  }
  dx[i] = V(sum);
}

@compute @workgroup_size(WG)
fn avg_pool(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let p = output_position(i);
  let vd = window_d(p.d);
  let vh = window_h(p.h);
  let vw = window_w(p.w);
  var sum = A();
  for (var kd = vd.first; kd < vd.end; kd++) {
    for (var kh = vh.first; kh < vh.end; kh++) {
      let row = input_row(p.n, tap(vd, kd, params.ld), tap(vh, kh, params.lh));
      for (var left = vw.end - vw.first; left > 0; left--) {
        sum += A(x[(row + tap(vw, vw.end - left, params.lw)) * params.c + p.c]);
      }
    }
  }
  y[i] = V(sum / f32(max(vd.count * vh.count * vw.count, 1)));
}

// Whether tap (i + before - o stride) / dilation exists: holders() overlooks the gaps of a dilated window.
fn taps(i: u32, v: Window, dilation: u32) -> bool { return !DILATED || (u32(i32(i) - v.start) % dilation) == 0u; }

@compute @workgroup_size(WG)
fn avg_pool_dx(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let p = input_position(i);
  let rd = holders_d(p.d);
  let rh = holders_h(p.h);
  let rw = holders_w(p.w);
  var sum = A();
  for (var od = rd.x; od < rd.y; od++) {
    let vd = window_d(od);
    for (var oh = rh.x; oh < rh.y; oh++) {
      let vh = window_h(oh);
      let row = output_row(p.n, od, oh);
      if (!taps(p.d, vd, params.ld) || !taps(p.h, vh, params.lh)) { continue; }
      for (var left = max(rw.x, rw.y) - rw.x; left > 0u; left--) {
        let ow = rw.y - left;
        let vw = window_w(ow);
        if (taps(p.w, vw, params.lw)) { sum += A(g[(row + ow) * params.c + p.c]) / f32(vd.count * vh.count * vw.count); }
      }
    }
  }
  dx[i] = V(sum);
}
