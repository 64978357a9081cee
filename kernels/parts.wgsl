// SPDX-License-Identifier: MIT
// Neighbouring parts of a tensor along an axis, all in one dispatch. With what lies before the axis as rows and the rest as columns the
// whole is [rows, row], part k [rows, its columns]; parts 0, 1, ... take the columns from `first` on, and part k ends at `end_k` of them.
// `join` writes up to six parts into the whole, zeros for those that are missing; `split` writes up to four parts.
// One lane an element. Values are moved as bits, and four at a time where every part and the whole allow it.

alias T = u32; // @spec u32 f16 vec4<u32> vec4<f16>

override WG: u32 = 64u;

struct Params {
  n: u32, columns: u32,   // elements, and columns of all parts together, in T
  row: u32, first: u32,   // columns of the whole; its first that belongs to a part
  end0: u32, end1: u32,   // end of part 0; of part 1: all columns where there is none after it
  end2: u32, end3: u32,   // end of part 2; of part 3
  end4: u32,              // end of part 4
  missing: u32,           // bit k: part k is not given
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x0: array<T>;         // join: part 0 [rows, its columns]
@group(0) @binding(2) var<storage, read> x1: array<T>;         // part 1; any other where there are fewer
@group(0) @binding(3) var<storage, read> x2: array<T>;         // part 2, likewise
@group(0) @binding(4) var<storage, read> x3: array<T>;         // part 3, likewise
@group(0) @binding(5) var<storage, read> x4: array<T>;         // part 4, likewise
@group(0) @binding(6) var<storage, read> x5: array<T>;         // part 5, likewise
@group(0) @binding(7) var<storage, read_write> y: array<T>;    // join: the whole [rows, row]; other columns keep what they hold
@group(0) @binding(8) var<storage, read> x: array<T>;          // split: the whole [rows, row]
@group(0) @binding(9) var<storage, read_write> y0: array<T>;   // split: part 0 [rows, its columns]
@group(0) @binding(10) var<storage, read_write> y1: array<T>;  // part 1; nothing is written where there are fewer
@group(0) @binding(11) var<storage, read_write> y2: array<T>;  // part 2, likewise
@group(0) @binding(12) var<storage, read_write> y3: array<T>;  // part 3, likewise

struct Place { row: u32, column: u32, whole: u32 }
fn place(i: u32) -> Place {
  let r = i / params.columns;
  let c = i - r * params.columns;
  return Place(r, c, r * params.row + params.first + c);
}
// Where a part that takes columns `start` to `end` holds it.
fn within(p: Place, start: u32, end: u32) -> u32 { return p.row * (end - start) + p.column - start; }
fn given(part: u32) -> bool { return ((params.missing >> part) & 1u) == 0u; }

@compute @workgroup_size(WG)
fn join(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n) { return; }
  let p = place(i);
  var v = T();
  if (p.column < params.end0) {
    if (given(0u)) { v = x0[within(p, 0u, params.end0)]; }
  } else if (p.column < params.end1) {
    if (given(1u)) { v = x1[within(p, params.end0, params.end1)]; }
  } else if (p.column < params.end2) {
    if (given(2u)) { v = x2[within(p, params.end1, params.end2)]; }
  } else if (p.column < params.end3) {
    if (given(3u)) { v = x3[within(p, params.end2, params.end3)]; }
  } else if (p.column < params.end4) {
    if (given(4u)) { v = x4[within(p, params.end3, params.end4)]; }
  } else if (given(5u)) {
    v = x5[within(p, params.end4, params.columns)];
  }
  y[p.whole] = v;
}

@compute @workgroup_size(WG)
fn split(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.n) { return; }
  let p = place(i);
  let v = x[p.whole];
  if (p.column < params.end0) { y0[within(p, 0u, params.end0)] = v; }
  else if (p.column < params.end1) { y1[within(p, params.end0, params.end1)] = v; }
  else if (p.column < params.end2) { y2[within(p, params.end1, params.end2)] = v; }
  else { y3[within(p, params.end2, params.columns)] = v; }
}
