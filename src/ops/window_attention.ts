// SPDX-License-Identifier: MIT
// Self attention within windows of a map or volume, shifted ones too (Liu et al. 2021, "Swin"), with a table of relative positions. Windows
// that hold tokens from both ends of an axis are masked; they are computed apart, by which axes they end, so that no mask or bias a window
// is ever in memory.
import { fields, integer, maybe, perAxis } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { tensor, type Tensor } from '../engine/tensor.ts';
import { noGrad } from '../engine/trace.ts';
import { attentionPacked } from './attention.ts';
import { concat, roll, split } from './layout.ts';
import { add, addScalar, cast, indicator, mulScalar } from './pointwise.ts';
import { reshape } from './reshape.ts';
import { interpolationPlan, tableInterpolate } from './table_interpolate.ts';
import { windowPartition, windowReverse } from './windows.ts';

type PerAxis = number | readonly number[];

export interface WindowAttentionOptions {
  heads: number;
  /** Tokens of a window along each axis. */
  window: PerAxis;
  /** Windows start so many tokens later, and go on at the other end. Default 0. */
  shift?: PerAxis;
  /** Of the window that the table is made for, if larger: offsets -(reach - 1) ... reach - 1 along each axis. Default: `window`. */
  reach?: PerAxis;
}

/** Score between tokens of a shifted window that do not lie beside each other. */
const APART = -100;

/** Coordinates of the tokens of a window, in row-major order. */
const places = (window: readonly number[]): number[][] =>
  window.reduce<number[][]>((list, n) => list.flatMap((p) => Array.from({ length: n }, (_, i) => [...p, i])), [[]]);

/** Row of the table for each pair of tokens: their offset along each axis, the last axis fastest. */
function offsetRows(window: readonly number[], reach: readonly number[]): Uint32Array {
  const tokens = places(window);
  return Uint32Array.from(
    tokens.flatMap((t) => tokens.map((u) => reach.reduce((row, r, axis) => row * (2 * r - 1) + t[axis] - u[axis] + r - 1, 0))),
  );
}

/** [T, T]: 0 between tokens of one region, else APART. `ends`: axes along which the last `shift` tokens come from the map's beginning. */
function apart(window: readonly number[], shift: readonly number[], ends: readonly boolean[]): Tensor {
  const regions = tensor(
    Float32Array.from(places(window), (p) =>
      p.reduce((code, i, axis) => 2 * code + Number(ends[axis] && i >= window[axis] - shift[axis]), 0),
    ),
  );
  const n = regions.size;
  return mulScalar(addScalar(indicator(reshape(regions, [n, 1]), reshape(regions, [1, n])), -1), -APART);
}

/** `f` on the boxes that cuts along the spatial axes leave, and whether each is the last there; put together again. Null: no cut. */
function inBoxes(
  x: Tensor,
  cuts: readonly (number | null)[],
  f: (box: Tensor, ends: readonly boolean[]) => Tensor,
  ends: readonly boolean[] = [],
): Tensor {
  const axis = ends.length;
  if (axis === cuts.length) return f(x, ends);
  const cut = cuts[axis] ?? null;
  if (!cut) return inBoxes(x, cuts, f, [...ends, cut === 0]);
  const [inner, last] = split(x, [cut, x.shape[axis + 1] - cut], { axis: axis + 1 }) as [Tensor, Tensor];
  return concat([inBoxes(inner, cuts, f, [...ends, false]), inBoxes(last, cuts, f, [...ends, true])], { axis: axis + 1 });
}

/**
 * qkv [B, (D,) H, W, 3C], sides multiples of the window, table [rows, heads], a row for each offset along the axes, the last fastest -> [B,
 * (D,) H, W, C].
 * @throws ShapeError
 */
export const windowAttention = door(
  'windowAttention',
  {
    qkv: aTensor,
    table: aTensor,
    options: fields({ heads: integer(1), window: perAxis(1), shift: maybe(perAxis(0)), reach: maybe(perAxis(1)) }),
  },
  (qkv: Tensor, table: Tensor, { heads, window, shift = 0, reach = window }: WindowAttentionOptions): Tensor => {
    const sides = qkv.shape.slice(1, -1);
    const spread = (v: PerAxis): number[] => (typeof v === 'number' ? sides.map(() => v) : [...v]);
    const [w, s, r] = [spread(window), spread(shift), spread(reach)] as [number[], number[], number[]];
    if (sides.length < 1 || [w, s, r].some((list) => list.length !== sides.length) || sides.some((n, i) => n < 1 || n % w[i] !== 0)) {
      throw new ShapeError(
        `windowAttention: got [${qkv.shape}] and window [${w}], shift [${s}], reach [${r}], expected [B, (D,) H, W, 3C] with sides ` +
          'that are multiples of the window.',
        'Pad before the layer that makes q, k and v.',
      );
    }
    if (s.some((n, i) => n >= w[i]) || r.some((n, i) => n < w[i]))
      throw new ShapeError(
        `windowAttention: got shift [${s}] and reach [${r}] for window [${w}], expected a shift below it and a reach of at least it.`,
      );
    const rows = numel(r.map((n) => 2 * n - 1));
    if (table.shape.length !== 2 || table.shape[0] !== rows || table.shape[1] !== heads)
      throw new ShapeError(`windowAttention: got a table [${table.shape}], expected [${rows}, ${heads}].`);
    const tokens = numel(w);
    const pairs = offsetRows(w, r);
    const bias = tableInterpolate(table, interpolationPlan(rows, [tokens, tokens], pairs, new Float32Array(pairs.length).fill(1)));
    const axes = sides.map((_, i) => i + 1);
    const moved = s.some((n) => n > 0);
    const y = inBoxes(
      moved ? roll(qkv, { shift: s.map((n) => -n), axis: axes }) : qkv,
      sides.map((n, i) => (s[i] > 0 ? n - w[i] : null)),
      (box, ends) => {
        const shape = box.shape.slice(0, -1);
        const masked = ends.includes(true)
          ? add(
              bias,
              noGrad(() => cast(apart(w, s, ends), bias.dtype)),
            )
          : bias;
        const attended = attentionPacked(reshape(windowPartition(box, { window: w }), [-1, tokens, box.shape.at(-1)!]), {
          heads,
          bias: masked,
        });
        return windowReverse(reshape(attended, [attended.shape[0], ...w, attended.shape.at(-1)!]), {
          window: w,
          shape: [...shape, attended.shape.at(-1)!],
        });
      },
    );
    return moved ? roll(y, { shift: s, axis: axes }) : y;
  },
);
