// SPDX-License-Identifier: MIT
// Windows of pooling as numbers for the kernels: one, two or three spatial axes become D, H, W.
import { flag, maybe, perAxis, shown, type Kind } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { expectDType } from '../engine/op.ts';
import type { Spec } from '../engine/dtype.ts';

type PerAxis = number | readonly number[];

export interface PoolOptions {
  /** Window size; a number serves all spatial axes. */
  kernel: PerAxis;
  /** Default: `kernel`, so that windows tile the input. */
  stride?: PerAxis;
  /** At both ends of every axis, or [before, after] for each. */
  padding?: number | readonly (number | readonly [number, number])[];
  dilation?: PerAxis;
  /** Windows may run over the end, if they start inside. */
  ceilMode?: boolean;
}

const aPadding: Kind = (where, what, v) => {
  if ([v].flat(2).every((p) => Number.isInteger(p) && (p as number) >= 0)) return;
  throw new ShapeError(`${where}: got ${what} ${shown(v)}, expected an integer of at least 0, or one or two for each axis.`);
};
/** Kinds of the options above. */
export const POOL = {
  kernel: perAxis(1),
  stride: maybe(perAxis(1)),
  padding: maybe(aPadding),
  dilation: maybe(perAxis(1)),
  ceilMode: maybe(flag),
};

export interface PoolAxis {
  readonly out: number;
  readonly kernel: number;
  readonly stride: number;
  readonly before: number;
  readonly after: number;
  readonly dilation: number;
}

/** One entry a spatial axis. @throws ShapeError unless x is [N, spatial..., C] and every window meets it. */
export function poolAxes(
  name: string,
  x: Spec,
  spatial: number,
  { kernel, stride = kernel, padding = 0, dilation = 1, ceilMode = false }: PoolOptions,
): PoolAxis[] {
  expectSpatial(name, x, spatial);
  for (const [what, list] of Object.entries({ kernel, stride, padding, dilation })) {
    if (Array.isArray(list) && list.length !== x.shape.length - 2)
      throw new ShapeError(`${name}: got ${what} [${list}] for [${x.shape}], expected one number or ${x.shape.length - 2}.`);
  }
  const of = (list: PerAxis, i: number): number => (typeof list === 'number' ? list : list[i]);
  return x.shape.slice(1, -1).map((size, i) => {
    const p = typeof padding === 'number' ? padding : padding[i];
    const [before, after] = typeof p === 'number' ? [p, p] : p;
    const axis = { kernel: of(kernel, i), stride: of(stride, i), before, after, dilation: of(dilation, i) };
    const reach = axis.dilation * (axis.kernel - 1) + 1;
    const steps = (size + before + after - reach) / axis.stride;
    let out = (ceilMode ? Math.ceil(steps) : Math.floor(steps)) + 1;
    if (ceilMode && (out - 1) * axis.stride >= size + before) out--;
    if (!(out > 0) || Math.max(before, after) >= reach) {
      throw new ShapeError(
        `${name}: got window ${axis.kernel} (dilation ${axis.dilation}, padding ${before}, ${after}) over ${size} elements, ` +
          'expected one that fits and more than padding.',
      );
    }
    return { ...axis, out };
  });
}

/** @throws ShapeError, DTypeError */
export function expectSpatial(name: string, x: Spec, spatial: number): void {
  expectDType(name, [x], 'f32', 'f16');
  if (x.shape.length !== spatial + 2)
    throw new ShapeError(`${name}: got [${x.shape}], expected [N, ${['W', 'H, W', 'D, H, W'][spatial - 1]}, C].`);
  if (x.shape.slice(1, -1).includes(0)) throw new ShapeError(`${name}: got [${x.shape}], expected spatial axes of at least 1.`);
}

/** Sizes of D, H and W, of the missing ones 1. */
export const spatial3 = (shape: readonly number[]): number[] => [1, 1, ...shape.slice(1, -1)].slice(-3);

/** Fields of the kernels' Params, but n and c, and their overrides that tell of axes. */
export function poolParams(input: readonly number[], output: readonly number[], axes: readonly PoolAxis[]) {
  const params: Record<string, number> = {};
  const [SD, SH, SW] = [1, 1, 1, ...axes.map((a) => a.stride)].slice(-3);
  const sizes = spatial3(input);
  const outs = spatial3(output);
  ['d', 'h', 'w'].forEach((name, i) => {
    const a = axes[i - 3 + axes.length] ?? { kernel: 1, stride: 1, before: 0, after: 0, dilation: 1 };
    Object.assign(params, {
      [name]: sizes[i],
      [`o${name}`]: outs[i],
      [`k${name}`]: a.kernel,
      [`p${name}`]: a.before,
      [`l${name}`]: a.dilation,
      [`e${name}`]: a.after,
    });
  });
  return { params, overrides: { SD, SH, SW, VOLUME: Number(input.length === 5), DILATED: Number(axes.some((a) => a.dilation > 1)) } };
}
