// What the kernels of a matrix product are called with.
struct Params {
  m: u32, n: u32, k: u32,                           // rows of A and y; columns of B and y; the reduction
  a_first: u32, a_row: u32, a_k: u32,               // A: first element; stride from row to row; stride along k
  b_first: u32, b_k: u32, b_col: u32,               // B: first element; stride along k; stride from column to column
  y_first: u32, y_row: u32, y_col: u32,             // y: first element; stride from row to row; from column to column
  y_split: u32,                                     // from one range of K to the next
  batch1: u32,                                      // batch = batch0 * batch1, and a stride for each; here the inner one's extent
  a_batch0: u32, a_batch1: u32, b_batch0: u32, b_batch1: u32, y_batch0: u32, y_batch1: u32, // strides over the batch; 0: one for all
  has_bias: u32,           // 1: add bias
  act: u32,                // 0 none, 1 relu, 2 gelu, 3 sigmoid, 4 silu; of other: 5 add, 6 gelu', 7 relu', 8 silu'
  tiles: u32,              // tiles in all, so workgroups; splits included
  splits: u32, chunk: u32, // ranges of K; their length
}
