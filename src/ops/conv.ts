// SPDX-License-Identifier: MIT
// Convolution, its input gradient and its weight gradient, in two and three dimensions. Transposed convolution is the input
// gradient as an op of its own (ops/conv_transpose.ts), so the ops here come in makers by name.
import type { Triple } from '../axes.ts';
import { fields, maybe } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel, type Spec } from '../engine/dtype.ts';
import { aTensor, door, noneOrTensor } from '../engine/door.ts';
import { defineOp, expectDType, once, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { activationGrad, actOf, anActivation, withEpilogue, type Activation, type Acts } from './activation.ts';
import { isDepthwise, lowerDepthwiseDown, lowerDepthwiseDweight, lowerDepthwiseUp } from './depthwise.ts';
import { sum } from './reduce.ts';
import { downSize, five, lowerDown, lowerDweight, lowerUp, sides, WINDOW, windowOf, type Window, type WindowOptions } from './window.ts';

export interface ConvOptions extends WindowOptions {
  bias?: Tensor | null;
  activation?: Activation;
}
/** Kinds of the options. */
export const CONV = { ...WINDOW, bias: noneOrTensor, activation: maybe(anActivation) };
interface Attrs extends Acts {
  readonly window: Window;
  /** Of the big grid, where the map goes there: several have the same small one. */
  readonly size?: Readonly<Triple>;
}
interface DweightAttrs {
  readonly window: Window;
  readonly kernel: Readonly<Triple>;
}
type Rank = 2 | 3;

const flat = (rank: Rank, shape: readonly number[]): number[] => (rank === 3 ? [...shape] : [shape[0], ...shape.slice(2)]);
const spatial = (shape: readonly number[]): Readonly<Triple> => five(shape).slice(1, 4) as unknown as Readonly<Triple>;
const channels = (shape: readonly number[]): number => shape.at(-1)!;
const sumPixels = (g: Tensor): Tensor => sum(g, { axes: g.shape.map((_, i) => i).slice(0, -1) });
const macs = (small: readonly number[], weight: readonly number[]): number => numel(small) * numel(weight.slice(1));

/** Checks of x, weight and bias that both directions share; `out` is how many channels come out. */
export function check(
  name: string,
  rank: Rank,
  [x, w, bias]: readonly [Spec, Spec, Spec | null],
  inputs: number,
  out: number,
  groups: number,
): Spec['dtype'] {
  const layout = rank === 2 ? '[N, H, W, C]' : '[N, D, H, W, C]';
  if (x.shape.length !== rank + 2) throw new ShapeError(`${name}: got input [${x.shape}], expected ${layout}.`);
  if (w.shape.length !== rank + 2) throw new ShapeError(`${name}: got weight [${w.shape}], expected ${rank + 2} axes, channels last.`);
  if (channels(x.shape) !== inputs)
    throw new ShapeError(
      `${name}: weight [${w.shape}] expects ${inputs} input channels / groups ${groups}, got ${channels(x.shape)} in [${x.shape}], ` +
        `expected ${inputs}.`,
    );
  if ([...x.shape.slice(1), ...w.shape].includes(0))
    throw new ShapeError(`${name}: got input [${x.shape}] and weight [${w.shape}], expected nothing empty but the batch.`);
  if (!Number.isInteger(groups) || groups < 1 || w.shape[0] % groups !== 0)
    throw new ShapeError(`${name}: got groups ${groups} for weight [${w.shape}], expected a divisor of ${w.shape[0]}.`);
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== out))
    throw new ShapeError(`${name}: got bias [${bias.shape}], expected [${out}].`);
  return expectDType(name, [x, w, bias], 'f32', 'f16');
}

// z: of fusion alone
type Way = (x: Tensor, w: Tensor, bias: Tensor | null, attrs: Attrs, z?: Tensor | null) => Tensor;
type Dweight = (big: Tensor, small: Tensor, attrs: DweightAttrs) => Tensor;

