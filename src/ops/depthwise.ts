// SPDX-License-Identifier: MIT
// Lowering of depthwise convolution: groups = channels of the big grid, one or more kernels each. conv2d, conv3d and the
// transposed ones come here by themselves.
import { dispatch, grid1d, type Dispatch, type LowerContext, type Ref } from '../engine/op.ts';
import { numel } from '../engine/dtype.ts';
import type { Caps } from '../gpu/caps.ts';
import { depthwise as depthwiseKernel, depthwise_dweight } from '../gen/depthwise.ts';
import { depthwise_rows, depthwise_rows_dweight } from '../gen/depthwise_rows.ts';
import { splitsFor, sumSplits } from './gemm.ts';
import { gatherDown, gatherUp, sides, type Operands, type Sides, type Window } from './window.ts';

type Context = Pick<LowerContext<unknown>, 'caps' | 'scratch'>;

const PIXELS = 8; // outputs of a lane along x

/** weight [small channels, taps, big channels / groups] */
export const isDepthwise = (weight: readonly number[], w: Window): boolean => w.groups > 1 && weight.at(-1) === 1;

const lanes = (caps: Caps): { WG: number } => ({ WG: Math.max(8, caps.software ? caps.subgroupSize : 64) });

/** Stride 1, taps that are neighbours, few enough for registers: depthwise_rows.wgsl. */
const byRows = (s: Sides, w: Window): boolean => {
  const [kz, ky, kx] = s.kernel;
  return (
    s.gs === 1 &&
    w.stride.every((d) => d === 1) &&
    w.dilation[1] === 1 &&
    w.dilation[2] === 1 &&
    [1, 3].includes(kz) &&
    [1, 3, 5, 7].includes(ky) &&
    [3, 5, 7].includes(kx) &&
    s.taps <= 49
  );
};
/** Width of a strip: less where more is held in registers besides. */
const widthOf = (s: Sides): number => (s.taps > 9 ? 4 : PIXELS);

/** Bands of at most `rows` output rows, all of nearly one height. */
const bandsOf = (height: number, rows: number): { rows: number; bands: number } => {
  const each = Math.ceil(height / Math.ceil(height / rows));
  return { rows: each, bands: Math.ceil(height / each) };
};

/** Spec and params of depthwise_rows from grid `from` to grid `to`. */
const rowsLaunch = (s: Sides, w: Window, T: string, from: Sides['big'], to: Sides['big'], pad: readonly number[]) => ({
  spec: { T, KZ: `${s.kernel[0]}u`, KY: `${s.kernel[1]}u`, KX: `${s.kernel[2]}u`, PIXELS: `${widthOf(s)}u` },
  params: {
    n: s.n,
    c: s.cs,
    xd: from[0],
    xh: from[1],
    xw: from[2],
    yd: to[0],
    yh: to[1],
    yw: to[2],
    pad_z: pad[0],
    pad_y: pad[1],
    pad_x: pad[2],
    dil_z: w.dilation[0],
    flip: 0,
    has_bias: 0,
    act: 0,
  },
});

function lowerRows(caps: Caps, [x, weight, bias, z, y]: Operands, s: Sides, w: Window, act: number, up: boolean): Dispatch {
  const overrides = lanes(caps);
  const [from, to] = up ? [s.small, s.big] : [s.big, s.small];
  const pad = up ? w.before.map((p, i) => w.dilation[i] * (s.kernel[i] - 1) - p) : w.before;
  const { spec, params } = rowsLaunch(s, w, x.dtype, from, to, pad);
  const { rows, bands } = bandsOf(to[1], caps.software ? 32 : 8); // a band reads KY - 1 rows more than it writes
  const tiles = Math.ceil(s.cs / overrides.WG) * Math.ceil(to[2] / widthOf(s)) * bands * to[0] * s.n;
  const own = { flip: up ? 1 : 0, has_bias: bias ? 1 : 0, act, tiles, rows };
  const bindings = { x, w: weight, bias: bias ?? x, other: z ?? x, y };
  return dispatch(depthwise_rows, bindings, { ...params, ...own }, grid1d(tiles), { spec, overrides });
}

