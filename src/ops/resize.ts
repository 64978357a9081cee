// SPDX-License-Identifier: MIT
// Resize of channels-last maps and volumes, nearest or linear (bilinear, trilinear).
import { fields, flag, integers, listOf, maybe, number, oneOf } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel, type Spec } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, type Dispatch, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { Caps } from '../gpu/caps.ts';
import { resize as resizeKernel, resize_dx } from '../gen/resize.ts';
import { elementLaunch, vector } from './lanes.ts';
import { expectSpatial, spatial3 } from './pool_axes.ts';

const ROUNDING = { floor: 0, ceil: 1, half_up: 2, half_down: 3 } as const;

export interface ResizeOptions {
  mode?: 'linear' | 'nearest';
  /** The corner elements' centres stay in place (linear). */
  alignCorners?: boolean;
  /**
   * Where output o looks: `half_pixel` (o + 1/2) L / O - 1/2, `asymmetric` o L / O, `half_pixel_symmetric` as half_pixel, but
   * with the middles of both maps on each other where `scale` is not O / L. Default: half_pixel for linear, asymmetric with
   * `floor` for nearest, as in PyTorch.
   */
  coordinates?: 'half_pixel' | 'half_pixel_symmetric' | 'asymmetric';
  /** nearest: which neighbour. */
  rounding?: keyof typeof ROUNDING;
  /** Output elements per input element of each spatial axis, where the ratio of the sizes is not meant. */
  scale?: readonly number[];
}

/** Output o looks at o scale + shift. */
interface Line {
  readonly scale: number;
  readonly shift: number;
}
const KEPT: Line = { scale: 1, shift: 0 };
interface Attrs {
  readonly size: readonly number[];
  readonly lines: readonly Line[];
  readonly linear: boolean;
  readonly rounding: number;
}

/** One lane a V of `to`: grids [d, h, w] of the map and of its resized form, lines of each axis. */
function launch(
  caps: Caps,
  to: Spec,
  inner: number,
  [d, h, w]: readonly number[],
  [od, oh, ow]: readonly number[],
  lines: readonly Line[],
  { linear, rounding }: Attrs,
) {
  const { V, W } = vector(to.dtype, inner);
  const n = numel(to.shape) / W;
  const { overrides, grid } = elementLaunch(caps, n);
  const [ld, lh, lw] = [KEPT, KEPT, ...lines].slice(-3) as [Line, Line, Line];
  const scales = { scale_d: ld.scale, scale_h: lh.scale, scale_w: lw.scale, shift_d: ld.shift, shift_h: lh.shift, shift_w: lw.shift };
  return {
    params: { n, c: inner / W, d, h, w, od, oh, ow, rounding, ...scales },
    grid,
    options: { spec: { V }, overrides: { ...overrides, LINEAR: Number(linear) } },
  };
}

const resizeOp = defineOp({
  name: 'resize',
  call: (x: Tensor, attrs: Attrs) => ({ inputs: [x], attrs }),
  infer: ([x], { size }) => ({ shape: [x.shape[0], ...size, x.shape.at(-1)!], dtype: x.dtype }),
  lower({ caps, inputs: [x], outputs: [y], attrs }): Dispatch[] {
    const { lines } = attrs;
    const { params, grid, options } = launch(caps, y, x.shape.at(-1)!, spatial3(x.shape), spatial3(y.shape), lines, attrs);
    const overrides = { ...options.overrides, VOLUME: Number(lines.length === 3) };
    return [dispatch(resizeKernel, { x, y }, params, grid, { spec: options.spec, overrides })];
  },
  vjp: ({ inputs: [x], grads: [g], attrs }): Thunk[] => [() => resizeDx(g, { ...attrs, size: x.shape.slice(1, -1) })],
  flops: ([x], [y], { linear }) => (linear ? numel(y.shape) * 3 * (2 ** (x.shape.length - 2) - 1) : 0),
});

