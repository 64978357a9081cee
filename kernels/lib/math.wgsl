// Scalar functions that WGSL lacks or that lose accuracy when written in the obvious way.

// erf by Abramowitz & Stegun 7.1.26 is good to 1.5e-7 only; this is W. J. Cody's rational form (1969), below 1e-7 relative in f32.
fn erf(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.5) {
    let z = x * x;
    return x * (3.209377589138469472562e3 + z * (3.774852376853020208137e2 + z * (1.138641541510501556495e2 + z * (3.161123743870565596947 + z * 1.857777061846031526730e-1))))
      / (2.844236833439170622273e3 + z * (1.282616526077372275645e3 + z * (2.440246379344441733056e2 + z * (2.360129095234412093499e1 + z))));
  }
  let t = min(a, 4.0);
  let tail = exp(-t * t) * (1.23033935479799725272e3 + t * (2.05107837782607146532e3 + t * (1.71204761263407058314e3 + t * (8.81952221241769090411e2
    + t * (2.98635138197400131132e2 + t * (6.61191906371416294775e1 + t * (8.88314979438837594118 + t * (5.64188496988670089180e-1 + t * 2.15311535474403846343e-8))))))))
    / (1.23033935480374942043e3 + t * (3.43936767414372163696e3 + t * (4.36261909014324715820e3 + t * (3.29079923573345962678e3
    + t * (1.62138957456669018874e3 + t * (5.37181101862009857509e2 + t * (1.17693950891312499305e2 + t * (1.57449261107098347253e1 + t))))))));
  return sign(x) * (1.0 - tail);
}

fn gelu(x: f32) -> f32 { return 0.5 * x * (1.0 + erf(x * 0.7071067811865476)); }

// d gelu / dx = Phi(x) + x phi(x)
fn gelu_grad(x: f32) -> f32 { return 0.5 * (1.0 + erf(x * 0.7071067811865476)) + x * 0.3989422804014327 * exp(-0.5 * x * x); }

// Stable at both ends: exp never overflows.
fn sigmoid(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

// log(1 + e) for e in [0, 1], accurate for small e where log(1 + e) alone loses digits (W. Kahan).
fn log1p_small(e: f32) -> f32 {
  let u = 1.0 + e;
  let d = u - 1.0;
  if (d <= 0.0) { return e; }
  return log(u) * (e / d);
}

// Activations by number: 0 none, 1 relu, 2 gelu, 3 sigmoid, 4 silu.
fn activate(v: f32, act: u32) -> f32 {
  switch (act) {
    case 1u: { return select(v, 0.0, v < 0.0); }
    case 2u: { return gelu(v); }
    case 3u: { return sigmoid(v); }
    case 4u: { return v * sigmoid(v); }
    default: { return v; }
  }
}

fn softplus(x: f32) -> f32 { return max(x, 0.0) + log1p_small(exp(-abs(x))); }

// WGSL's tanh overflows on some drivers for large arguments.
fn tanh_safe(x: f32) -> f32 {
  let e = exp(-2.0 * abs(x));
  let small = x - x * x * x * (1.0 / 3.0) ;
  return select(sign(x) * (1.0 - e) / (1.0 + e), small, abs(x) < 1e-3);
}

// x^y with C's rules: a negative base is real for integer exponents and NaN for others, x^0 = 1. WGSL has no NaN literal and
// may assume that arithmetic makes none, so its bits are made from those of x.
fn power(x: f32, y: f32) -> f32 {
  if (y == 0.0) { return 1.0; }
  if (x == 0.0) { return select(0.0, 1.0 / x, y < 0.0); }
  if (x < 0.0 && y != floor(y)) { return bitcast<f32>(bitcast<u32>(x) | 0x7fc00000u); }
  let magnitude = exp2(y * log2(abs(x)));
  let odd = abs(y - 2.0 * floor(y * 0.5)) == 1.0;
  return select(magnitude, -magnitude, x < 0.0 && odd);
}

fn silu_grad(x: f32) -> f32 {
  let s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}

// WGSL promises sin and cos to 2^-11 only; argument reduction to [-pi/4, pi/4] (Cody and Waite, three-part pi/2) and Taylor
// polynomials give below 1e-6 absolute up to |x| of some thousands.
fn sin_quadrant(x: f32, shift: i32) -> f32 {
  let q = round(x * 0.6366197723675814);
  let r = ((x - q * 1.5703125) - q * 4.837512969970703e-4) - q * 7.549789948768648e-8;
  let z = r * r;
  let s = r + r * z * (-1.6666666666e-1 + z * (8.3333331e-3 + z * (-1.98408743e-4 + z * 2.7525562e-6)));
  let c = 1.0 - 0.5 * z + z * z * (4.16666666e-2 + z * (-1.3888887e-3 + z * 2.4760495e-5));
  let n = (i32(q) + shift) & 3;
  let v = select(s, c, (n & 1) == 1);
  return select(v, -v, n >= 2);
}
fn sin_exact(x: f32) -> f32 { return sin_quadrant(x, 0); }
fn cos_exact(x: f32) -> f32 { return sin_quadrant(x, 1); }
