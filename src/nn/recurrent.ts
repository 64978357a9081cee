// SPDX-License-Identifier: MIT
// Recurrent layers: PyTorch's GRU and LSTM with the batch first, and their state dicts. What depends on the input alone is one product for
// all times; the rest goes from time to time, so a step has as many calls as there are times.
import { expectArguments, fields, flag, integer, maybe, number } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor, noneOrTensor } from '../engine/door.ts';
import { zeros, type Tensor } from '../engine/tensor.ts';
import { concat, split, stack } from '../ops/layout.ts';
import { linear } from '../ops/matmul.ts';
import { add, mul, sigmoid, sub, tanh } from '../ops/pointwise.ts';
import { reshape } from '../ops/reshape.ts';
import { castTo } from './cast_to.ts';
import { Dropout } from './dropout.ts';
import { uniform } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

export interface RecurrentOptions {
  /** Layers one above the other; default 1. */
  layers?: number;
  bias?: boolean;
  /** Between layers, in training. */
  dropout?: number;
  /** A second direction, from the end, beside the first in the channels. */
  bidirectional?: boolean;
}

interface Weights {
  readonly ih: Parameter;
  readonly hh: Parameter;
  readonly biasIh: Parameter | null;
  readonly biasHh: Parameter | null;
}

/** States are lists, one tensor [B, hidden] each: of a GRU h, of an LSTM h and c. */
type State = readonly Tensor[];

abstract class Recurrent extends Module {
  readonly dropout: Dropout;
  protected readonly hidden: number;
  private readonly layers: number;
  private readonly directions: number;

  /** `gates`: how many parts of `hidden` rows the weights have; `states`: how many tensors a time hands to the next. */
  protected constructor(name: string, gates: number, inputs: number, hidden: number, options: RecurrentOptions) {
    super();
    const kinds = { layers: maybe(integer(1)), bias: maybe(flag), dropout: maybe(number(0, 1)), bidirectional: maybe(flag) };
    expectArguments(name, { inputs: integer(1), hidden: integer(1), options: fields(kinds) }, [inputs, hidden, options]);
    const { layers = 1, bias = true, dropout = 0, bidirectional = false } = options;
    this.hidden = hidden;
    this.layers = layers;
    this.directions = bidirectional ? 2 : 1;
    this.dropout = new Dropout(dropout);
    const bound = 1 / Math.sqrt(hidden);
    const own = this as unknown as Record<string, Parameter>;
    for (let l = 0; l < layers; l++) {
      for (const suffix of this.suffixes(l)) {
        own[`weight_ih_${suffix}`] = new Parameter([gates * hidden, l === 0 ? inputs : hidden * this.directions], uniform(-bound, bound));
        own[`weight_hh_${suffix}`] = new Parameter([gates * hidden, hidden], uniform(-bound, bound));
        if (!bias) continue;
        own[`bias_ih_${suffix}`] = new Parameter([gates * hidden], uniform(-bound, bound), { decay: false });
        own[`bias_hh_${suffix}`] = new Parameter([gates * hidden], uniform(-bound, bound), { decay: false });
      }
    }
  }

  /** The next state, h first. `fromInput` [B, gates hidden] is what the input gives this time, bias included. */
  protected abstract next(fromInput: Tensor, state: State, weights: Weights): State;

  private suffixes(layer: number): string[] {
    return this.directions === 2 ? [`l${layer}`, `l${layer}_reverse`] : [`l${layer}`];
  }

  private weights(suffix: string): Weights {
    const own = this as unknown as Record<string, Parameter | undefined>;
    return {
      ih: own[`weight_ih_${suffix}`]!,
      hh: own[`weight_hh_${suffix}`]!,
      biasIh: own[`bias_ih_${suffix}`] ?? null,
      biasHh: own[`bias_hh_${suffix}`] ?? null,
    };
  }

