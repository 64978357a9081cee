// SPDX-License-Identifier: MIT
// Transposed convolution: the map from a convolution's small grid to its big one (ops/conv.ts), with the weight
// [in, KD, KH, KW, out / groups] that the convolution back would have.
import type { Triple } from '../axes.ts';
import { fields, maybe, perAxis } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor, door } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { CONV, family, type ConvOptions } from './conv.ts';
import { pad } from './layout.ts';
import { downSize, five, windowOf, type PerAxis } from './window.ts';

export interface ConvTransposeOptions extends ConvOptions {
  outputPadding?: PerAxis;
}

function make(rank: 2 | 3) {
  const name = `conv_transpose${rank}d`;
  const { up } = family(rank, { down: `${name}_dx`, up: name, dweight: `${name}_dweight` });
  return door(
    `convTranspose${rank}d`,
    { x: aTensor, weight: aTensor, options: maybe(fields({ ...CONV, outputPadding: maybe(perAxis(0)) })) },
    (x: Tensor, weight: Tensor, { bias = null, activation = 'none', outputPadding = 0, ...options }: ConvTransposeOptions = {}): Tensor => {
      const window = windowOf(name, rank, options);
      if (x.shape.length !== rank + 2 || weight.shape.length !== rank + 2)
        throw new ShapeError(
          `${name}: got input [${x.shape}] and weight [${weight.shape}], expected ${rank + 2} axes each, channels last.`,
        );
      const extra = windowOf(name, rank, { padding: outputPadding }).before;
      if (extra.some((p, i) => p >= window.stride[i] && p >= window.dilation[i]))
        throw new ShapeError(`${name}: got outputPadding ${JSON.stringify(outputPadding)}, expected less than the stride or the dilation.`);
      const [from, kernel] = [five(x.shape), five(weight.shape)];
      const size = extra.map(
        (p, i) =>
          (from[i + 1] - 1) * window.stride[i] - window.before[i] - window.after[i] + window.dilation[i] * (kernel[i + 1] - 1) + p + 1,
      ) as unknown as Readonly<Triple>;
      if (size.some((d) => d < 1))
        throw new ShapeError(
          `${name}: got padding ${JSON.stringify(options.padding ?? 0)} for input [${x.shape}] and weight [${weight.shape}], ` +
            `output size [${size.slice(3 - rank)}], expected at least 1.`,
          'Use less padding.',
        );
      // An outputPadding of the stride or more asks for places that a larger input would have: it is larger by zeros.
      const after = downSize(size, kernel.slice(1, -1) as unknown as Readonly<Triple>, window)
        .map((d, i) => d - from[i + 1])
        .slice(3 - rank);
      const whole = after.some((d) => d > 0) && !from.slice(1).includes(0) ? pad(x, { axes: after.map((_, i) => i + 1), after }) : x;
      return up(whole, weight, bias, { window, act: activation, size });
    },
  );
}

/** x [N, H, W, I], weight [I, KH, KW, O / groups] -> [N, H', W', O], H' = (H - 1) stride - pads + dilation (KH - 1) + outputPadding + 1. */
export const convTranspose2d = make(2);
/** x [N, D, H, W, I], weight [I, KD, KH, KW, O / groups] -> [N, D', H', W', O]. */
export const convTranspose3d = make(3);
