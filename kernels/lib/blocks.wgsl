// Workgroup tiles, for GPUs: 256 lanes compute BM rows by BN columns of a product (lib/product.wgsl), TM x TN outputs a lane; with
// SLICES > 1 (few rows or columns) each of so many groups of lanes takes every SLICES-th quad of the reduction, and the groups' sums are
// added in order at the end. Steps of BK of both operands lie in workgroup memory as quads along the reduction, [quad][row], at most
// 16 KiB with the sums. The next step is on its way in registers while one is multiplied (as in CUTLASS).
// On NVIDIA a read of a quad takes half the time where lanes i and i ^ 1, or i and i ^ 2, read the same one: 32 neighbours are 4 rows
// (bits 0 and 4 of the lane) by 8 columns (bits 1 to 3). A quad q of row i is stored at i ^ 2 (q % 4), so that what lanes write that read
// 4 quads of a row each lies in different banks. LX and LY are multiples of 8.
// @import "lib/product.wgsl"
const TM = 4u; // @spec 2u 4u 8u
const TN = 4u; // @spec 2u 4u 8u
const LX = 8u; // @spec 8u 16u 32u
const SLICES = 1u; // @spec 1u 2u 4u
const GROUP = 256u / SLICES; // lanes that share a quad of the reduction
const LY = GROUP / LX;
const BM = LY * TM;
const BN = LX * TN;
const BK = select(select(16u, 8u, BM + BN > 256u), 32u, BM + BN <= 64u);
const QUADS = BK / 4u;
const AT_ONCE = 256u / QUADS; // rows that all lanes read at once
const LEFT = max(1u, BM / AT_ONCE);
const RIGHT = max(1u, BN / AT_ONCE);
const LEVELS = SLICES / 2u; // halvings of the slices
alias S = f32;

var<workgroup> left_tile: array<vec4<f32>, BM * QUADS>;
var<workgroup> right_tile: array<vec4<f32>, BN * QUADS>;
var<workgroup> sums: array<f32, max(1u, LEVELS * GROUP * TM * TN)>; // half of the slices' outputs, a lane's side by side with others'

fn turned(row: u32, quad: u32) -> u32 { return row ^ (2u * (quad % 4u)); }

fn blocks(tile: u32, lane: u32) {
  let p = place(tile);
  let a_slot = slot(lane, AT_ONCE, left_along());
  let b_slot = slot(lane, AT_ONCE, right_along());
  let a_own = AT_ONCE <= BM || a_slot.x < BM;
  let b_own = AT_ONCE <= BN || b_slot.x < BN;
  var rows: array<Row, LEFT>;
  for (var i = 0u; i < LEFT; i++) { rows[i] = left_row(p, p.m0 + a_slot.x + AT_ONCE * i); }
  var cols: array<Col, RIGHT>;
  for (var i = 0u; i < RIGHT; i++) { cols[i] = right_col(p, p.n0 + b_slot.x + AT_ONCE * i); }
  let slice = lane / GROUP;
  let own = lane % GROUP;
  let ty = own / 32u / (LX / 8u) * 4u + (own / 16u) % 2u * 2u + own % 2u;
  let tx = own / 32u % (LX / 8u) * 8u + (own / 2u) % 8u;
  var acc: array<array<f32, TN>, TM>;
  var a_next: array<vec4<f32>, LEFT>;
  var b_next: array<vec4<f32>, RIGHT>;
  for (var rest = p.steps + 1u; rest > 0u; rest--) {
    let s = p.steps + 1u - rest;
    if (s < p.steps) {
      let at = step(p, s);
      if (a_own) { for (var i = 0u; i < LEFT; i++) { a_next[i] = left(rows[i], at, 4u * a_slot.y); } }
      if (b_own) { for (var i = 0u; i < RIGHT; i++) { b_next[i] = right(cols[i], at, 4u * b_slot.y); } }
    }
    if (s > 0u) {
      for (var i = 0u; i < QUADS / SLICES; i++) {
        let q = i * SLICES + slice;
        let left_at = q * BM + turned(ty, q);
        let right_at = q * BN + turned(tx, q);
        var b: array<vec4<f32>, TN>;
        for (var c = 0u; c < TN; c++) { b[c] = right_tile[right_at + LX * c]; }
        for (var r = 0u; r < TM; r++) {
          let a = left_tile[left_at + LY * r];
          for (var c = 0u; c < TN; c++) {
            acc[r][c] = fma(a.w, b[c].w, fma(a.z, b[c].z, fma(a.y, b[c].y, fma(a.x, b[c].x, acc[r][c]))));
          }
        }
      }
    }
    workgroupBarrier();
    if (a_own) { for (var i = 0u; i < LEFT; i++) { left_tile[a_slot.y * BM + turned(a_slot.x + AT_ONCE * i, a_slot.y)] = a_next[i]; } }
    if (b_own) { for (var i = 0u; i < RIGHT; i++) { right_tile[b_slot.y * BN + turned(b_slot.x + AT_ONCE * i, b_slot.y)] = b_next[i]; } }
    workgroupBarrier();
  }
  for (var i = 0u; i < LEVELS; i++) {
    let half = LEVELS >> i;
    if (slice >= half && slice < 2u * half) {
      for (var e = 0u; e < TM * TN; e++) { sums[((slice - half) * TM * TN + e) * GROUP + own] = acc[e / TN][e % TN]; }
    }
    workgroupBarrier();
    if (slice < half) {
      for (var e = 0u; e < TM * TN; e++) { acc[e / TN][e % TN] += sums[(slice * TM * TN + e) * GROUP + own]; }
    }
    workgroupBarrier();
  }
  if (slice > 0u) { return; }
  for (var r = 0u; r < TM; r++) {
    let out = out_row(p, p.m0 + ty + LY * r);
    for (var c = 0u; c < TN; c++) { emit(p, out, p.n0 + tx + LX * c, acc[r][c]); }
  }
  if (!pending()) { return; }
  for (var r = 0u; r < TM; r++) {
    let out = out_row(p, p.m0 + ty + LY * r);
    for (var c = 0u; c < TN; c++) { settle(p, out, p.n0 + tx + LX * c); }
  }
}
