// A product for lib/blocks.wgsl and lib/matrices.wgsl, which compute it, is written in these terms by the file that imports them:
//   Place, place(tile)          first row m0 and column n0 of a tile, its `steps` of BK along the reduction, whatever else
//   Row, left_row(p, i); Col, right_col(p, j)     what reading row i of the left operand or column j of the right one needs
//   Step, step(p, s)            what step s of the reduction needs, the same for all lanes
//   left(row, step, k), right(col, step, k)       4 values from k of the step on, 0 past its end
//   left_along(), right_along() are neighbours in memory neighbours along the reduction (else along rows, columns)?
//   out_row(p, i)               first element of output row i, OUTSIDE if there is none
//   emit(p, out, j, v)          stores column j; settle(p, out, j) does what emit has left `pending()`
const OUTSIDE = 0xffffffffu;

// Which row and which quad of a step a lane reads, of `rows` at once: neighbouring lanes read neighbouring memory.
fn slot(lane: u32, rows: u32, along: bool) -> vec2<u32> {
  if (along) { return vec2<u32>(lane / (BK / 4u), lane % (BK / 4u)); }
  return vec2<u32>(lane % rows, lane / rows);
}
