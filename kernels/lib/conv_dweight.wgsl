// What the kernels of a weight gradient are called with.
struct Params {
  n: u32,
  xd: i32, xh: i32, xw: i32, xc: i32,
  yd: u32, yh: u32, yw: u32, yc: u32,
  gi: u32, go: u32, // channels of a group: columns from x, rows from dy
  kd: u32, kh: u32, kw: u32,
  stride_z: i32, stride_y: i32, stride_x: i32,
  pad_z: i32, pad_y: i32, pad_x: i32,
  dil_z: i32, dil_y: i32, dil_x: i32,
  inner_n: u32, // 1: steps of 8 along n, outer index (z, y, x); 0: along y and x, outer index (n, z, y / join)
  join: u32,    // rows that one run of steps passes over: 1, or all of a small map (JOIN)
  splits: u32, chunk: u32, // ranges of the outer index, and their length
  tiles: u32,   // tiles in all: groups x splits x rows x columns
}
