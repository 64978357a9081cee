// SPDX-License-Identifier: MIT
// Blocks of the compared networks that compute what the specification says in another order: against what it says, step by step.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { EfficientAttention } from '../../src/models/eoformer/blocks.ts';
import { EoL, EoS } from '../../src/models/eoformer/edges.ts';
import { CrossScale } from '../../src/models/henet.ts';
import type { Module } from '../../src/nn/module.ts';
import type { Parameter } from '../../src/nn/parameter.ts';
import { conv3d } from '../../src/ops/conv.ts';
import { concat, pad, slice } from '../../src/ops/layout.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { prelu } from '../../src/ops/nonlinear.ts';
import { layerNorm } from '../../src/ops/norm.ts';
import { add, mul, mulScalar, sub } from '../../src/ops/pointwise.ts';
import { adaptiveAvgPool3d } from '../../src/ops/pool.ts';
import { permute } from '../../src/ops/permute.ts';
import { sum } from '../../src/ops/reduce.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { resize } from '../../src/ops/resize.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { noise } from '../kernels/harness.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const draw = (shape: number[], seed: number): Tensor =>
  tensor(
    noise(
      shape.reduce((a, b) => a * b),
      seed,
    ),
    { shape },
  );

/** Every trained parameter of a size that shows in the result. */
function lively<M extends Module>(net: M): M {
  net.initialise(1);
  net.parameters().forEach((p, i) => p.setTorchValues(noise(p.size, 100 + i)));
  return net;
}

const MARGIN = 2e-5;
/** Without effect: stencils add to 0, and a softmax over voxels does not see what all have. */
const NOTHING = /b0$|^keys\.bias$/;
const far = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const size = Math.max(...Array.from(b, Math.abs));
  return Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]))) / Math.max(1e-12, size);
};

/** Output and gradients of every parameter, for both forms. */
async function same(net: Module, forms: (() => Tensor)[]): Promise<void> {
  const [a, b] = forms.map((form) =>
    evaluate(() => {
      const y = form();
      const grads = backward(sum(mul(y, draw([...y.shape], 7))), net.parameters());
      return Object.fromEntries([['y', y], ...net.parameters().map((p) => [p.name!, grads.get(p)!])]);
    }),
  ) as [Record<string, Tensor>, Record<string, Tensor>];
  for (const [name, t] of Object.entries(a)) {
    const [got, wanted] = [await t.data(), await b[name].data()];
    if (NOTHING.test(name)) expect(Math.max(...Array.from(got, Math.abs)), name).toBeLessThan(1e-4);
    else expect(far(got as Float32Array, wanted as Float32Array), name).toBeLessThan(MARGIN);
  }
}

it.each([
  ['EoS', EoS],
  ['EoL', EoL],
])('%s: one convolution is its branches with borders of their bias', async (_, make) => {
  const net = lively(make(6));
  const x = draw([2, 3, 4, 5, 6], 1);
  await same(net, [
    () => net.forward(x),
    () => {
      const branches = [net.conv1x1x1_sbx, net.conv1x1x1_sby, net.conv1x1x1_sbz, net.conv1x1x1_lpl].filter(
        (branch) => branch !== undefined,
      );
      const y = branches
        .map(({ k0, b0, scale, bias, mask }) => {
          const inner = conv3d(x, k0, { bias: b0 });
          const bordered = add(pad(sub(inner, b0), { axes: [1, 2, 3], before: 1, after: 1 }), b0);
          return conv3d(bordered, mul(mask, scale), { bias, groups: 6 });
        })
        .reduce(add, add(x, conv3d(x, net.conv3x3x3.weight, { bias: net.conv3x3x3.bias!, padding: 1 })));
      return prelu(layerNorm(y, null, null), net.act.weight);
    },
  ]);
});

it('stencils are what their names say', async () => {
  const at = async (mask: Parameter, ...offsets: [number, number, number][]): Promise<number[]> => {
    const values = await mask.torchValues();
    return offsets.map(([z, y, x]) => values[27 + 9 * (z + 1) + 3 * (y + 1) + x + 1]);
  };
  const [s, l] = [EoS(2).initialise(1), EoL(2).initialise(1)];
  expect(await at(s.conv1x1x1_sbx!.mask, [0, 0, 1], [0, 0, -1], [0, 0, 0], [1, 1, 1], [0, 1, 0])).toEqual([4, -4, 0, 1, 0]);
  expect(await at(s.conv1x1x1_sby!.mask, [0, 1, 0], [0, -1, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1])).toEqual([4, -4, 0, 1, 0]);
  expect(await at(s.conv1x1x1_sbz!.mask, [1, 0, 0], [-1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1])).toEqual([4, -4, 0, 1, 0]);
  expect(await at(l.conv1x1x1_lpl!.mask, [0, 0, 0], [1, 0, 0], [0, -1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1])).toEqual([-6, 1, 1, 1, 0, 0]);
});

it('efficient attention, head by head', async () => {
  const net = lively(new EfficientAttention(8, 2));
  const x = draw([2, 2, 3, 2, 8], 2);
  await same(net, [
    () => net.forward(x),
    () => {
      const [k, q, v] = [net.keys, net.queries, net.values].map((layer) => permute(reshape(layer.forward(x), [2, 12, 8]), [0, 2, 1])) as [
        Tensor,
        Tensor,
        Tensor,
      ]; // [B, C, N]
      const heads = [0, 1].map((h) => {
        const part = (t: Tensor): Tensor => slice(t, { axis: 1, start: 4 * h, end: 4 * h + 4 });
        const context = matmul(softmax(part(k), 2), part(v), { transB: true }); // [B, dk, dv]
        return matmul(context, softmax(part(q), 1), { transA: true }); // [B, dv, N]
      });
      return net.reprojection.forward(reshape(permute(concat(heads, { axis: 1 }), [0, 2, 1]), x.shape));
    },
  ]);
});

it('cross-scale block: projecting before the means and the resizing', async () => {
  const net = lively(new CrossScale([3, 4, 6], 5));
  const maps = [draw([2, 4, 12, 8, 3], 3), draw([2, 2, 6, 4, 4], 4), draw([2, 1, 3, 2, 6], 5)];
  await same(net, [
    () => net.forward(maps),
    () => {
      const wide = maps.map((map, i) => net.project[i].forward(map));
      const rows = (t: Tensor): Tensor => reshape(t, [2, t.size / 10, 5]);
      const keys = concat(
        wide.map((map) => rows(adaptiveAvgPool3d(map, { size: 4 }))),
        { axis: 1 },
      );
      const y = matmul(softmax(mulScalar(matmul(rows(wide[2]), keys, { transB: true }), 1 / Math.sqrt(5)), -1), keys);
      const local = net.local.forward(wide.map((map) => resize(map, [1, 3, 2])).reduce(add));
      return add(add(maps[2], net.out.forward(reshape(y, [2, 1, 3, 2, 5]))), local);
    },
  ]);
});
