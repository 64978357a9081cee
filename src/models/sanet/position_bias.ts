// SPDX-License-Identifier: MIT
// Cross-layer consistent position bias (specification 4.2f): tokens of all levels in the frame of the largest window; a
// learned table is read at their real-valued offsets, linearly (CCA) or bilinearly (CSA).

/** Constant taps: bias[t, u] = sum_j weights[(t*T + u)*taps + j] * table[index[(t*T + u)*taps + j]]. */
export interface Taps {
  readonly tokens: number;
  readonly taps: number;
  readonly index: Uint32Array;
  readonly weights: Float32Array;
}

/** Token coordinates of every level along one axis: (p - floor(w/2)) * w0 / w; the last level unscaled. */
function coordinates(windows: readonly number[]): number[][] {
  return windows.map((w) => Array.from({ length: w }, (_, p) => (p - Math.floor(w / 2)) * (w > 1 ? windows[0] / w : 1)));
}

/** The two rows around the offset of t and u, and the weight of the upper. Offsets are within [0, size - 1]. */
function linear(t: number, u: number, size: number): { low: number; weight: number } {
  const delta = Math.min(size - 1, Math.max(0, t - u + (size - 1) / 2));
  const low = Math.min(size - 2, Math.floor(delta));
  return { low, weight: delta - low };
}

/** CCA: tokens of all levels in one dimension; table of 2 w0 - 1 rows. */
export function channelTaps(windows: readonly number[]): Taps {
  const coord = coordinates(windows).flat();
  const size = 2 * windows[0] - 1;
  const index: number[] = [];
  const weights: number[] = [];
  for (const t of coord) {
    for (const u of coord) {
      const { low, weight } = linear(t, u, size);
      index.push(low, low + 1);
      weights.push(1 - weight, weight);
    }
  }
  return { tokens: coord.length, taps: 2, index: Uint32Array.from(index), weights: Float32Array.from(weights) };
}

/** CSA: tokens of all levels in two dimensions, rows first; table row = size * dy + dx. */
export function spatialTaps(windows: readonly number[]): Taps {
  const coord = coordinates(windows).flatMap((axis) => axis.flatMap((y) => axis.map((x) => [y, x] as const)));
  const size = 2 * windows[0] - 1;
  const index: number[] = [];
  const weights: number[] = [];
  for (const [ty, tx] of coord) {
    for (const [uy, ux] of coord) {
      const y = linear(ty, uy, size);
      const x = linear(tx, ux, size);
      index.push(y.low * size + x.low, y.low * size + x.low + 1, (y.low + 1) * size + x.low, (y.low + 1) * size + x.low + 1);
      weights.push((1 - y.weight) * (1 - x.weight), (1 - y.weight) * x.weight, y.weight * (1 - x.weight), y.weight * x.weight);
    }
  }
  return { tokens: coord.length, taps: 4, index: Uint32Array.from(index), weights: Float32Array.from(weights) };
}
