// What the kernels of a convolution are called with, and which taps reach the output pixels of a phase (conv.wgsl).
struct Params {
  n: u32,                                           // batch
  xd: i32, xh: i32, xw: i32, xc: i32,               // x read: depth; height; width; channels
  yd: u32, yh: u32, yw: u32, yc: u32,               // y written: depth; height; width; channels
  gi: u32, go: u32,                                 // channels of a group: in; channels of a group: out
  kd: i32, kh: i32, kw: i32,                        // taps along each axis
  down_z: i32, down_y: i32, down_x: i32,            // stride of a convolution, 1 upwards
  up_z: i32, up_y: i32, up_x: i32,                  // 1, stride upwards
  pad_z: i32, pad_y: i32, pad_x: i32,               // MINUS the padding before, plus upwards
  dil_z: i32, dil_y: i32, dil_x: i32,               // MINUS the dilation, plus upwards
  step_z: i32, step_y: i32, step_x: i32,            // up / gcd(up, dil): taps from one that reaches an output to the next
  run: i32,                                         // taps along x in one run: kw (dense, undilated) or 1
  w_col: u32, w_k: u32, w_group: u32,               // weight: stride over output channels; over the reduction; over groups
  w_z: u32, w_y: u32, w_x: u32,                     // weight: stride over taps along each axis
  has_bias: u32,                                    // 1: add bias
  act: u32,                                         // 0 none, 1 relu, 2 gelu, 3 sigmoid, 4 silu; of other: 5 add, 6 gelu', 7 relu', 8 silu'
  tiles: u32,                                       // tiles in all, so workgroups: phases x groups x rows x columns
}

// One axis within a phase: its first tap, how many, the input offset of the first and the input step between two.
struct Axis { k0: i32, count: i32, offset: i32, step: i32 }

fn axis(phase: i32, k: i32, up: i32, pad: i32, dil: i32, step: i32) -> Axis {
  var k0 = 0;
  while (k0 < step && (phase + pad - k0 * dil) % up != 0) { k0++; }
  let count = select(0, (k - k0 + step - 1) / step, k0 < step && k0 < k);
  return Axis(k0, count, (phase + pad - k0 * dil) / up, -dil * step / up);
}
