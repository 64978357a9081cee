// SPDX-License-Identifier: MIT
// An op and all its gradients against a plain float64 reference: values, central differences of the reference at sampled
// entries, and a replayed program against the eager call, to the bit.
import { expect } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { spec } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { noise } from '../kernels/harness.ts';

export interface Input {
  readonly values: Float32Array;
  readonly shape: readonly number[];
  /** No gradient is taken. */ readonly constant?: boolean;
}

export interface Float64Options {
  tolerance?: number;
  gradTolerance?: number;
  samples?: number;
  step?: number;
  skipReplay?: boolean;
}

/** Uniform values in (-1, 1), scaled. */
export function random(shape: readonly number[], seed: number, scale = 1): Input {
  const n = shape.reduce((a, b) => a * b, 1);
  return { values: noise(n, seed).map((x) => x * scale), shape };
}

/** `reference` sees the inputs' values as float64 and returns the output's values. */
export async function matchesFloat64(
  f: (inputs: Tensor[]) => Tensor,
  reference: (inputs: Float64Array[]) => Float64Array,
  inputs: readonly Input[],
  options: Float64Options = {},
): Promise<void> {
  const { tolerance = 2e-5, gradTolerance = 2e-4, samples = 12, step = 1e-5 } = options;
  const exact = inputs.map((i) => Float64Array.from(i.values));
  const wanted = reference(exact);
  const weights = noise(wanted.length, 77);
  const loss64 = (): number => reference(exact).reduce((s, y, i) => s + y * weights[i], 0);

  const tensors = inputs.map((i) => tensor(i.values, { shape: i.shape }));
  const step_ = (list: Tensor[]) => {
    const y = f(list);
    const moving = list.filter((_, i) => !inputs[i].constant);
    const grads = backward(sum(mul(y, tensor(weights, { shape: y.shape }))), moving);
    return { y, ...Object.fromEntries(list.map((t, i) => [`d${i}`, inputs[i].constant ? y : grads.get(t)!])) } as Record<string, Tensor>;
  };
  const eager = evaluate(() => step_(tensors));
  const y = await eager.y.data();
  expect(y.length).toBe(wanted.length);
  const size = Math.max(1e-6, ...Array.from(wanted, Math.abs));
  expect(Math.max(...Array.from(wanted, (w, i) => Math.abs(w - y[i]))) / size, 'values').toBeLessThan(tolerance);

  for (const [i, input] of inputs.entries()) {
    if (input.constant) continue;
    const g = await eager[`d${i}`].data();
    expect(g.length).toBe(input.values.length);
    expect(g.every(Number.isFinite), `gradient ${i} is finite`).toBe(true);
    const scale = Math.max(1e-2, ...Array.from(g, Math.abs));
    const stride = Math.max(1, Math.floor(g.length / samples));
    for (let k = i % stride; k < g.length; k += stride) {
      const x = exact[i][k];
      exact[i][k] = x + step;
      const up = loss64();
      exact[i][k] = x - step;
      const down = loss64();
      exact[i][k] = x;
      expect(
        Math.abs((up - down) / (2 * step) - g[k]) / scale,
        `gradient ${i} at ${k}: ${g[k]}, expected ${(up - down) / (2 * step)}`,
      ).toBeLessThan(gradTolerance);
    }
  }
  if (options.skipReplay) return;
  const names = inputs.map((_, i) => `x${i}`);
  using program = await compile(
    (named) => step_(names.map((n) => (named as Record<string, Tensor>)[n])),
    Object.fromEntries(names.map((n, i) => [n, spec(inputs[i].shape)])),
    { fuse: false },
  );
  for (let run = 0; run < 2; run++) {
    const out = program.run(Object.fromEntries(names.map((n, i) => [n, inputs[i].values])));
    for (const [name, t] of Object.entries(eager)) {
      const [a, b] = [await t.data(), await out[name].data()];
      expect(
        Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength)),
        `${name}: replay equals eager`,
      ).toBe(true);
    }
  }
}