const lower =
  (up: boolean) =>
  ({ caps }: Context, operands: Operands, w: Window, act: number): [Dispatch] => {
    const [x, weight, bias, z, y] = operands;
    const s = up ? sides(y.shape, x.shape, weight.shape, w.groups) : sides(x.shape, y.shape, weight.shape, w.groups);
    if (byRows(s, w)) return [lowerRows(caps, operands, s, w, act, up)];
    const overrides = lanes(caps);
    // Outputs of one phase of the stride are a grid of their own.
    const [d, h, width] = up ? s.big.map((size, i) => Math.ceil(size / w.stride[i])) : s.small;
    const phases = up ? w.stride[0] * w.stride[1] * w.stride[2] : 1;
    const tiles = Math.ceil((up ? s.cb : s.cs) / overrides.WG) * Math.ceil(width / PIXELS) * h * d * s.n * phases;
    const gather = up ? { ...gatherUp(s, w), x_of: 1, reps: s.gs } : { ...gatherDown(s, w), x_of: s.gs, reps: 1 };
    const params = { ...gather, has_bias: bias ? 1 : 0, act, tiles, chunk: 0 };
    const bindings = { x, w: weight, bias: bias ?? weight, other: z ?? weight, y };
    return [dispatch(depthwiseKernel, bindings, params, grid1d(tiles), { spec: { T: x.dtype }, overrides })];
  };

/** y on the small grid from x on the big one. */
export const lowerDepthwiseDown = lower(false);
/** y on the big grid from x on the small one. */
export const lowerDepthwiseUp = lower(true);

/** dw [small channels, taps, 1] from the tensors on both grids. */
export function lowerDepthwiseDweight(c: Context, big: Ref, small: Ref, dw: Ref, w: Window): Dispatch[] {
  const s = sides(big.shape, small.shape, dw.shape, w.groups);
  const overrides = lanes(c.caps);
  if (byRows(s, w)) return lowerRowsDweight(c, big, small, dw, s, w);
  const independent = Math.ceil(s.cs / overrides.WG) * s.taps;
  const rows = s.n * s.small[0] * s.small[1];
  const chunk = Math.ceil(rows / splitsFor(c.caps, independent, rows, Math.ceil(64 / s.small[2]), Math.ceil(4096 / s.small[2])));
  const tiles = independent * Math.ceil(rows / chunk);
  return summed(c, dw, Math.ceil(rows / chunk), (partial) =>
    dispatch(
      depthwise_dweight,
      { x: big, dy: small, partial },
      { ...gatherDown(s, w), x_of: s.gs, reps: 1, has_bias: 0, act: 0, tiles, chunk },
      grid1d(tiles),
      { spec: { T: big.dtype }, overrides },
    ),
  );
}

function lowerRowsDweight(c: Context, big: Ref, small: Ref, dw: Ref, s: Sides, w: Window): Dispatch[] {
  const overrides = lanes(c.caps);
  const across = Math.ceil(s.cs / overrides.WG);
  const planes = s.n * s.small[0];
  const { rows, bands } = bandsOf(s.small[1], Math.ceil(s.small[1] / splitsFor(c.caps, across * planes, s.small[1], 8, 64)));
  const { spec, params } = rowsLaunch(s, w, big.dtype, s.big, s.small, w.before);
  const tiles = across * planes * bands;
  return summed(c, dw, planes * bands, (partial) =>
    dispatch(depthwise_rows_dweight, { x: big, dy: small, partial }, { ...params, tiles, rows }, grid1d(tiles), { spec, overrides }),
  );
}

/** `first` writes `splits` partial results of dw, which are added up. */
function summed(c: Context, dw: Ref, splits: number, first: (partial: Ref) => Dispatch): Dispatch[] {
  const size = numel(dw.shape);
  const partial = splits === 1 && dw.dtype === 'f32' ? dw : c.scratch([splits, size]);
  return partial === dw ? [first(partial)] : [first(partial), sumSplits(c.caps, partial, dw, size, splits)];
}
