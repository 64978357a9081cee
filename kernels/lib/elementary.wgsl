// Functions of pointwise.wgsl that WGSL lacks, or promises too little of: at NaN, infinities, signed zeros, the ends of domains and large
// arguments they give what C's mathematics do, elsewhere a few units in the last place.
// @import "lib/exponential.wgsl"
// @import "lib/trigonometry.wgsl"

fn erf(x: f32) -> f32 {
  let t = min(abs(x), 11.0);
  let far = 1.0 - exp(-t * t) * erfc_scaled(t);
  return select(select(select(far, -far, x < 0.0), erf_near(x), t < 0.5), x, is_nan(x));
}

// A NaN wins, as in PyTorch.
fn largest(a: f32, b: f32) -> f32 { return select(max(a, b), a + b, is_nan(a) || is_nan(b)); }
fn smallest(a: f32, b: f32) -> f32 { return select(min(a, b), a + b, is_nan(a) || is_nan(b)); }
fn clamped(x: f32, low: f32, high: f32) -> f32 { return select(min(max(x, low), high), x, is_nan(x)); }

// What maximum(a, b) hands of g to a: half where they are equal, all where one is NaN.
fn share_of_larger(g: f32, a: f32, b: f32) -> f32 {
  return select(select(select(g, 0.5 * g, a == b), 0.0, a < b), g, is_nan(a) || is_nan(b));
}

// log(1 + e^x); its parts lose nothing where one of them is small.
fn softplus(x: f32) -> f32 { return largest(x, 0.0) + log1p_near(exp(-abs(x))); }

// x tanh(softplus(x)), and the derivative
fn mish_tanh(x: f32) -> f32 {
  let e = exp(min(x, 20.0));
  let n = e * (e + 2.0);
  return select(n / (n + 2.0), 1.0, x > 20.0);
}
fn mish(x: f32) -> f32 { return select(x * mish_tanh(x), x, is_nan(x)); }
fn mish_grad(x: f32) -> f32 {
  let t = mish_tanh(x);
  return select(t + x * (sigmoid(x) * (1.0 - t * t)), x, is_nan(x));
}

// x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3) is gelu with tanh, without its cancellation.
fn gelu_tanh(x: f32) -> f32 { return x * sigmoid(x * (1.5957691 + 0.071354814 * x * x)); }
fn gelu_tanh_grad(x: f32) -> f32 {
  let v = x * (1.5957691 + 0.071354814 * x * x);
  let e = exp(-abs(v));
  let d = 1.0 / (1.0 + e);
  return select(e, 1.0, v >= 0.0) * d + x * (e * d * d) * (1.5957691 + 0.21406444 * x * x);
}

fn hard_swish_grad(g: f32, x: f32) -> f32 {
  return select(select(g * (x * 0.33333333 + 0.5), g, x >= 3.0), 0.0, x <= -3.0);
}

fn tanh_exact(x: f32) -> f32 {
  let e = expm1_negative(-2.0 * abs(x));
  let y = e / (e + 2.0);
  return select(y, -y, x > 0.0);
}
// Half of e^a, for large a as a square: e^a alone overflows before its half does.
fn half_exp(a: f32) -> f32 {
  let root = exp_exact(0.5 * a);
  return select(0.5 * exp_exact(a), 0.5 * root * root, a > 88.0);
}
fn sinh_exact(x: f32) -> f32 {
  let a = abs(x);
  let e = expm1_near(a);
  let y = select(half_exp(a) - 0.5 * exp_exact(-a), 0.5 * (e + e / (1.0 + e)), a < 0.34);
  return select(y, -y, x < 0.0);
}
fn cosh_exact(x: f32) -> f32 { return half_exp(abs(x)) + 0.5 * exp_exact(-abs(x)); }

fn asinh_exact(x: f32) -> f32 {
  let a = abs(x);
  let b = min(a, 1e10);
  let y = select(log1p_exact(b + b * b / (1.0 + sqrt(b * b + 1.0))), log_exact(a) + 0.6931472, a > 1e10);
  return select(select(y, -y, x < 0.0), x, is_nan(x));
}
fn acosh_exact(x: f32) -> f32 {
  let t = clamp(x - 1.0, 0.0, 1e10);
  let y = select(log1p_exact(t + sqrt(t * (t + 2.0))), log_exact(x) + 0.6931472, x > 1e10);
  return select(y, nan_of(x), x < 1.0 || is_nan(x));
}
fn atanh_exact(x: f32) -> f32 {
  let a = abs(x);
  let y = 0.5 * log1p_exact(2.0 * min(a, 0.99999994) / (1.0 - min(a, 0.99999994)));
  let all = select(y, infinity_of(a), a == 1.0);
  return select(select(all, -all, x < 0.0), nan_of(x), a > 1.0 || is_nan(x));
}

