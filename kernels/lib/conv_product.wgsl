// The convolution of conv.wgsl in the terms of lib/product.wgsl: a step of the reduction lies in one tap (or run of taps), so what
// a tap moves is the same for all lanes; the last step of a tap is filled up with zeros. Vectors of 4 where channels allow.
// @import "lib/finish.wgsl"
// @import "lib/conv.wgsl"
alias T = f32; // @spec f32 f16
alias R = f32; // @spec f32 f16
alias X = f32; // @spec f32 f16 vec4<f32> vec4<f16>
const XV = 1u; // @spec X: 1u 1u 4u 4u
alias W = f32; // @spec f32 f16 vec4<f32> vec4<f16>
const WV = 1u; // @spec W: 1u 1u 4u 4u

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<X>;       // [N, XD, XH, XW, XC]; as vec4 gi is a multiple of 4
// by strides: column, reduction, group, taps; as vec4 w_k is 1 and the others are multiples of 4
@group(0) @binding(2) var<storage, read> w: array<W>;
@group(0) @binding(3) var<storage, read> bias: array<T>;    // [YC]
@group(0) @binding(4) var<storage, read_write> y: array<R>; // [splits, N, YD, YH, YW, YC]
@group(0) @binding(5) var<storage, read> other: array<T>;   // as y, where act asks for it; else any buffer

struct Place {
  m0: u32, n0: u32, first: u32, steps: u32, y0: u32, group: u32, phase: vec3<u32>, grid: vec3<u32>, az: Axis, ay: Axis, ax: Axis,
}
struct Row { base: i32, origin: vec3<i32> } // where a row's window starts: element, and position
struct Col { at: u32 }
struct Step { j: u32, skip: i32, hop: vec3<i32>, w0: u32 } // from j of a run on; what its tap adds to element, position, weight

fn length() -> u32 { return u32(params.run) * params.gi; }
fn up() -> vec3<u32> { return vec3<u32>(u32(params.up_z), u32(params.up_y), u32(params.up_x)); }
fn taps_x(p: Place) -> i32 { return (p.ax.count + params.run - 1) / params.run; }

fn place(tile: u32) -> Place {
  let grid = (vec3<u32>(params.yd, params.yh, params.yw) + up() - 1u) / up(); // output pixels of a phase
  let across = (params.go + BN - 1u) / BN;
  let groups = params.yc / params.go;
  let down = (params.n * grid.x * grid.y * grid.z + BM - 1u) / BM;
  // More tiles than y has: so many ranges of the reduction, each with a y of its own.
  let splits = max(1u, params.tiles / (down * across * groups * up().x * up().y * up().z));
  let outer = tile / (down * across) / splits;
  let split = tile / (down * across) % splits;
  let f = outer / groups;
  var p: Place;
  p.m0 = (tile % down) * BM;
  p.n0 = ((tile / down) % across) * BN;
  p.group = outer % groups;
  p.grid = grid;
  p.phase = vec3<u32>(f / (up().y * up().z), (f / up().z) % up().y, f % up().z);
  p.az = axis(i32(p.phase.x), params.kd, params.up_z, params.pad_z, params.dil_z, params.step_z);
  p.ay = axis(i32(p.phase.y), params.kh, params.up_y, params.pad_y, params.dil_y, params.step_y);
  p.ax = axis(i32(p.phase.z), params.kw, params.up_x, params.pad_x, params.dil_x, params.step_x);
  let all = u32(p.az.count * p.ay.count * taps_x(p)) * ((length() + BK - 1u) / BK);
  let share = (all + splits - 1u) / splits;
  p.first = min(split * share, all);
  p.steps = min(share, all - p.first);
  p.y0 = split * params.n * params.yd * params.yh * params.yw * params.yc;
  return p;
}

