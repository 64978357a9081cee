// SPDX-License-Identifier: MIT
// Lowering of depthwise convolution: groups = channels of the big grid, one or more kernels each. conv2d, conv3d and the
// transposed ones come here by themselves.
import { dispatch, grid1d, type Dispatch, type LowerContext, type Ref } from '../engine/op.ts';
import type { Caps } from '../gpu/device.ts';
import { depthwise as depthwiseKernel, depthwise_dweight } from '../gen/depthwise.ts';
import { depthwise_rows, depthwise_rows_dweight } from '../gen/depthwise_rows.ts';
import { splitsFor, sumSplits } from './gemm.ts';
import { gatherDown, gatherUp, sides, type Sides, type Window } from './window.ts';

const PIXELS = 8; // outputs a lane

/** weight [small channels, taps, big channels / groups] */
export const isDepthwise = (weight: readonly number[], w: Window): boolean => w.groups > 1 && weight.at(-1) === 1;

const lanes = (caps: Caps): { WG: number } => ({ WG: Math.max(8, caps.software ? caps.subgroupSize : 64) });

/** Stride 1, neighbouring taps and channels by four: depthwise_rows.wgsl. */
const byRows = (s: Sides, w: Window, act: number): boolean =>
  s.gs === 1 && s.cs % 4 === 0 && w.stride.every((d) => d === 1) && w.dilation[2] === 1 && [3, 5, 7].includes(s.kernel[2]) && act < 2;
/** Outputs a lane: fewer where more is held in registers besides (long rows of taps, or their sums). */
const pixelsOf = (s: Sides, sums: boolean): number => sums || s.kernel[2] > 3 ? 4 : PIXELS;
const rowsSpec = (s: Sides, T: string, sums: boolean) => ({ T, KX: `${s.kernel[2]}u`, PIXELS: `${pixelsOf(s, sums)}u` });

/** Params of depthwise_rows from grid `from` to grid `to`. */
const rowsParams = (s: Sides, w: Window, from: Sides['big'], to: Sides['big'], pad: readonly number[]) => ({
  n: s.n, c4: s.cs / 4, xd: from[0], xh: from[1], xw: from[2], yd: to[0], yh: to[1], yw: to[2], kd: s.kernel[0], kh: s.kernel[1],
  pad_z: pad[0]!, pad_y: pad[1]!, pad_x: pad[2]!, dil_z: w.dilation[0], dil_y: w.dilation[1],
});

function lowerRows(c: Pick<LowerContext<unknown>, 'caps'>, x: Ref, weight: Ref, bias: Ref | null, y: Ref, s: Sides, w: Window, act: number, up: boolean): Dispatch[] {
  const overrides = lanes(c.caps);
  const [from, to] = up ? [s.small, s.big] : [s.big, s.small];
  const pad = up ? w.before.map((p, i) => w.dilation[i]! * (s.kernel[i]! - 1) - p) : w.before;
  const tiles = Math.ceil(s.cs / 4 / overrides.WG) * Math.ceil(to[2] / pixelsOf(s, false)) * to[1] * to[0] * s.n;
  return [dispatch(depthwise_rows, { x, w: weight, bias: bias ?? x, y },
    { ...rowsParams(s, w, from, to, pad), flip: up ? 1 : 0, has_bias: bias ? 1 : 0, act, tiles, chunk: 0 }, grid1d(tiles), { spec: rowsSpec(s, x.dtype, false), overrides })];
}

/** y on the small grid from x on the big one. */
export function lowerDepthwiseDown(c: Pick<LowerContext<unknown>, 'caps'>, x: Ref, weight: Ref, bias: Ref | null, y: Ref, w: Window, act: number): Dispatch[] {
  const s = sides(x.shape, y.shape, weight.shape, w.groups);
  if (byRows(s, w, act)) return lowerRows(c, x, weight, bias, y, s, w, act, false);
  const overrides = lanes(c.caps);
  const tiles = Math.ceil(s.cs / overrides.WG) * Math.ceil(s.small[2] / PIXELS) * s.small[1] * s.small[0] * s.n;
  return [dispatch(depthwiseKernel, { x, w: weight, bias: bias ?? weight, y },
    { ...gatherDown(s, w), x_of: s.gs, reps: 1, has_bias: bias ? 1 : 0, act, tiles, chunk: 0 }, grid1d(tiles), { spec: { T: x.dtype }, overrides })];
}

/** y on the big grid from x on the small one. */
export function lowerDepthwiseUp(c: Pick<LowerContext<unknown>, 'caps'>, x: Ref, weight: Ref, bias: Ref | null, y: Ref, w: Window, act: number): Dispatch[] {
  const s = sides(y.shape, x.shape, weight.shape, w.groups);
  if (byRows(s, w, act)) return lowerRows(c, x, weight, bias, y, s, w, act, true);
  const overrides = lanes(c.caps);
  const [d, h, width] = s.big.map((size, i) => Math.ceil(size / w.stride[i]!)) as [number, number, number];
  const tiles = Math.ceil(s.cb / overrides.WG) * Math.ceil(width / PIXELS) * h * d * s.n * w.stride[0] * w.stride[1] * w.stride[2];
  return [dispatch(depthwiseKernel, { x, w: weight, bias: bias ?? weight, y },
    { ...gatherUp(s, w), x_of: 1, reps: s.gs, has_bias: bias ? 1 : 0, act, tiles, chunk: 0 }, grid1d(tiles), { spec: { T: x.dtype }, overrides })];
}

/** dw [small channels, taps, 1] from the tensors on both grids. */
export function lowerDepthwiseDweight(c: Pick<LowerContext<unknown>, 'caps' | 'scratch'>, big: Ref, small: Ref, dw: Ref, w: Window): Dispatch[] {
  const s = sides(big.shape, small.shape, dw.shape, w.groups);
  const overrides = lanes(c.caps);
  const rowwise = byRows(s, w, 0);
  const independent = rowwise ? Math.ceil(s.cs / 4 / overrides.WG) * s.kernel[0] * s.kernel[1] : Math.ceil(s.cs / overrides.WG) * s.taps;
  const rows = s.n * s.small[0] * s.small[1];
  const chunk = Math.ceil(rows / splitsFor(c.caps, independent, rows, Math.ceil(64 / s.small[2]), Math.ceil(4096 / s.small[2])));
  const splits = Math.ceil(rows / chunk);
  const size = s.cs * s.taps;
  const partial = splits === 1 && dw.dtype === 'f32' ? dw : c.scratch([splits, size]);
  const tiles = independent * splits;
  const bindings = { x: big, dy: small, partial };
  const common = { has_bias: 0, act: 0, tiles, chunk };
  const first = rowwise
    ? dispatch(depthwise_rows_dweight, bindings, { ...rowsParams(s, w, s.big, s.small, w.before), flip: 0, ...common }, grid1d(tiles), { spec: rowsSpec(s, big.dtype, true), overrides })
    : dispatch(depthwise_dweight, bindings, { ...gatherDown(s, w), x_of: s.gs, reps: 1, ...common }, grid1d(tiles), { spec: { T: big.dtype }, overrides });
  return partial === dw ? [first] : [first, sumSplits(c.caps, partial, dw, size, splits)];
}
