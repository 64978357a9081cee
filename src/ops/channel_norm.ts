// SPDX-License-Identifier: MIT
// What batch, group and instance norm share: channels-last rows [n, rows, c], the runs down them, the apply and dx launches.
import { DTypeError, ShapeError } from '../errors.ts';
import { numel, type Spec } from '../engine/dtype.ts';
import { dispatch, expectDType, type Dispatch, type Ref } from '../engine/op.ts';
import type { Caps } from '../gpu/caps.ts';
import { bn_apply, bn_dx, bn_dx_add, bn_moments, bn_sums } from '../gen/batch_norm.ts';
import { elementLaunch, runs, sumLaunch, vector, vectorsPerLane } from './lanes.ts';

// A lane reads its channel's constants once for so many elements; Lavapipe runs 64 a fifth to a third faster than 16.
const applyRows = (r: Rows): number => (r.caps.software && (r.n * r.rows * r.c) / r.W >= 1 << 16 ? 64 : 16);

export interface Rows {
  readonly n: number;
  readonly rows: number;
  readonly c: number; // c in elements
  readonly caps: Caps;
  readonly V: string;
  readonly W: number;
  /** Neighbouring V of channels that a lane owns. */
  readonly per: 1 | 4;
  /** Runs for sums: [2, n, parts, c] f32 of partial results. */
  readonly chunk: number;
  readonly parts: number;
  readonly eps: number;
}

export function rowsOf(caps: Caps, x: Spec, n: number, eps: number): Rows {
  const c = x.shape.at(-1)!;
  const rows = numel(x.shape) / c / n;
  const { V, W } = vector(x.dtype, c);
  const per = vectorsPerLane(caps, c / W, (n * rows * c) / W);
  return { n, rows, c, caps, V, W, per, eps, ...runs(caps, rows, n * Math.ceil(c / W / per / caps.subgroupSize), 1024, 128) };
}

export const paramsOf = (r: Rows) => ({
  n: r.n,
  rows: r.rows,
  c: r.c / r.W,
  chunk: r.chunk,
  parts: r.parts,
  eps: r.eps,
  momentum: 0,
  share: 0,
});

/** One lane a run and `per` V of channels. */
function launch(r: Rows, chunk: number, parts: number) {
  const { grid, overrides } = elementLaunch(r.caps, (r.n * parts * r.c) / r.W / r.per);
  return { params: { ...paramsOf(r), chunk, parts }, grid, options: { spec: { V: r.V, PER: `${r.per}u` }, overrides } };
}
const overRuns = (r: Rows) => launch(r, r.chunk, r.parts);

/** One lane a V of channels. */
export function overChannels(r: Rows) {
  const { grid, overrides } = elementLaunch(r.caps, r.c / r.W);
  return { params: paramsOf(r), grid, options: { spec: { V: r.V }, overrides } };
}

/** What joins the runs of each V of channels. */
export function joinsRuns(r: Rows) {
  const { grid, overrides } = sumLaunch(r.caps, r.c / r.W, r.parts);
  return { params: paramsOf(r), grid, options: { spec: { V: r.V }, overrides } };
}

function overElements(r: Rows) {
  const chunk = applyRows(r);
  return launch(r, chunk, Math.ceil(r.rows / chunk));
}

export function moments(r: Rows, x: Ref, partial: Ref): Dispatch {
  const { params, grid, options } = overRuns(r);
  return dispatch(bn_moments, { x, partial }, params, grid, options);
}

/** y = (x - mean) rstd gamma + beta, + z, relu. */
export function applyNorm(
  r: Rows,
  x: Ref,
  stats: Ref,
  gamma: Ref | null,
  beta: Ref | null,
  z: Ref | null,
  y: Ref,
  relu: boolean,
): Dispatch {
  const { params, grid, options } = overElements(r);
  const { spec, overrides } = options;
  return dispatch(bn_apply, { x, stats, gamma: gamma ?? stats, beta: beta ?? stats, z: z ?? x, y }, params, grid, {
    spec,
    overrides: { ...overrides, RELU: Number(relu), ADD: Number(z !== null), AFFINE: Number(gamma !== null) },
  });
}

/** Sums of g and g h down the runs; `y` only where a ReLU cuts dy. */
export function gradSums(r: Rows, x: Ref, stats: Ref, dy: Ref, y: Ref | null, partial: Ref): Dispatch {
  const { params, grid, options } = overRuns(r);
  const { spec, overrides } = options;
  return dispatch(bn_sums, { x, stats, dy, y_in: y ?? x, partial }, params, grid, {
    spec,
    overrides: { ...overrides, RELU: Number(y !== null) },
  });
}

/** `fixed`: the statistics are constants, as in evaluation. */
export function gradInput(
  r: Rows,
  x: Ref,
  stats: Ref,
  gamma: Ref | null,
  coef: Ref,
  dy: Ref,
  y: Ref | null,
  dx: Ref,
  dz: Ref | null,
  fixed = false,
): Dispatch {
  const { params, grid, options } = overElements(r);
  const { spec, overrides } = options;
  const own = { spec, overrides: { ...overrides, RELU: Number(y !== null), AFFINE: Number(gamma !== null), FIXED: Number(fixed) } };
  const bindings = { x, stats, gamma: gamma ?? stats, coef, dy, y_in: y ?? x, dx };
  return dz ? dispatch(bn_dx_add, { ...bindings, dz }, params, grid, own) : dispatch(bn_dx, bindings, params, grid, own);
}

/** @throws ShapeError, DTypeError unless x has channels and the vectors are f32 [c]. */
export function checkChannels(name: string, x: Spec, vectors: readonly (Spec | null | undefined)[], z: Spec | null = null): void {
  expectDType(name, [x, z], 'f32', 'f16');
  if (x.shape.length < 2) throw new ShapeError(`${name}: got [${x.shape}], expected at least [rows, channels].`);
  expectVectors(`${name}: got a channel vector`, x, vectors);
  if (z) expectSummand(name, x, z);
}

/** @throws ShapeError, DTypeError unless z can be added to x without broadcasting. */
export function expectSummand(name: string, x: Spec, z: Spec): void {
  expectDType(name, [x, z], 'f32', 'f16');
  if (z.shape.length !== x.shape.length || z.shape.some((d, i) => d !== x.shape[i]))
    throw new ShapeError(`${name}: got a summand [${z.shape}], expected [${x.shape}].`);
}

/** @throws ShapeError, DTypeError, which begin with `got`, unless the vectors that there are hold an f32 for each channel of x. */
export function expectVectors(got: string, { shape }: Spec, vectors: readonly (Spec | null | undefined)[]): void {
  const n = shape.at(-1)!;
  for (const v of vectors) {
    if (v && v.dtype !== 'f32')
      throw new DTypeError(`${got} of dtype ${v.dtype}, expected f32.`, 'Weights of norms stay f32 under mixed precision.');
    if (v && (v.shape.length !== 1 || v.shape[0] !== n)) throw new ShapeError(`${got} [${v.shape}] for [${shape}], expected [${n}].`);
  }
}
