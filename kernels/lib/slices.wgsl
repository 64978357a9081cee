// Where slice z of a tensor, (batch b, head h, group g), starts: its first element and strides over batch, head and group.
fn start(z: u32, first: u32, b: u32, h: u32, g: u32) -> u32 {
  return first + (z / (params.heads * params.groups)) * b + ((z / params.groups) % params.heads) * h + (z % params.groups) * g;
}
