// SPDX-License-Identifier: MIT
// How a tensor is laid into a larger (or smaller) one: lowering of kernels/pad.wgsl. The ops are in layout.ts.
import { oneOf } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { dispatch, type Dispatch, type Ref } from '../engine/op.ts';
import { pad as padKernel, pad_dx } from '../gen/pad.ts';
import type { Caps } from '../gpu/caps.ts';
import { elementLaunch } from './lanes.ts';

/** PyTorch's names. */
export type PadMode = 'constant' | 'replicate' | 'reflect' | 'circular';
const MODES: Record<PadMode, number> = { constant: 0, replicate: 1, reflect: 2, circular: 3 };
export const aMode = oneOf(...Object.keys(MODES));
const AXES = 6;

/** Along one axis: element i of x (`size` of them) lies at start + i step of y (`out` elements). */
export interface Placement {
  out: number;
  size: number;
  start: number;
  step: number;
}

const whole = (a: Placement): boolean => a.out === a.size && a.start === 0 && a.step === 1;

/** Last axis first, neighbours that are untouched merged. */
function collapse(axes: readonly Placement[]): Placement[] {
  const list: Placement[] = [];
  for (const axis of [...axes].reverse()) {
    const below = list.at(-1);
    if (whole(axis) && below && whole(below)) below.out = below.size *= axis.out;
    else list.push({ ...axis });
  }
  return list;
}

/** y = x laid as `axes` say, with the border that `mode` makes. @throws ShapeError past six separate axes. */
export function placeDispatch(caps: Caps, x: Ref, y: Ref, axes: readonly Placement[], mode: PadMode = 'constant', value = 0): Dispatch[] {
  const list = collapse(axes);
  const [last] = list;
  if (list.length > AXES)
    throw new ShapeError(`pad: [${x.shape}] has ${list.length} separate axes, expected at most ${AXES}.`, 'Pad in two steps.');
  const four = last !== undefined && whole(last) && last.size % 4 === 0 && numel(x.shape) > 0;
  if (four) last.out = last.size /= 4;
  const n = numel(y.shape) / (four ? 4 : 1);
  const params: Record<string, number> = { n, value, inner: 1 };
  for (let k = 0; k < AXES; k++) {
    const a = list[k] ?? { out: 1, size: 1, start: 0, step: 1 };
    Object.assign(params, { [`out${k}`]: a.out, [`in${k}`]: a.size, [`start${k}`]: a.start, [`step${k}`]: a.step });
  }
  const { overrides, grid } = elementLaunch(caps, n);
  return [
    dispatch(padKernel, { x, y }, params as never, grid, {
      spec: { V: four ? `vec4<${x.dtype}>` : x.dtype },
      overrides: { ...overrides, MODE: MODES[mode], RANK: Math.max(1, list.length), STEPPED: Number(axes.some((a) => a.step !== 1)) },
    }),
  ];
}

/** Adjoint of a border along one axis: g [..., out, ...] to dx [..., size, ...]. */
export function placeDxDispatch(caps: Caps, g: Ref, dx: Ref, axis: number, start: number, mode: PadMode): Dispatch {
  const inner = numel(g.shape.slice(axis + 1));
  const width = inner % 4 === 0 ? 4 : 1;
  const n = numel(dx.shape) / width;
  const params: Record<string, number> = { n, value: 0, inner: inner / width };
  for (let k = 0; k < AXES; k++) Object.assign(params, { [`out${k}`]: 1, [`in${k}`]: 1, [`start${k}`]: 0, [`step${k}`]: 1 });
  Object.assign(params, { out0: g.shape[axis], in0: dx.shape[axis], start0: start });
  const { overrides, grid } = elementLaunch(caps, n);
  return dispatch(pad_dx, { g, dx }, params as never, grid, {
    spec: { V: width === 4 ? `vec4<${g.dtype}>` : g.dtype },
    overrides: { ...overrides, MODE: MODES[mode] },
  });
}
