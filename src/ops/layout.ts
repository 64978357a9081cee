// SPDX-License-Identifier: MIT
// Parts of tensors, and tensors made of parts: slice, pad, flip, roll, concat, split, stack. Slice and pad are each other's
// adjoints, so are concat and split.
import { fields, integer, integers, maybe, perAxis, scalar, shown, type Kind } from '../check.ts';
import { DTypeError, ShapeError } from '../errors.ts';
import { aTensor, door, someTensors } from '../engine/door.ts';
import { defineOp, once, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { aMode, placeDispatch, placeDxDispatch, type PadMode } from './pad.ts';
import { lowerJoin, lowerSplit } from './parts.ts';
import { reshape } from './reshape.ts';
import { contiguous, copyView, sliced } from './strided.ts';

type List = number | readonly number[];

/** The axes that there are, in words of a message. */
export const axesOf = ({ length }: { readonly length: number }): string =>
  length === 0 ? 'none, for a scalar has no axes' : `${-length} to ${length - 1}`;

/** `axis` counted from the front. @throws ShapeError if there is none. */
export function axisOf(name: string, shape: readonly number[], axis: number): number {
  const at = axis < 0 ? axis + shape.length : axis;
  if (!Number.isInteger(at) || at < 0 || at >= shape.length)
    throw new ShapeError(`${name}: got axis ${axis} for [${shape}], expected ${axesOf(shape)}.`);
  return at;
}

interface Part {
  readonly start: readonly number[];
  readonly step: readonly number[];
  readonly shape: readonly number[];
}

const sliceOp = defineOp({
  name: 'slice',
  call: (x: Tensor, part: Part) => ({ inputs: [x], attrs: part }),
  infer: ([x], { shape }) => ({ shape, dtype: x.dtype }),
  lower({ caps, inputs: [x], outputs: [y], attrs: { start, step, shape } }) {
    return copyView(caps, x, sliced(contiguous(x.shape), start, shape, step), y);
  },
  vjp: ({ inputs: [x], grads: [g], attrs }): Thunk[] => [() => sliceDx(g, { ...attrs, shape: x.shape })],
});

/** Adjoint of slice: g where the slice took its elements, 0 elsewhere. `shape` is the whole tensor's. */
const sliceDx = defineOp({
  name: 'slice_dx',
  call: (g: Tensor, whole: Part) => ({ inputs: [g], attrs: whole }),
  infer: ([g], { shape }) => ({ shape, dtype: g.dtype }),
  lower({ caps, inputs: [g], outputs: [dx], attrs: { start, step, shape } }) {
    const places = shape.map((out, i) => ({ out, size: g.shape[i], start: start[i], step: step[i] }));
    return placeDispatch(caps, g, dx, places);
  },
  vjp: ({ inputs: [g], grads: [gg], attrs }): Thunk[] => [() => sliceOp(gg, { ...attrs, shape: g.shape })],
});

const aBound: Kind = (where, what, v) => {
  if ([v].flat().every((b) => b === undefined || Number.isInteger(b) || b === Infinity || b === -Infinity)) return;
  throw new ShapeError(`${where}: got ${what} ${shown(v)}, expected an integer, or a list.`);
};

export interface SliceOptions {
  /** One axis, or several with `start`, `end` and `step` as lists of the same length. */
  axis: List;
  start?: List;
  end?: List;
  /** Not 0; negative ones run from `start` (default: the last element) down to just above `end`. */
  step?: List;
}

const short = (list: List | undefined, axes: readonly number[]): boolean => Array.isArray(list) && list.length !== axes.length;

/** x[start:end:step] along one or more axes, with Python's rules for negative and too large bounds. */
export const slice = door(
  'slice',
  { x: aTensor, options: fields({ axis: perAxis(), start: maybe(aBound), end: maybe(aBound), step: maybe(aBound) }) },
  (x: Tensor, { axis, start, end, step }: SliceOptions): Tensor => {
    const axes = [axis].flat().map((a) => axisOf('slice', x.shape, a));
    if ([start, end, step].some((l) => short(l, axes))) throw new ShapeError(`slice: got axes [${axes}], expected lists as long.`);
    const pick = (list: List | undefined, i: number): number | undefined => (Array.isArray(list) ? list[i] : (list as number | undefined));
    const part = { start: x.shape.map(() => 0), step: x.shape.map(() => 1), shape: [...x.shape] };
    axes.forEach((a, i) => {
      const n = x.shape[a];
      const by = pick(step, i) ?? 1;
      if (!Number.isInteger(by) || by === 0) throw new ShapeError(`slice: got step ${by}, expected an integer other than 0.`);
      const [low, high] = by > 0 ? [0, n] : [-1, n - 1];
      const bound = (v: number): number => Math.min(high, Math.max(low, v < 0 ? v + n : v));
      const [from, to] = [pick(start, i), pick(end, i)];
      part.start[a] = from === undefined ? (by > 0 ? 0 : n - 1) : bound(from);
      part.step[a] = by;
      part.shape[a] = Math.max(0, Math.ceil(((to === undefined ? (by > 0 ? n : -1) : bound(to)) - part.start[a]) / by));
    });
    return part.shape.every((d, i) => d === x.shape[i] && part.step[i] === 1) ? x : sliceOp(x, part);
  },
);

/** The order along `axes` reversed. */
export const flip = door('flip', { x: aTensor, options: fields({ axis: perAxis() }) }, (x: Tensor, { axis }: { axis: List }): Tensor => {
  return slice(x, { axis, step: [axis].flat().map(() => -1) });
});

interface PadAttrs {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly mode: PadMode;
  readonly value: number;
}

const padOp = defineOp({
  name: 'pad',
  empty: 'lower', // the border alone is left
  call: (x: Tensor, attrs: PadAttrs) => ({ inputs: [x], attrs }),
  infer: ([x], { before, after }) => ({ shape: x.shape.map((d, i) => d + before[i] + after[i]), dtype: x.dtype }),
  lower({ caps, inputs: [x], outputs: [y], attrs: { before, mode, value } }) {
    const places = y.shape.map((out, i) => ({ out, size: x.shape[i], start: before[i], step: 1 }));
    return placeDispatch(caps, x, y, places, mode, value);
  },
  vjp({ inputs: [x], grads: [g], attrs: { before, after, mode } }): Thunk[] {
    if (mode === 'constant') return [() => padOp(g, { before: before.map((b) => -b), after: after.map((a) => -a), mode, value: 0 })];
    return [
      () =>
        x.shape.reduce(
          (d, size, axis) => (d.shape[axis] === size && before[axis] === 0 ? d : padDx(d, { axis, size, start: before[axis], mode })),
          g,
        ),
    ];
  },
});

/** Adjoint of a border along one axis. */
const padDx = defineOp({
  name: 'pad_dx',
  call: (g: Tensor, attrs: { axis: number; size: number; start: number; mode: PadMode }) => ({ inputs: [g], attrs }),
  infer: ([g], { axis, size }) => ({ shape: g.shape.map((d, i) => (i === axis ? size : d)), dtype: g.dtype }),
  lower: ({ caps, inputs: [g], outputs: [dx], attrs: { axis, start, mode } }) => [placeDxDispatch(caps, g, dx, axis, start, mode)],
});

export interface PadOptions {
  /** Default: every axis. */
  axes?: readonly number[];
  /** Elements to add at either end of each of `axes`; negative ones crop. A number serves all axes. */
  before?: List;
  after?: List;
  mode?: PadMode;
  value?: number;
}

/** x with a border. `reflect` leaves the edge element out, `replicate` repeats it, `circular` continues at the other end. */
export const pad = door(
  'pad',
  {
    x: aTensor,
    options: fields({
      axes: maybe(integers()),
      before: maybe(perAxis()),
      after: maybe(perAxis()),
      mode: maybe(aMode),
      value: maybe(scalar),
    }),
  },
  (x: Tensor, { axes = x.shape.map((_, i) => i), before = 0, after = 0, mode = 'constant', value = 0 }: PadOptions): Tensor => {
    if (short(before, axes) || short(after, axes)) throw new ShapeError(`pad: got axes [${axes}], expected lists as long.`);
    const spread = (list: List): number[] => {
      const full = x.shape.map(() => 0);
      axes.forEach((a, i) => {
        full[axisOf('pad', x.shape, a)] = typeof list === 'number' ? list : list[i];
      });
      return full;
    };
    const attrs = { before: spread(before), after: spread(after), mode, value };
    x.shape.forEach((d, i) => {
      const [b, a] = [attrs.before[i], attrs.after[i]];
      const beyond = Math.max(b, a) > 0 && (mode === 'reflect' ? Math.max(b, a) >= d : mode !== 'constant' && d === 0);
      if (d + b + a < 0 || beyond) {
        throw new ShapeError(
          `pad: got ${b} before and ${a} after axis ${i} of [${x.shape}] (${mode}), expected ` +
            `${beyond ? 'less than the axis' : 'at least nothing to remain'}.`,
        );
      }
    });
    return attrs.before.every((b) => b === 0) && attrs.after.every((a) => a === 0) ? x : padOp(x, attrs);
  },
);

/** x moved by `shift` along `axis`; what leaves at one end comes in at the other. */
export const roll = door(
  'roll',
  { x: aTensor, options: fields({ shift: perAxis(), axis: perAxis() }) },
  (x: Tensor, { shift, axis }: { shift: List; axis: List }): Tensor => {
    const axes = [axis].flat().map((a) => axisOf('roll', x.shape, a));
    const before = [shift].flat().map((s, i) => s % (x.shape[axes[i]] || 1));
    return pad(x, { axes, before, after: before.map((s) => -s), mode: 'circular' });
  },
);

interface Joint {
  readonly axis: number;
  readonly sizes: readonly number[];
}
const along = (shape: readonly number[], axis: number, d: number): number[] => shape.map((s, i) => (i === axis ? d : s));

const concatOp = defineOp({
  name: 'concat',
  empty: 'lower',
  // A missing part is zeros: the gradient of a split of which not every output is used.
  call: (parts: readonly (Tensor | null)[], joint: Joint) => ({ inputs: [...parts], attrs: joint }),
  infer(inputs, { axis, sizes }) {
    const { shape, dtype } = inputs.find((s) => s !== null)!;
    const whole = sizes.reduce((a, b) => a + b, 0);
    return { shape: along(shape, axis, whole), dtype };
  },
  lower: (c) => lowerJoin(c, c.inputs, c.attrs.sizes, c.outputs[0], c.attrs.axis),
  vjp({ inputs, grads: [g], attrs }): (Thunk | null)[] {
    const parts = once(() => splitOp(g, attrs));
    return inputs.map((_, i) => () => parts()[i]);
  },
});

/** Tensors one after another along `axis`. @throws ShapeError, DTypeError unless all else is the same. */
export const concat = door(
  'concat',
  { parts: someTensors, options: fields({ axis: integer() }) },
  (parts: readonly Tensor[], { axis }: { axis: number }): Tensor => {
    const [first] = parts;
    if (!first) throw new ShapeError('concat: got no tensors, expected at least one.');
    const at = axisOf('concat', first.shape, axis);
    for (const p of parts) {
      if (p.dtype !== first.dtype)
        throw new DTypeError(
          `concat: got dtypes ${parts.map((t) => t.dtype).join(', ')}, expected one.`,
          'There is no implicit promotion: convert with cast().',
        );
      if (p.shape.length !== first.shape.length || p.shape.some((d, i) => i !== at && d !== first.shape[i])) {
        throw new ShapeError(
          `concat: got ${parts.map((t) => `[${t.shape}]`).join(' and ')}, expected shapes that differ along axis ${at} alone.`,
        );
      }
    }
    return parts.length === 1 ? first : concatOp(parts, { axis: at, sizes: parts.map((p) => p.shape[at]) });
  },
);

const splitOp = defineOp({
  name: 'split',
  call: (x: Tensor, joint: Joint) => ({ inputs: [x], attrs: joint }),
  infer: ([x], { axis, sizes }) => sizes.map((d) => ({ shape: along(x.shape, axis, d), dtype: x.dtype })),
  lower: (c) => lowerSplit(c, c.inputs[0], c.attrs.axis, c.outputs, c.attrs.sizes),
  vjp: ({ grads, attrs }): Thunk[] => [() => concatOp(grads, attrs)],
  result: (outputs) => [...outputs],
});

/** Pieces of the given sizes along `axis`, or that many equal ones. @throws ShapeError if they do not add up. */
export const split = door(
  'split',
  { x: aTensor, sizes: perAxis(0), options: fields({ axis: integer() }) },
  (x: Tensor, sizes: List, { axis }: { axis: number }): Tensor[] => {
    const at = axisOf('split', x.shape, axis);
    const n = x.shape[at];
    const list = typeof sizes === 'number' ? new Array<number>(sizes).fill(n / sizes) : sizes;
    if (list.some((d) => !Number.isInteger(d) || d < 0) || list.reduce((a, b) => a + b, 0) !== n) {
      throw new ShapeError(
        `split: got ${typeof sizes === 'number' ? `${sizes} parts` : `[${sizes}]`} of axis ${at} of [${x.shape}], expected sizes ` +
          `that add up to ${n}.`,
      );
    }
    return list.length === 1 ? [x] : splitOp(x, { axis: at, sizes: list });
  },
);

/** Tensors of one shape along a new axis. */
export const stack = door(
  'stack',
  { parts: someTensors, options: fields({ axis: integer() }) },
  (parts: readonly Tensor[], { axis }: { axis: number }): Tensor => {
    const rank = (parts[0]?.shape.length ?? 0) + 1;
    const at = axisOf('stack', new Array<number>(rank).fill(1), axis);
    return concat(
      parts.map((p) => reshape(p, [...p.shape.slice(0, at), 1, ...p.shape.slice(at)])),
      { axis: at },
    );
  },
);