  /** Output [B, T, directions hidden], and the last states, each [layers directions, B, hidden]. */
  protected unroll(name: string, x: Tensor, initial: readonly (Tensor | null | undefined)[]): { output: Tensor; last: Tensor[] } {
    if (x.shape.length !== 3 || x.shape[1] === 0)
      throw new ShapeError(`${name}: got [${x.shape}], expected [B, T, inputs] with T of at least 1.`);
    const [b, times] = x.shape as [number, number];
    const slots = this.layers * this.directions;
    for (const s of initial) {
      if (s && s.shape.join() !== [slots, b, this.hidden].join())
        throw new ShapeError(`${name}: got an initial state [${s.shape}], expected [${slots}, ${b}, ${this.hidden}].`);
    }
    const given = initial.map((s) => (s ? split(s, slots, { axis: 0 }).map((part) => reshape(part, [b, this.hidden])) : null));
    const ends: State[] = [];
    let y = x;
    for (let l = 0; l < this.layers; l++) {
      const sides = this.suffixes(l).map((suffix, side) => {
        const weights = this.weights(suffix);
        const bias = weights.biasIh && castTo(weights.biasIh, y.dtype);
        const whole = linear(y, castTo(weights.ih, y.dtype), { bias });
        const each = split(whole, times, { axis: 1 }).map((part) => reshape(part, [b, whole.shape[2]]));
        let state: State = given.map((s) => s?.[ends.length] ?? zeros([b, this.hidden], { dtype: y.dtype }));
        const outputs = new Array<Tensor>(times);
        for (let i = 0; i < times; i++) {
          const t = side === 0 ? i : times - 1 - i;
          state = this.next(each[t], state, weights);
          outputs[t] = state[0]!;
        }
        ends.push(state);
        return stack(outputs, { axis: 1 });
      });
      y = sides.length === 1 ? sides[0] : concat(sides, { axis: -1 });
      if (l < this.layers - 1) y = this.dropout.forward(y);
    }
    return {
      output: y,
      last: initial.map((_, k) =>
        stack(
          ends.map((state) => state[k]),
          { axis: 0 },
        ),
      ),
    };
  }

  protected fromState(h: Tensor, { hh, biasHh }: Weights): Tensor {
    return linear(h, castTo(hh, h.dtype), { bias: biasHh && castTo(biasHh, h.dtype) });
  }
}

/**
 * `nn.GRU` with the batch first. x [B, T, inputs] -> output [B, T, directions hidden]; `h` [layers directions, B, hidden] is the last
 * state.
 */
export class GRU extends Recurrent {
  constructor(inputs: number, hidden: number, options: RecurrentOptions = {}) {
    super('GRU', 3, inputs, hidden, options);
  }
  /** `h` is the state to begin with, [layers directions, B, hidden]; zeros unless given. */
  forward(x: Tensor, h?: Tensor | null): { output: Tensor; h: Tensor } {
    expectArguments('GRU', { x: aTensor, h: noneOrTensor }, [x, h]);
    return this.scoped(() => {
      const { output, last } = this.unroll('GRU', x, [h]);
      return { output, h: last[0] };
    });
  }
  protected next(fromInput: Tensor, [h]: State, weights: Weights): State {
    const [rx, zx, nx] = split(fromInput, 3, { axis: -1 }) as [Tensor, Tensor, Tensor];
    const [rh, zh, nh] = split(this.fromState(h, weights), 3, { axis: -1 }) as [Tensor, Tensor, Tensor];
    const fresh = tanh(add(nx, mul(sigmoid(add(rx, rh)), nh)));
    return [add(fresh, mul(sigmoid(add(zx, zh)), sub(h, fresh)))];
  }
}

/**
 * `nn.LSTM` with the batch first. x [B, T, inputs] -> output [B, T, directions hidden]; `h` and `c` [layers directions, B, hidden] are the
 * last states.
 */
export class LSTM extends Recurrent {
  constructor(inputs: number, hidden: number, options: RecurrentOptions = {}) {
    super('LSTM', 4, inputs, hidden, options);
  }
  /** `h` and `c` are the states to begin with, [layers directions, B, hidden]; zeros unless given. */
  forward(x: Tensor, state: { h?: Tensor | null; c?: Tensor | null } = {}): { output: Tensor; h: Tensor; c: Tensor } {
    expectArguments('LSTM', { x: aTensor, state: fields({ h: noneOrTensor, c: noneOrTensor }) }, [x, state]);
    const { h, c } = state;
    return this.scoped(() => {
      const { output, last } = this.unroll('LSTM', x, [h, c]);
      return { output, h: last[0], c: last[1] };
    });
  }
  protected next(fromInput: Tensor, [h, c]: State, weights: Weights): State {
    const [i, f, g, o] = split(add(fromInput, this.fromState(h, weights)), 4, { axis: -1 }) as [Tensor, Tensor, Tensor, Tensor];
    const cell = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
    return [mul(sigmoid(o), tanh(cell)), cell];
  }
}
