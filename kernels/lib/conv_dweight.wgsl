// What the kernels of a weight gradient are called with.
struct Params {
  n: u32,                                           // batch
  xd: i32, xh: i32, xw: i32, xc: i32,               // x, the large grid: depth; height; width; channels
  yd: u32, yh: u32, yw: u32, yc: u32,               // dy, the small grid: depth; height; width; channels
  gi: u32, go: u32,                                 // channels of a group: columns from x; rows from dy
  kd: u32, kh: u32, kw: u32,                        // taps along each axis
  stride_z: i32, stride_y: i32, stride_x: i32,      // of the convolution, plus
  pad_z: i32, pad_y: i32, pad_x: i32,               // padding before, plus
  dil_z: i32, dil_y: i32, dil_x: i32,               // dilation, plus
  inner_n: u32,            // 1: steps of 8 along n, outer index (z, y, x); 0: along y and x, outer index (n, z, y / join)
  join: u32,               // rows that one run of steps passes over: 1, or all of a small map (JOIN)
  splits: u32, chunk: u32, // ranges of the outer index; their length
  tiles: u32,              // tiles in all, so workgroups: groups x splits x rows x columns
}
