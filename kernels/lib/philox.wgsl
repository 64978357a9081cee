// Philox4x32-10 (Salmon et al., SC 2011), bit for bit the function of src/random/philox.ts: a number is a function of
// key = (seed, stream) and counter = (step, op id, element / 4, 0); lane = element mod 4.

// High word of the 64-bit product, by 16-bit halves.
fn mul_high(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u;
  let bl = b & 0xffffu; let bh = b >> 16u;
  let middle = ah * bl + ((al * bl) >> 16u);
  let carry = al * bh + (middle & 0xffffu);
  return ah * bh + (middle >> 16u) + (carry >> 16u);
}

fn philox4x32(key: vec2<u32>, counter: vec4<u32>) -> vec4<u32> {
  var k = key;
  var x = counter;
  for (var round = 0; round < 10; round++) {
    let high0 = mul_high(0xd2511f53u, x.x); let low0 = 0xd2511f53u * x.x;
    let high1 = mul_high(0xcd9e8d57u, x.z); let low1 = 0xcd9e8d57u * x.z;
    x = vec4(high1 ^ x.y ^ k.x, low1, high0 ^ x.w ^ k.y, low0);
    k += vec2(0x9e3779b9u, 0xbb67ae85u);
  }
  return x;
}

// Uniform in [0, 1) with 24 bits, exact in f32.
fn to_uniform(bits: vec4<u32>) -> vec4<f32> { return vec4<f32>(bits >> vec4(8u)) * 5.9604644775390625e-8; }
