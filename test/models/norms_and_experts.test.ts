// SPDX-License-Identifier: MIT
// Layers that compared networks need, against their definitions written out: experts with the whole matrix of logits, norms from their
// moments.
import { afterAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice } from '../../src/gpu/device.ts';
import type { Module } from '../../src/nn/module.ts';
import { BatchStatisticsNorm, RMSNorm } from '../../src/nn/norms.ts';
import { SoftMoE } from '../../src/nn/soft_moe.ts';
import { concat, slice } from '../../src/ops/layout.ts';
import { linear, matmul } from '../../src/ops/matmul.ts';
import { add, addScalar, div, gelu, mul, sqrt, sub } from '../../src/ops/pointwise.ts';
import { mean, sum } from '../../src/ops/reduce.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { Philox } from '../../src/random/philox.ts';

const device = await openDevice();
afterAll(() => {
  device.close();
});
const random = (shape: readonly number[], id: number): Tensor =>
  tensor(
    new Philox(3, 9).normal(
      0,
      id,
      shape.reduce((a, b) => a * b, 1),
    ),
    { shape },
  );

/** Values, and gradients by x and by every parameter of a weighted sum of them. */
async function values(net: Module, x: Tensor, weight: Tensor, f: () => Tensor): Promise<number[][]> {
  const wanted = [x, ...net.parameters()];
  const { y, g } = evaluate(() => {
    const y = f();
    const grads = backward(sum(mul(y, weight)), wanted);
    return { y, g: wanted.map((p) => grads.get(p)!) };
  });
  return Promise.all([y, ...g].map(async (t) => [...((await t.data()) as Float32Array)]));
}
function expectClose(got: number[][], expected: number[][]): void {
  expect(got.length).toBe(expected.length);
  got.forEach((list, i) => {
    const scale = Math.hypot(...expected[i]) + 1e-6;
    expect(Math.hypot(...list.map((v, j) => v - expected[i][j])) / scale, `${i}`).toBeLessThan(1e-4);
  });
}

const rms = (x: Tensor, weight: Tensor): Tensor =>
  mul(div(x, sqrt(addScalar(mean(mul(x, x), { axes: -1, keepDims: true }), 1e-8))), weight);

describe('SoftMoE', () => {
  it.each([
    [8, 2],
    [7, 3],
    [2, 4],
  ])('%i tokens, %i experts: as with the matrix of logits', async (n, e) => {
    const c = 6;
    const net = new SoftMoE(c, e).initialise(5);
    const [x, weight] = [random([2, n, c], 1), random([2, n, c], 2)];
    const direct = (): Tensor =>
      concat(
        [0, 1].map((b) => {
          const tokens = rms(reshape(slice(x, { axis: 0, start: b, end: b + 1 }), [n, c]), net.norm.weight);
          const runs = Array.from({ length: Math.ceil(n / e) }, (_, i) =>
            mean(slice(tokens, { axis: 0, start: i * e, end: (i + 1) * e }), { axes: 0, keepDims: true }),
          );
          const views = linear(concat(runs, { axis: 0 }), net.slot_embeds.weight);
          const slots = net.experts.map((_, k) => rms(slice(views, { axis: 1, start: k * c, end: (k + 1) * c }), net.slot_norm.weight));
          const logits = matmul(tokens, concat(slots, { axis: 0 }), { transB: true }); // [N, slots]
          const taken = matmul(softmax(logits, 0), tokens, { transA: true });
          const made = concat(
            net.experts.map(({ lin1, lin2 }, k) => {
              const own = slice(taken, { axis: 0, start: k * runs.length, end: (k + 1) * runs.length });
              return linear(gelu(linear(own, lin1.weight, { bias: lin1.bias! })), lin2.weight, { bias: lin2.bias! });
            }),
            { axis: 0 },
          );
          return reshape(matmul(softmax(logits, 1), made), [1, n, c]);
        }),
        { axis: 0 },
      );
    expectClose(await values(net, x, weight, () => net.forward(x)), await values(net, x, weight, direct));
  });

  it('the axes of a map are one list of tokens', async () => {
    const net = new SoftMoE(4, 2).initialise(5);
    const x = random([1, 2, 3, 2, 4], 3);
    expect(await net.forward(x).data()).toEqual(await net.forward(reshape(x, [1, 12, 4])).data());
    expect(() => net.forward(random([3, 4], 1))).toThrow(/SoftMoE: got \[3,4\], expected/);
  });
});

it('RMSNorm', async () => {
  const net = new RMSNorm(5).initialise(1);
  const [x, weight] = [random([3, 5], 1), random([3, 5], 2)];
  expectClose(await values(net, x, weight, () => net.forward(x)), await values(net, x, weight, () => rms(x, net.weight)));
});

it('BatchStatisticsNorm takes the batch as it is, in evaluation too', async () => {
  const net = new BatchStatisticsNorm(3, { eps: 1e-3 }).initialise(1);
  const [x, weight, more] = [random([2, 4, 2, 3], 1), random([2, 4, 2, 3], 2), random([2, 4, 2, 3], 3)];
  const direct = (): Tensor => {
    const axes = { axes: [0, 1, 2], keepDims: true };
    const centred = sub(x, mean(x, axes));
    return add(add(mul(div(centred, sqrt(addScalar(mean(mul(centred, centred), axes), 1e-3))), net.weight), net.bias), more);
  };
  expectClose(await values(net, x, weight, () => net.forward(x, { add: more })), await values(net, x, weight, direct));
  const trained = await net.forward(x).data();
  expect(await net.eval().forward(x).data()).toEqual(trained);
  expect([...(await net.stateDict()).keys()]).toEqual(['weight', 'bias']);
});