/** The three maps of one convolution, named. `down`: big grid to small, `up`: small to big, `dweight`: both to the weight. */
export function family(rank: Rank, names: { down: string; up: string; dweight: string }): { down: Way; up: Way; dweight: Dweight } {
  const outSize = (x: Spec, w: Spec, { window, size }: Attrs): Readonly<Triple> => {
    const small = downSize(size ?? spatial(x.shape), spatial(w.shape), window);
    if (size && small.some((d, i) => d !== spatial(x.shape)[i]))
      throw new ShapeError(
        `${names.up}: got output size [${size.slice(3 - rank)}] for input [${x.shape}], expected one that the same convolution ` +
          'maps back to it.',
      );
    if (!size && small.some((d) => d < 1))
      throw new ShapeError(
        `${names.down}: kernel [${w.shape.slice(1, -1)}] does not fit into input [${x.shape}], got output size ` +
          `[${small.slice(3 - rank)}], expected at least 1.`,
        'Add padding.',
      );
    return size ?? small;
  };
  const way = (upwards: boolean, back: () => Way): Way => {
    const name = upwards ? names.up : names.down;
    const op: Way = defineOp({
      name,
      call: (x: Tensor, w: Tensor, bias: Tensor | null, attrs: Attrs, z: Tensor | null = null) => ({ inputs: [x, w, bias, z], attrs }),
      epilogue: withEpilogue,
      infer([x, w, bias], attrs) {
        const sides = [w.shape[0], channels(w.shape) * attrs.window.groups] as const; // channels of the small grid and of the big one
        const [from, to] = upwards ? sides : [sides[1], sides[0]];
        const dtype = check(name, rank, [x, w, bias], from, to, attrs.window.groups);
        return { shape: flat(rank, [x.shape[0], ...outSize(x, w, attrs), to]), dtype };
      },
      lower(c) {
        const [x, w, bias, z] = c.inputs;
        const { window } = c.attrs;
        const [lowerWay, lowerDepthwise] = upwards ? [lowerUp, lowerDepthwiseUp] : [lowerDown, lowerDepthwiseDown];
        return (isDepthwise(w.shape, window) ? lowerDepthwise : lowerWay)(c, [x, w, bias, z, c.outputs[0]], window, actOf(c.attrs));
      },
      vjp({ inputs: [x, w, bias], outputs: [y], grads, attrs }): (Thunk | null)[] {
        const { window } = attrs;
        const g = once(() => activationGrad(attrs.act, grads[0], y, () => op(x, w, bias, { ...attrs, act: 'none' })));
        const kernel = spatial(w.shape);
        return [
          () => back()(g(), w, null, { window, act: 'none', size: upwards ? undefined : spatial(x.shape) }),
          () => (upwards ? dweight(g(), x, { window, kernel }) : dweight(x, g(), { window, kernel })),
          bias && (() => sumPixels(g())),
        ];
      },
      flops: ([x, w], [y]) => 2 * macs((upwards ? x : y).shape, w.shape),
    });
    return op;
  };
  const down = way(false, () => up);
  const up: Way = way(true, () => down);
  const dweight: Dweight = defineOp({
    name: names.dweight,
    call: (big: Tensor, small: Tensor, attrs: DweightAttrs) => ({ inputs: [big, small], attrs }),
    infer: ([big, small], { window, kernel }) => ({
      shape: flat(rank, [channels(small.shape), ...kernel, channels(big.shape) / window.groups]),
      dtype: expectDType(names.dweight, [big, small], 'f32', 'f16'),
    }),
    lower(c) {
      const [big, small] = c.inputs;
      const dw = c.outputs[0];
      const lower = isDepthwise(dw.shape, c.attrs.window) ? lowerDepthwiseDweight : lowerDweight;
      return lower(c, big, small, dw, c.attrs.window);
    },
    vjp({ inputs: [big, small], grads: [g], attrs: { window } }): Thunk[] {
      return [
        () => up(small, g, null, { window, act: 'none', size: spatial(big.shape) }),
        () => down(big, g, null, { window, act: 'none' }),
      ];
    },
    flops: ([big, small], [dw], { window }) =>
      2 * sides(big.shape, small.shape, dw.shape, window.groups).taps * numel(small.shape) * channels(dw.shape),
  });
  return { down, up, dweight };
}

function make(rank: Rank) {
  const name = `conv${rank}d`;
  const { down } = family(rank, { down: name, up: `${name}_dx`, dweight: `${name}_dweight` });
  return door(
    name,
    { x: aTensor, weight: aTensor, options: maybe(fields(CONV)) },
    (x: Tensor, weight: Tensor, { bias = null, activation = 'none', ...options }: ConvOptions = {}): Tensor =>
      down(x, weight, bias, { window: windowOf(name, rank, options), act: activation }),
  );
}

/** x [N, H, W, C], weight [O, KH, KW, C / groups] -> [N, H', W', O]. */
export const conv2d = make(2);
/** x [N, D, H, W, C], weight [O, KD, KH, KW, C / groups] -> [N, D', H', W', O]. */
export const conv3d = make(3);