// Output pixel of a row within its phase: image, and position.
fn pixel(p: Place, i: u32) -> vec4<u32> {
  let yx = i / p.grid.z;
  let zyx = yx / p.grid.y;
  return vec4<u32>(zyx / p.grid.x, zyx % p.grid.x, yx % p.grid.y, i % p.grid.z);
}
fn left_row(p: Place, i: u32) -> Row {
  let q = vec4<i32>(pixel(p, i));
  let o = q.yzw * vec3<i32>(params.down_z, params.down_y, params.down_x) + vec3<i32>(p.az.offset, p.ay.offset, p.ax.offset);
  let base = (((q.x * params.xd + o.x) * params.xh + o.y) * params.xw + o.z) * params.xc + i32(p.group * params.gi);
  return Row(base, vec3<i32>(select(0x3fffffff, o.x, q.x < i32(params.n)), o.y, o.z)); // a row outside sees padding only
}
fn right_col(p: Place, j: u32) -> Col { return Col(p.group * params.w_group + min(j, params.go - 1u) * params.w_col); }

fn step(p: Place, s: u32) -> Step {
  let per_tap = (length() + BK - 1u) / BK;
  let tap = i32((p.first + s) / per_tap);
  let t = vec3<i32>(tap / (taps_x(p) * p.ay.count), (tap / taps_x(p)) % p.ay.count, tap % taps_x(p));
  let hop = t * vec3<i32>(p.az.step, p.ay.step, p.ax.step);
  let k = vec3<u32>(vec3<i32>(p.az.k0, p.ay.k0, p.ax.k0) + t * vec3<i32>(params.step_z, params.step_y, params.step_x));
  return Step(
    ((p.first + s) % per_tap) * BK, ((hop.x * params.xh + hop.y) * params.xw + hop.z) * params.xc, hop,
    k.x * params.w_z + k.y * params.w_y + k.z * params.w_x);
}

fn left_along() -> bool { return true; }
fn right_along() -> bool { return params.w_k == 1u; }
fn x_at(i: i32, ok: bool) -> S { return select(S(), S(vec4(x[select(0, i, ok)]).x), ok); }
fn w_at(i: u32, ok: bool) -> S { return select(S(), S(vec4(w[select(0u, i, ok)]).x), ok); }

fn left(row: Row, step: Step, k: u32) -> vec4<S> {
  let j = step.j + k;
  let at = row.origin + step.hop;
  let inside = u32(at.x) < u32(params.xd) && u32(at.y) < u32(params.xh);
  let first = max(0, -at.z);
  let lo = u32(first) * params.gi;
  let len = select(0u, u32(max(0, min(params.run, params.xw - at.z) - first)) * params.gi, inside);
  let q = row.base + step.skip + i32(j);
  if (XV == 4u) {
    let ok = j - lo < len;
    return select(vec4<S>(), vec4<S>(vec4(x[select(0, q / 4, ok)])), ok);
  }
  return vec4<S>(x_at(q, j - lo < len), x_at(q + 1, j + 1u - lo < len), x_at(q + 2, j + 2u - lo < len), x_at(q + 3, j + 3u - lo < len));
}
fn right(col: Col, step: Step, k: u32) -> vec4<S> {
  let j = step.j + k;
  let q = col.at + step.w0 + j * params.w_k;
  let n = length();
  if (WV == 4u) { return select(vec4<S>(), vec4<S>(vec4(w[select(0u, q / 4u, j < n)])), j < n); }
  let d = params.w_k;
  return vec4<S>(w_at(q, j < n), w_at(q + d, j + 1u < n), w_at(q + 2u * d, j + 2u < n), w_at(q + 3u * d, j + 3u < n));
}

fn out_row(p: Place, i: u32) -> u32 {
  let q = pixel(p, i);
  let at = q.yzw * up() + p.phase;
  let inside = q.x < params.n && at.x < params.yd && at.y < params.yh && at.z < params.yw;
  let out = (((q.x * params.yd + at.x) * params.yh + at.y) * params.yw + at.z) * params.yc + p.group * params.go;
  return select(OUTSIDE, p.y0 + out, inside);
}
fn emit(p: Place, out: u32, j: u32, value: f32) {
  if (out == OUTSIDE || j >= params.go) { return; }
  var v = value;
  if (params.has_bias == 1u) { v += f32(bias[p.group * params.go + j]); }
  y[out + j] = R(select(v, 0.0, params.act == 1u && v < 0.0));
}
fn pending() -> bool { return params.act > 1u; }
fn settle(p: Place, out: u32, j: u32) {
  if (out == OUTSIDE || j >= params.go) { return; }
  y[out + j] = R(finish(f32(y[out + j]), out + j));
}