// One pass an axis that changes, the last axis first; GPUs, where passes cost more than sums, take both axes of a map where few outputs
// look at an input.
/** Adjoint: `size` is the input's. */
const resizeDx = defineOp({
  name: 'resize_dx',
  call: (g: Tensor, attrs: Attrs) => ({ inputs: [g], attrs }),
  infer: ([g], { size }) => ({ shape: [g.shape[0], ...size, g.shape.at(-1)!], dtype: g.dtype }),
  lower(c): Dispatch[] {
    const { size, lines } = c.attrs;
    const axes = size
      .map((_, i) => i)
      .filter((i) => size[i] !== c.inputs[0].shape[i + 1] || !same(lines[i]))
      .reverse();
    let from = c.inputs[0];
    const [w, h] = axes;
    const plane = !c.caps.software && h === w - 1 && [h, w].every((i) => from.shape[i + 1] <= 4 * size[i]);
    const passes = plane ? [[h, w], ...axes.slice(2).map((i) => [i])] : axes.map((i) => [i]);
    return passes.map((pass, k): Dispatch => {
      const shape = from.shape.map((s, i) => (pass.includes(i - 1) ? size[i - 1] : s));
      const to = k === passes.length - 1 ? c.outputs[0] : c.scratch(shape, from.dtype);
      const ends = [shape, from.shape].map((all) => [1, 1, ...pass.map((i) => all[i + 1])].slice(-3));
      const inner = numel(shape.slice(pass.at(-1)! + 2));
      const own = pass.map((i) => lines[i]);
      const { params, grid, options } = launch(c.caps, { shape, dtype: to.dtype }, inner, ends[0], ends[1], own, c.attrs);
      const overrides = { ...options.overrides, PLANE: pass.length - 1 };
      const made = dispatch(resize_dx, { g: from, dx: to }, params, grid, { spec: options.spec, overrides });
      from = to;
      return made;
    });
  },
  vjp: ({ inputs: [g], grads: [gg], attrs }): Thunk[] => [() => resizeOp(gg, { ...attrs, size: g.shape.slice(1, -1) })],
});

const same = ({ scale, shift }: Line): boolean => scale === 1 && shift === 0;

const OPTIONS = fields({
  mode: maybe(oneOf('linear', 'nearest')),
  alignCorners: maybe(flag),
  coordinates: maybe(oneOf('half_pixel', 'half_pixel_symmetric', 'asymmetric')),
  rounding: maybe(oneOf(...Object.keys(ROUNDING))),
  scale: maybe(listOf(number(Number.MIN_VALUE, Number.MAX_VALUE))),
});

/** x [N, (D,) (H,) W, C] with other spatial sizes. @throws ShapeError */
export const resize = door(
  'resize',
  { x: aTensor, size: integers(), options: maybe(OPTIONS) },
  (x: Tensor, size: readonly number[], options: ResizeOptions = {}): Tensor => {
    const {
      mode = 'linear',
      alignCorners = false,
      coordinates = mode === 'linear' ? 'half_pixel' : 'asymmetric',
      rounding = 'floor',
      scale,
    } = options;
    const spatial = x.shape.slice(1, -1);
    expectSpatial('resize', x, Math.min(3, Math.max(1, spatial.length)));
    if (size.length !== spatial.length || size.some((d) => !Number.isInteger(d) || d < 1)) {
      throw new ShapeError(`resize: got size [${size}] for [${x.shape}], expected ${spatial.length} of at least 1.`);
    }
    if (scale && scale.length !== spatial.length)
      throw new ShapeError(`resize: got ${scale.length} scales for [${x.shape}], expected ${spatial.length}.`);
    const lines = spatial.map((length, i): Line => {
      const out = size[i];
      if (alignCorners) return { scale: out > 1 ? (length - 1) / (out - 1) : 0, shift: 0 };
      const ratio = scale ? 1 / scale[i] : length / out;
      if (coordinates === 'asymmetric') return { scale: ratio, shift: 0 };
      return { scale: ratio, shift: 0.5 * ratio - 0.5 + (coordinates === 'half_pixel' ? 0 : (length - out * ratio) / 2) };
    });
    if (lines.every(same) && size.every((d, i) => d === spatial[i])) return x;
    return resizeOp(x, { size, lines, linear: mode === 'linear', rounding: ROUNDING[rounding] });
  },
);
