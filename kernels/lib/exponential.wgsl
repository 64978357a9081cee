// exp, expm1, log and log1p to about one unit in the last place: WGSL promises exp to 3 + 2 |x| units, and log near 1 to 2^-21.
// Compilers may assume that no float is NaN or infinite, so these are told by their bits, and made from them.
// Polynomials are fitted to the error's maximum.
// @import "lib/is_nan.wgsl"

fn is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u; }
fn nan_of(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) | 0x7fc00000u); }
fn infinity_of(x: f32) -> f32 { return bitcast<f32>((bitcast<u32>(x) & 0x80000000u) | 0x7f800000u); }
fn two_to(n: i32) -> f32 { return bitcast<f32>(u32(n + 127) << 23u); }
// The upper 12 of 24 digits: products of two such are exact.
fn upper(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u); }

// e^r - 1 for |r| <= ln(2) / 2
fn expm1_near(r: f32) -> f32 {
  return r + r * r * (0.5 + r * (0.16666576 + r * (0.041666374 + r * (0.00836318 + r * 0.0013941121))));
}
// e^x - 1 for x <= 0
fn expm1_negative(x: f32) -> f32 { return select(exp(x) - 1.0, expm1_near(x), x > -0.34); }

// y 2^n for y from 1/2 to 2 and a whole n: by the exponent's bits. Below 2^-126 it is about 0.
fn times_two_to(y: f32, n: f32) -> f32 { return bitcast<f32>(bitcast<u32>(y) + (bitcast<u32>(n + 12582912.0) << 23u)); }

fn exp_exact(x: f32) -> f32 {
  let n = round(x * 1.442695);
  let y = times_two_to(1.0 + expm1_near((x - n * 0.693359375) + n * 2.1219444e-4), n);
  return select(select(x * 3e38, 0.0, x < 0.0), y, x > -87.34 && x < 88.72284); // else infinity, 0 or NaN
}

// (atanh(s) - s) / s^3 of z = s^2, for |s| <= 1/3; log(1 + f) = 2 atanh(f / (2 + f))
fn atanh_series(z: f32) -> f32 { return 0.33333334 + z * (0.19999848 + z * (0.14296405 + z * (0.10850021 + z * 0.1162689))); }

// log(1 + f) for f from -0.3 to 1
fn log1p_near(f: f32) -> f32 {
  let s = f / (2.0 + f);
  let z = s * s;
  return f - s * (f - 2.0 * z * atanh_series(z));
}

// x = m 2^n with m from sqrt(1/2) to sqrt(2); x positive and finite.
struct Parts { m: f32, n: i32 }
fn parts_of(x: f32) -> Parts {
  var bits = bitcast<u32>(x);
  var n = -127;
  if (bits < 0x00800000u) { // by integers, for devices that flush such numbers
    let shift = min(countLeadingZeros(bits), 31u) - 8u;
    bits <<= shift; // the leading digit becomes an exponent of 1
    n -= i32(shift);
  }
  let t = bits + 0x004afb0du; // 1.0 - sqrt(1/2)
  return Parts(bitcast<f32>((t & 0x007fffffu) + 0x3f3504f3u), n + i32(t >> 23u));
}

fn log_exact(x: f32) -> f32 {
  let p = parts_of(x);
  let n = f32(p.n);
  let y = n * 0.693359375 + (log1p_near(p.m - 1.0) - n * 2.1219444e-4);
  let bits = bitcast<u32>(x);
  if (bits - 1u < 0x7f7fffffu) { return y; } // positive and finite
  if ((bits & 0x7fffffffu) == 0u) { return -infinity_of(abs(x)); }
  return select(x, nan_of(x), bits > 0x7f800000u);
}

// e^x - 1. Far from 0 the difference loses nothing; NaN and infinities are exp's.
fn expm1_exact(x: f32) -> f32 { return select(exp_exact(x) - 1.0, expm1_near(x), abs(x) < 0.34); }

// log(1 + x), from -1 on; the rounding of 1 + x, where it is large enough to matter, is given back to first order.
fn log1p_whole(x: f32) -> f32 {
  let y = 1.0 + x;
  let lost = select((x - (y - 1.0)) / y, 0.0, !is_finite(x) || y <= 0.0);
  return select(log_exact(y) + lost, log1p_near(clamp(x, -0.3, 1.0)), x > -0.29 && x <= 1.0);
}

// log(1 + f) for f >= 0
fn log1p_exact(f: f32) -> f32 { return select(log_exact(1.0 + f), log1p_near(f), f <= 1.0); }