// arctan for t from 0 to 1
fn atan_unit(t: f32) -> f32 {
  let far = t > 0.41421357;
  let r = select(t, (t - 1.0) / (t + 1.0), far);
  let z = r * r;
  return select(
    0.0, 0.78539816,
    far) + (r + r * z * (-0.33333331 + z * (0.1999956 + z * (-0.14264499 + z * (0.1074876 + z * -0.06466506)))));
}
fn atan_exact(x: f32) -> f32 {
  let a = abs(x);
  let near = atan_unit(select(1.0 / max(a, 1.0), a, a <= 1.0));
  let y = select(1.5707964 - near, near, a <= 1.0);
  return select(select(y, -y, x < 0.0), x, is_nan(x));
}
// The angle of (x, y). Signs are read from bits: zeros have one.
fn atan2_exact(y: f32, x: f32) -> f32 {
  let a = abs(y);
  let b = abs(x);
  let large = bitcast<u32>(max(a, b));
  let scale = select(1.0, 0.0625, large > 0x7e000000u); // divisors that large are beyond what WGSL promises
  var t = (min(a, b) * scale) / (max(a, b) * scale);
  if (large < 0x00800000u) { t = 0.0; } // zeros, and what a device may flush to them
  if (large == 0x7f800000u) { t = select(0.0, 1.0, bitcast<u32>(min(a, b)) == large); }
  let near = atan_unit(t);
  let upper_half = select(near, 1.5707964 - near, a > b);
  let whole = select(upper_half, 3.1415927 - upper_half, bitcast<i32>(x) < 0);
  return select(bitcast<f32>(bitcast<u32>(whole) | (bitcast<u32>(y) & 0x80000000u)), a + b, is_nan(a) || is_nan(b));
}

// part / (a^2 + b^2), 0 where both are 0, as in PyTorch; the larger is divided out, so that squares neither overflow nor vanish.
fn atan2_slope(part: f32, a: f32, b: f32) -> f32 {
  let s = max(abs(a), abs(b));
  if (!is_finite(a) || !is_finite(b)) { return part * (1.0 / (a * a + b * b)); }
  if (s == 0.0) { return 0.0; }
  return (part / s) / (s * ((a / s) * (a / s) + (b / s) * (b / s)));
}

// arcsin for |x| <= 1/2
fn asin_near(x: f32) -> f32 {
  let z = x * x;
  return x + x * z * (0.16666673 + z * (0.07498761 + z * (0.045020215 + z * (0.026433365 + z * 0.0383283))));
}
fn asin_exact(x: f32) -> f32 {
  let a = abs(x);
  let y = select(1.5707964 - 2.0 * asin_near(sqrt(max(0.5 - 0.5 * a, 0.0))), asin_near(a), a <= 0.5);
  return select(select(y, -y, x < 0.0), nan_of(x), a > 1.0 || is_nan(x));
}
fn acos_exact(x: f32) -> f32 {
  let a = abs(x);
  let s = 2.0 * asin_near(sqrt(max(0.5 - 0.5 * a, 0.0)));
  let y = select(select(s, 3.1415927 - s, x < 0.0), 1.5707964 - asin_near(x), a <= 0.5);
  return select(y, nan_of(x), a > 1.0 || is_nan(x));
}

