// Maxima and minima that NaN goes through, as in PyTorch, and values that are not finite. WGSL's max() may drop NaN, and compilers may
// assume that no float is NaN or infinite: only bits are sure to tell, and only a variable's bits are not a constant's, which may not be
// so. Hot loops take max() and add up beside it: where the sum is NaN there was one, or infinities met, and an exact loop decides.
const ABSENT = 0xffffffffu; // the place of an extremum of nothing

fn is_nan(v: f32) -> bool { return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u; }
fn is_nan4(v: vec4<f32>) -> vec4<bool> { return (bitcast<vec4<u32>>(v) & vec4(0x7fffffffu)) > vec4(0x7f800000u); }

fn not_a_number() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}
fn infinity() -> f32 {
  var bits = 0x7f800000u;
  return bitcast<f32>(bits);
}

// The larger of two magnitudes as bits is that of a NaN where there is one.
fn larger_bits(a: f32, b: f32) -> u32 { return max(bitcast<u32>(a) & 0x7fffffffu, bitcast<u32>(b) & 0x7fffffffu); }
fn larger_bits4(a: vec4<f32>, b: vec4<f32>) -> vec4<u32> {
  return max(bitcast<vec4<u32>>(a) & vec4(0x7fffffffu), bitcast<vec4<u32>>(b) & vec4(0x7fffffffu));
}

fn nan_max(a: f32, b: f32) -> f32 {
  let bits = larger_bits(a, b);
  return select(max(a, b), bitcast<f32>(bits), bits > 0x7f800000u);
}
fn nan_min(a: f32, b: f32) -> f32 {
  let bits = larger_bits(a, b);
  return select(min(a, b), bitcast<f32>(bits), bits > 0x7f800000u);
}
fn nan_max4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
  let bits = larger_bits4(a, b);
  return select(max(a, b), bitcast<vec4<f32>>(bits), bits > vec4(0x7f800000u));
}
fn nan_min4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
  let bits = larger_bits4(a, b);
  return select(min(a, b), bitcast<vec4<f32>>(bits), bits > vec4(0x7f800000u));
}
