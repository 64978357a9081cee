// SPDX-License-Identifier: MIT
// Pooling, resizing, windows and permutation at single places, in float64; maps are [N, H, W, C].

/** Indices of a place in a dense array of such a shape. */
function split(at, shape) {
  const out = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    out[i] = at % shape[i];
    at = Math.floor(at / shape[i]);
  }
  return out;
}
const placeOf = (shape) => (index) => index.reduce((at, i, axis) => at * shape[axis] + i, 0);

/** The taps of window o that lie within the axis. */
const tapsOf = (o, size, { kernel, stride, padding = 0 }) =>
  Array.from({ length: kernel }, (_, k) => o * stride + k - padding).filter((i) => i >= 0 && i < size);

/** Windows of an axis that hold element i, with its place in them. */
const holders = (i, count, { kernel, stride, padding = 0 }) =>
  Array.from({ length: count }, (_, o) => [o, i + padding - o * stride]).filter(([, k]) => k >= 0 && k < kernel);

export function maxpool({ x, g }, c) {
  const [shape, at] = [c.inputs.x.shape, placeOf(c.inputs.x.shape)];
  const yAt = placeOf(c.y);
  /** Place of the first maximum of a window. */
  const best = (n, oy, ox, ch) => {
    const places = tapsOf(oy, shape[1], c).flatMap((h) => tapsOf(ox, shape[2], c).map((w) => at([n, h, w, ch])));
    return places.reduce((a, b) => (x[b] > x[a] ? b : a));
  };
  return {
    y: (place) => x[best(...split(place, c.y))],
    dx(place) {
      const [n, h, w, ch] = split(place, shape);
      let s = 0;
      for (const [oy] of holders(h, c.y[1], c))
        for (const [ox] of holders(w, c.y[2], c)) if (best(n, oy, ox, ch) === place) s += g[yAt([n, oy, ox, ch])];
      return s;
    },
  };
}

/** Without padding. */
export function avgpool({ x, g }, c) {
  const [shape, at] = [c.inputs.x.shape, placeOf(c.inputs.x.shape)];
  const yAt = placeOf(c.y);
  return {
    y(place) {
      const [n, oy, ox, ch] = split(place, c.y);
      let s = 0;
      for (const h of tapsOf(oy, shape[1], c)) for (const w of tapsOf(ox, shape[2], c)) s += x[at([n, h, w, ch])];
      return s / c.kernel ** 2;
    },
    dx(place) {
      const [n, h, w, ch] = split(place, shape);
      let s = 0;
      for (const [oy] of holders(h, c.y[1], c)) for (const [ox] of holders(w, c.y[2], c)) s += g[yAt([n, oy, ox, ch])];
      return s / c.kernel ** 2;
    },
  };
}

/** Bilinear, half-pixel centres. */
export function resize({ x, g }, c) {
  const [shape, at] = [c.inputs.x.shape, placeOf(c.inputs.x.shape)];
  const yAt = placeOf(c.y);
  /** [input, weight] that output o of an axis of so many inputs takes. */
  const taps = (o, size) => {
    const position = Math.min(size - 1, Math.max(0, (o + 0.5) / c.factor - 0.5));
    const low = Math.floor(position);
    const pair = [
      [low, 1 - (position - low)],
      [low + 1, position - low],
    ];
    return pair.filter(([, weight]) => weight > 0);
  };
  /** [output, weight] that take input i. */
  const takers = (i, size) =>
    Array.from({ length: size * c.factor }, (_, o) => [o, taps(o, size).find(([low]) => low === i)?.[1] ?? 0]).filter(([, w]) => w > 0);
  const sum = (values, place, n, rows, columns, ch) =>
    rows.reduce((s, [h, a]) => s + columns.reduce((t, [w, b]) => t + a * b * values[place([n, h, w, ch])], 0), 0);
  return {
    y(place) {
      const [n, oy, ox, ch] = split(place, c.y);
      return sum(x, at, n, taps(oy, shape[1]), taps(ox, shape[2]), ch);
    },
    dx(place) {
      const [n, h, w, ch] = split(place, shape);
      return sum(g, yAt, n, takers(h, shape[1]), takers(w, shape[2]), ch);
    },
  };
}

export function windows({ x, g }, c) {
  const [shape, at] = [c.inputs.x.shape, placeOf(c.inputs.x.shape)];
  const yAt = placeOf(c.y);
  return {
    y(place) {
      const [n, oy, ox, ky, kx, ch] = split(place, c.y);
      return x[at([n, oy * c.stride + ky, ox * c.stride + kx, ch])];
    },
    dx(place) {
      const [n, h, w, ch] = split(place, shape);
      let s = 0;
      for (const [oy, ky] of holders(h, c.y[1], c)) for (const [ox, kx] of holders(w, c.y[2], c)) s += g[yAt([n, oy, ox, ky, kx, ch])];
      return s;
    },
  };
}

export function permute({ x }, { order, y, inputs }) {
  const at = placeOf(inputs.x.shape);
  return {
    y(place) {
      const to = split(place, y);
      return x[at(order.map((_, axis) => to[order.indexOf(axis)]))];
    },
  };
}