// x^y with C's rules. log2 |x| is kept in two parts, and so is its product with y, whose error the result multiplies by up to 128.
fn power(x: f32, y: f32) -> f32 {
  let a = abs(x);
  let p = parts_of(a);
  let n = f32(p.n);
  let u = p.m - 1.0;
  let d = upper(p.m + 1.0);
  let inverse = 1.0 / (p.m + 1.0);
  let s = u * inverse;
  let s_high = upper(s);
  let s_low = inverse * ((u - s_high * d) - s_high * (p.m - (d - 1.0)));
  let z = s * s;
  // ln m = 2 s + 2 s z atanh_series(z); times 1 / ln 2 = 1.4423828125 + 3.122284e-4
  let high = 2.0 * s_high * 1.4423828125;
  let low = 2.0 * s_high * 3.122284e-4 + 2.0 * (s_low + s * z * atanh_series(z)) * 1.442695;
  let log_high = upper(n + (high + low));
  let log_low = low - ((log_high - n) - high);
  let b = clamp(y, -1e12, 1e12); // as good as infinite
  let b_high = upper(b);
  let e_high = log_high * b_high;
  let e_low = log_low * b + log_high * (b - b_high);
  let e = round(clamp(e_high + e_low, -160.0, 130.0));
  let half = i32(e) >> 1u;
  var magnitude = (1.0 + expm1_near(clamp((e_high - e) + e_low, -0.6, 0.6) * 0.6931472)) * two_to(half) * two_to(i32(e) - half);

  let whole = y == floor(y);
  let odd = whole && abs(y) < 16777216.0 && (i32(clamp(abs(y), 0.0, 16777216.0)) & 1) == 1;
  if (bitcast<u32>(a) == 0u || !is_finite(a) || !is_finite(y)) { magnitude = select(0.0, infinity_of(a), (a > 1.0) == (y > 0.0)); }
  if (a == 1.0) { magnitude = 1.0; }
  if (bitcast<i32>(x) < 0 && odd) { magnitude = -magnitude; }
  if (bitcast<i32>(x) < 0 && bitcast<u32>(a) != 0u && is_finite(a) && !whole) { magnitude = nan_of(x); }
  if (is_nan(x) || is_nan(y)) { magnitude = x + y; }
  return select(magnitude, 1.0, y == 0.0 || x == 1.0);
}

// Derivatives of x^y: 0 where PyTorch says so rather than 0 times infinity.
fn power_grad(g: f32, x: f32, y: f32) -> f32 { return select(g * (y * power(x, y - 1.0)), 0.0, y == 0.0); }
fn power_grad_exponent(g: f32, x: f32, y: f32, result: f32) -> f32 { return g * select(result * log_exact(x), 0.0, x == 0.0 && y >= 0.0); }

// Of x and the rest: their product without zeros, and how many are zero.
fn product_of_others(x: f32, product: f32, zeros: f32) -> f32 {
  let others = select(product / x, product, x == 0.0);
  return select(0.0 * others, others, zeros == select(0.0, 1.0, x == 0.0));
}

// The remainder of |x| / |y| with the sign of x, exactly, however large the quotient: by long division, eight digits a step.
fn remainder(x: f32, y: f32) -> f32 {
  let a = bitcast<u32>(x) & 0x7fffffffu;
  let b = bitcast<u32>(y) & 0x7fffffffu;
  if (a >= 0x7f800000u || b == 0u || b > 0x7f800000u) { return select(nan_of(x), x, is_nan(x)); }
  if (a < b) { return x; }
  let ea = max(a >> 23u, 1u);
  let eb = max(b >> 23u, 1u);
  let divisor = max((b & 0x007fffffu) | select(0u, 0x00800000u, b >= 0x00800000u), 1u);
  var rest = ((a & 0x007fffffu) | select(0u, 0x00800000u, a >= 0x00800000u)) % divisor;
  for (var left = (ea - eb) / 8u; left > 0u; left--) { rest = (rest << 8u) % divisor; }
  rest = (rest << ((ea - eb) % 8u)) % divisor;
  // rest 2^(eb - 150) as bits
  let shift = min(min(countLeadingZeros(rest), 31u) - 8u, eb - 1u);
  let bits = select((rest << shift) + ((eb - 1u - shift) << 23u), 0u, rest == 0u);
  return bitcast<f32>(bits | (bitcast<u32>(x) & 0x80000000u));
}
// That with the sign of y, as Python's.
fn modulo(x: f32, y: f32) -> f32 {
  let r = remainder(x, y);
  return select(r, r + y, r != 0.0 && (r < 0.0) != (y < 0.0));
}
// What PyTorch hands on to the divisor: the quotient, rounded down.
fn floor_quotient(x: f32, y: f32) -> f32 {
  let r = remainder(x, y);
  let q = (x - r) / y - select(0.0, 1.0, r != 0.0 && (r < 0.0) != (y < 0.0));
  let whole = floor(q) + select(0.0, 1.0, q - floor(q) > 0.5);
  return select(select(whole, 0.0, q == 0.0), x / y, y == 0.0);
}
