// Workgroup tiles, for GPUs: 256 lanes compute BM rows by BN columns of a product (lib/product.wgsl). Steps of BK of both operands
// lie in workgroup memory as quads along the reduction, [quad][row]: at most 16 KiB, and a lane's 4 x 4 (8 x 8) outputs take 8 (16)
// reads of a quad for 64 (256) multiplications. A lane has rows ty + 16 r and columns tx + 16 c: its neighbours read other banks
// and write neighbouring columns. The next step is on its way in registers while one is multiplied (as in CUTLASS).
// @import "lib/product.wgsl"
const TM = 4u; // @spec 4u 8u
const TN = 4u; // @spec 4u 8u
const BM = 16u * TM;
const BN = 16u * TN;
const BK = 16u;
alias S = f32;

var<workgroup> left_tile: array<vec4<f32>, BM * BK / 4u>;
var<workgroup> right_tile: array<vec4<f32>, BN * BK / 4u>;

fn blocks(tile: u32, lane: u32) {
  let p = place(tile);
  let a_slot = slot(lane, 64u, left_along());
  let b_slot = slot(lane, 64u, right_along());
  var rows: array<Row, TM / 4u>;
  for (var i = 0u; i < TM / 4u; i++) { rows[i] = left_row(p, p.m0 + a_slot.x + 64u * i); }
  var cols: array<Col, TN / 4u>;
  for (var i = 0u; i < TN / 4u; i++) { cols[i] = right_col(p, p.n0 + b_slot.x + 64u * i); }
  let ty = lane / 16u;
  let tx = lane % 16u;
  var acc: array<array<f32, TN>, TM>;
  var a_next: array<vec4<f32>, TM / 4u>;
  var b_next: array<vec4<f32>, TN / 4u>;
  for (var rest = p.steps + 1u; rest > 0u; rest--) {
    let s = p.steps + 1u - rest;
    if (s < p.steps) {
      let at = step(p, s);
      for (var i = 0u; i < TM / 4u; i++) { a_next[i] = left(rows[i], at, 4u * a_slot.y); }
      for (var i = 0u; i < TN / 4u; i++) { b_next[i] = right(cols[i], at, 4u * b_slot.y); }
    }
    if (s > 0u) {
      for (var q = 0u; q < BK / 4u; q++) {
        var b: array<vec4<f32>, TN>;
        for (var c = 0u; c < TN; c++) { b[c] = right_tile[q * BN + tx + 16u * c]; }
        for (var r = 0u; r < TM; r++) {
          let a = left_tile[q * BM + ty + 16u * r];
          for (var c = 0u; c < TN; c++) { acc[r][c] += dot(a, b[c]); }
        }
      }
    }
    workgroupBarrier();
    for (var i = 0u; i < TM / 4u; i++) { left_tile[a_slot.y * BM + a_slot.x + 64u * i] = a_next[i]; }
    for (var i = 0u; i < TN / 4u; i++) { right_tile[b_slot.y * BN + b_slot.x + 64u * i] = b_next[i]; }
    workgroupBarrier();
  }
  for (var r = 0u; r < TM; r++) {
    let out = out_row(p, p.m0 + ty + 16u * r);
    for (var c = 0u; c < TN; c++) { emit(p, out, p.n0 + tx + 16u * c, acc[r][c]); }
  }
  if (!pending()) { return; }
  for (var r = 0u; r < TM; r++) {
    let out = out_row(p, p.m0 + ty + 16u * r);
    for (var c = 0u; c < TN; c++) { settle(p, out, p.n0 + tx + 16u * c); }
  }
}
