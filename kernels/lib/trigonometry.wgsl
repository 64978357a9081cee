// sin, cos and tan of every f32: WGSL promises them to 2^-11, and only within pi.
// @import "lib/exponential.wgsl"

// x = r + n pi/2 with |r| <= pi/4: Cody and Waite's way with pi/2 in three parts up to 512, and that of Payne and Hanek beyond, by
// integers: of the product of x with the digits of 2/pi only those that matter modulo 4 are computed.
struct Angle { r: f32, n: u32 }
fn small_angle(x: f32) -> Angle {
  let q = round(x * 0.63661977);
  return Angle(((x - q * 1.5703125) - q * 4.837512969970703e-4) - q * 7.549789948768648e-8, bitcast<u32>(i32(q)));
}
fn angle_of(x: f32) -> Angle {
  if (abs(x) <= 512.0) { return small_angle(x); }
  let bits = bitcast<u32>(x) & 0x7fffffffu;
  let m = (bits & 0x007fffffu) | 0x00800000u;
  let skip = (bits >> 23u) - 120u; // digits before these give multiples of 4; a zero word stands before the first
  var w0 = 0u; var w1 = 0xa2f9836eu; var w2 = 0x4e441529u; var w3 = 0xfc2757d1u;
  if (skip >= 32u) { w0 = w1; w1 = w2; w2 = w3; w3 = 0xf534ddc0u; }
  if (skip >= 64u) { w0 = w1; w1 = w2; w2 = w3; w3 = 0xdb629599u; }
  if (skip >= 96u) { w0 = w1; w1 = w2; w2 = w3; w3 = 0x3c439041u; }
  if (skip >= 128u) { w0 = w1; w1 = w2; w2 = w3; w3 = 0xfe5163abu; }
  let s = skip & 31u;
  if (s > 0u) { w0 = (w0 << s) | (w1 >> (32u - s)); w1 = (w1 << s) | (w2 >> (32u - s)); w2 = (w2 << s) | (w3 >> (32u - s)); }
  // m (w0, w1, w2) modulo 2^96: two digits of the quadrant, 94 of the fraction
  let low = multiply(m, w2);
  let mid = multiply(m, w1);
  var f1 = mid.x + low.y;
  var f0 = m * w0 + mid.y + select(0u, 1u, f1 < mid.x);
  var n = f0 >> 30u;
  f0 = (f0 << 2u) | (f1 >> 30u);
  f1 = (f1 << 2u) | (low.x >> 30u);
  let over = f0 >= 0x80000000u; // the nearer multiple is above
  if (over) {
    n += 1u;
    f0 = ~f0 + select(0u, 1u, f1 == 0u);
    f1 = ~f1 + 1u;
  }
  var digits = 32u;
  if (f0 == 0u) { f0 = f1; f1 = 0u; digits = 64u; }
  let zeros = min(countLeadingZeros(f0), 31u);
  if (zeros > 0u) { f0 = (f0 << zeros) | (f1 >> (32u - zeros)); }
  let r = f32(f0) * two_to(-i32(digits + zeros)) * 1.5707964;
  let down = over != (bitcast<i32>(x) < 0);
  return Angle(select(r, -r, down), select(n, 0u - n, bitcast<i32>(x) < 0));
}

// a b as its lower and upper word
fn multiply(a: u32, b: u32) -> vec2<u32> {
  let cross = (a & 0xffffu) * (b >> 16u) + (((a & 0xffffu) * (b & 0xffffu)) >> 16u);
  let rest = (a >> 16u) * (b & 0xffffu) + (cross & 0xffffu);
  return vec2(a * b, (a >> 16u) * (b >> 16u) + (cross >> 16u) + (rest >> 16u));
}

// sin and cos for |r| <= pi/4
fn sin_near(r: f32) -> f32 {
  let z = r * r;
  return r + r * z * (-0.16666667 + z * (8.333332e-3 + z * (-1.9840075e-4 + z * 2.724844e-6)));
}
fn cos_near(r: f32) -> f32 {
  let z = r * r;
  return 1.0 - 0.5 * z + z * z * (4.1666664e-2 + z * (-1.3888298e-3 + z * 2.4546753e-5));
}
fn sin_of(a: Angle) -> f32 {
  let v = select(sin_near(a.r), cos_near(a.r), (a.n & 1u) == 1u);
  return select(v, -v, (a.n & 2u) == 2u);
}
fn cos_of(a: Angle) -> f32 { return sin_of(Angle(a.r, a.n + 1u)); }

fn sin_exact(x: f32) -> f32 { return select(nan_of(x), sin_of(angle_of(x)), is_finite(x)); }
fn cos_exact(x: f32) -> f32 { return select(nan_of(x), cos_of(angle_of(x)), is_finite(x)); }
fn tan_exact(x: f32) -> f32 {
  let a = angle_of(x);
  let s = sin_near(a.r);
  let c = cos_near(a.r);
  let odd = (a.n & 1u) == 1u;
  return select(nan_of(x), select(s, -c, odd) / select(c, s, odd), is_finite(x));
}
