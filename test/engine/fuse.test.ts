// SPDX-License-Identifier: MIT
// What fusion must leave apart, and what placing gradients in an arena must not bind twice: fused equals unfused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { backward } from '../../src/engine/autograd.ts';
import { numel } from '../../src/engine/dtype.ts';
import { compile } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { VoxelgradError } from '../../src/errors.ts';
import { zerosInit } from '../../src/nn/init.ts';
import { Parameter } from '../../src/nn/parameter.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { add, addScalar, mul, mulScalar, square, sub } from '../../src/ops/pointwise.ts';
import { mean, sum } from '../../src/ops/reduce.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { sgd, type Optimiser } from '../../src/optim/optimiser.ts';
import { nmse, noise } from '../kernels/harness.ts';
import { proveEpilogues } from './epilogues.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const parameter = (name: string, values: readonly number[]): Parameter => {
  const p = new Parameter([values.length], zerosInit);
  p.name = name;
  p.setTorchValues(Float32Array.from(values));
  return p;
};

describe.each([true, false])('fuse: %s', (fuse) => {
  it('reads a value before it is overwritten where the step says so, through views too', async () => {
    const p = parameter('p', [1, 2, 3, 4]);
    const opt = sgd([p], { lr: 1 });
    const g = tensor([1, 1, 1, 1]);
    using program = await compile(
      () => {
        const before = mulScalar(p, 1);
        const seen = mulScalar(reshape(p, [2, 2]), 2);
        opt.step(new Map<Tensor, Tensor>([[p, g]]));
        return { moved: sub(p, before), twice: mulScalar(seen, 1) };
      },
      {},
      { fuse },
    );
    const { moved, twice } = program.run();
    expect([...(await moved.data())]).toEqual([-1, -1, -1, -1]);
    expect([...(await twice.data())]).toEqual([2, 4, 6, 8]);
    opt.dispose();
  });

  it('multiplies a matrix before it is overwritten where the step says so, and adds to the product later', async () => {
    const p = parameter('p', [1, 2, 3, 4]);
    const opt = sgd([p], { lr: 1 });
    const g = tensor([1, 1, 1, 1]);
    using program = await compile(
      () => {
        const product = matmul(reshape(p, [2, 2]), tensor([1, 0, 0, 1], { shape: [2, 2] }));
        opt.step(new Map<Tensor, Tensor>([[p, g]]));
        return { sum: add(product, tensor([10, 10, 10, 10], { shape: [2, 2] })) };
      },
      {},
      { fuse },
    );
    expect([...(await program.run().sum.data())]).toEqual([11, 12, 13, 14]);
    opt.dispose();
  });

  it('multiplies before a factor is overwritten where the step says so, and adds up later', async () => {
    const p = parameter('p', [1, 2, 3, 4]);
    const opt = sgd([p], { lr: 1 });
    const g = tensor([1, 1, 1, 1]);
    using program = await compile(
      () => {
        const product = mul(p, g);
        opt.step(new Map<Tensor, Tensor>([[p, g]]));
        return { before: sum(product), after: sum(mul(p, g)) };
      },
      {},
      { fuse },
    );
    const { before, after } = program.run();
    expect([await before.item(), await after.item()]).toEqual([10, 6]);
    opt.dispose();
  });

  it.each([[[3, 70, 36]], [[3, 70, 33]], [[300, 5, 8]]])('sums of %j read the factors of what they add up', async (shape) => {
    const [x, z] = [noise(numel(shape), 1), noise(numel(shape), 2)];
    const [a, b] = [tensor(x, { shape }), tensor(z, { shape })];
    const row = tensor(noise(shape[2], 3));
    using program = await compile(
      () => {
        const kept = mul(a, b); // a result: it stays, and so does what a broadcast factor makes
        return {
          kept,
          all: sum(mul(a, b)),
          rows: sum(mul(a, b), { axes: 2 }),
          columns: sum(mul(b, a), { axes: [0, 1] }),
          middle: mean(mul(a, b), { axes: 1 }),
          outer: sum(mul(a, b), { axes: [0, 2] }),
          squares: sum(mul(a, a), { axes: 0 }),
          ofKept: sum(kept, { axes: 0 }),
          broadcast: sum(mul(a, row), { axes: 1 }),
        };
      },
      {},
      { fuse },
    );
    const { kept, ...sums } = program.run();
    const pointwise = program.dispatches().filter(({ kernel }) => kernel.file === 'pointwise.wgsl');
    expect(pointwise.length).toBe(fuse ? 1 : 8); // those two are a pair
    const product = Float64Array.from(x, (v, i) => v * z[i]);
    const ofRow = await row.data();
    const [n0, n1, n2] = shape;
    const over = (values: ArrayLike<number>, place: (i: number, j: number, k: number) => number, size: number, scale = 1): Float64Array => {
      const out = new Float64Array(size);
      for (let i = 0; i < values.length; i++) out[place(Math.floor(i / (n1 * n2)), Math.floor(i / n2) % n1, i % n2)] += values[i] * scale;
      return out;
    };
    const wanted: Record<keyof typeof sums, Float64Array> = {
      all: over(product, () => 0, 1),
      rows: over(product, (i, j) => i * n1 + j, n0 * n1),
      columns: over(product, (_, __, k) => k, n2),
      middle: over(product, (i, _, k) => i * n2 + k, n0 * n2, 1 / n1),
      outer: over(product, (_, j) => j, n1),
      squares: over(
        x.map((v) => v * v),
        (_, j, k) => j * n2 + k,
        n1 * n2,
      ),
      ofKept: over(product, (_, j, k) => j * n2 + k, n1 * n2),
      broadcast: over(
        x.map((v, i) => v * ofRow[i % n2]),
        (i, _, k) => i * n2 + k,
        n0 * n2,
      ),
    };
    for (const [name, want] of Object.entries(wanted))
      expect(nmse((await sums[name as keyof typeof sums].data()) as Float32Array, want), name).toBeLessThan(1e-12);
    expect(nmse((await kept.data()) as Float32Array, product)).toBeLessThan(1e-12);
  });

  it('computes two expressions of one shape together, but none before what it reads is overwritten', async () => {
    const p = parameter('p', [1, 2, 3]);
    const opt = sgd([p], { lr: 1 });
    const [g, x, row] = [tensor([1, 1, 1]), tensor([4, 5, 6, 7, 8, 9], { shape: [2, 3] }), tensor([1, 2], { shape: [2, 1] })];
    using program = await compile(
      () => {
        const before = mulScalar(add(x, p), 2); // 10 14 18 16 20 24
        const both = addScalar(mul(before, row), 1);
        opt.step(new Map<Tensor, Tensor>([[p, g]]));
        return { before, both, after: mulScalar(add(x, p), 2) };
      },
      {},
      { fuse },
    );
    const { before, both, after } = program.run();
    expect([...(await before.data())]).toEqual([10, 14, 18, 16, 20, 24]);
    expect([...(await both.data())]).toEqual([11, 15, 19, 33, 41, 49]);
    expect([...(await after.data())]).toEqual([8, 12, 16, 14, 18, 22]);
    const pairs = program.dispatches().filter(({ kernel }) => kernel.entry.endsWith('_pair'));
    expect(pairs.length).toBe(fuse ? 1 : 0);
    opt.dispose();
  });

  it.each([
    [[2, 6], 'pointwise_quads_pair'],
    [[3, 3], 'pointwise_pair'],
  ])('both gradients of a product [%s] are one dispatch, %s', async (shape, entry) => {
    const size = shape[0] * shape[1];
    const [a, b, w] = [3, 4, 5].map((seed) => tensor(noise(size, seed), { shape }));
    using program = await compile(
      () => {
        const found = backward(sum(mul(mul(a, b), w)), [a, b]);
        return [found.get(a)!, found.get(b)!];
      },
      {},
      { fuse },
    );
    const [x, y, z] = await Promise.all([a, b, w].map((t) => t.data()));
    const [da, db] = await Promise.all(program.run().map((t) => t.data()));
    for (let i = 0; i < size; i++) {
      expect(da[i]).toBeCloseTo(y[i] * z[i], 6);
      expect(db[i]).toBeCloseTo(x[i] * z[i], 6);
    }
    expect(program.dispatches().filter(({ kernel }) => kernel.entry === entry).length).toBe(fuse ? 1 : 0);
  });

  it('keeps a product that is a result, or that another reads', async () => {
    const [a, z] = [tensor([1, 2, 3, 4], { shape: [2, 2] }), tensor([10, 10, 10, 10], { shape: [2, 2] })];
    using program = await compile(
      () => {
        const [product, twice] = [matmul(a, a), matmul(a, z)];
        return { product, sum: add(product, z), double: sub(add(twice, z), mulScalar(twice, 2)) };
      },
      {},
      { fuse },
    );
    const { product, sum: total, double } = program.run();
    expect([...(await product.data())]).toEqual([7, 10, 15, 22]);
    expect([...(await total.data())]).toEqual([17, 20, 25, 32]);
    expect([...(await double.data())]).toEqual([-20, -20, -60, -60]);
  });

  it('places one gradient of two parameters', async () => {
    const [p, q] = [parameter('p', [1, 2, 3]), parameter('q', [4, 5, 6])];
    const opt = sgd([p, q], { lr: 0.5 });
    using program = await compile(
      () => {
        const loss = sum(square(add(p, q)));
        opt.step(backward(loss, [p, q]));
        return { loss };
      },
      {},
      { fuse },
    );
    expect(await program.run().loss.item()).toBe(155);
    expect([...(await p.torchValues()), ...(await q.torchValues())]).toEqual([1 - 5, 2 - 7, 3 - 9, 4 - 5, 5 - 7, 6 - 9]);
    opt.dispose();
  });

  it('places a gradient that another is made from', async () => {
    const [p, q] = [parameter('p', [1, 2, 3]), parameter('q', [4, 5, 6])];
    const opt = sgd([p, q], { lr: 1 });
    using program = await compile(
      () => {
        // q's gradient is made from p's, two pointwise nodes on: fused, one dispatch would read and write the gradients' buffer.
        const c = mulScalar(tensor([1, 1, 1]), 3);
        const first = mulScalar(c, 1);
        opt.step(
          new Map<Tensor, Tensor>([
            [p, first],
            [q, mulScalar(mulScalar(first, 2), 2)],
          ]),
        );
        return {};
      },
      {},
      { fuse },
    );
    program.run();
    expect([...(await p.torchValues()), ...(await q.torchValues())]).toEqual([-2, -1, 0, -8, -7, -6]);
    opt.dispose();
  });
});

describe('an optimiser refuses', () => {
  const grads = (p: Tensor): Map<Tensor, Tensor> => new Map([[p, mulScalar(p, 1)]]);
  const refused = async (...steps: ((opt: Optimiser, p: Tensor) => void)[]): Promise<VoxelgradError> => {
    const p = parameter('p', [1, 2, 3]);
    const opt = sgd([p], { lr: 1 });
    let error: unknown;
    for (const step of steps)
      error = await compile(() => {
        step(opt, p);
        return {};
      }, {}).then(
        (made) => {
          made.dispose();
        },
        (e: unknown) => e,
      );
    opt.dispose();
    expect(error).toBeInstanceOf(VoxelgradError);
    expect((error as VoxelgradError).code).toBe('ORDER');
    return error as VoxelgradError;
  };
  const write = (opt: Optimiser, p: Tensor): void => {
    opt.step(grads(p));
  };
  const gather = (opt: Optimiser, p: Tensor): void => {
    opt.accumulate(grads(p));
  };

  it('step() that nothing has been gathered for', async () => {
    expect(
      (
        await refused((opt) => {
          opt.step();
        })
      ).message,
    ).toMatch(/step\(\) has no gradients.*Compile what accumulates first/);
  });
  it('a second step(grads) in one trace, but not in another', async () => {
    expect(
      (
        await refused(write, write, (opt, p) => {
          write(opt, p);
          write(opt, p);
        })
      ).message,
    ).toMatch(/twice in one step/);
  });
  it.each([
    [write, gather],
    [gather, write],
  ])('gradients given both ways', async (...steps) => {
    expect((await refused(...steps)).message).toMatch(/both step\(grads\) and accumulate\(\)/);
  });
});

describe('on their way out products compute', () => {
  proveEpilogues();
});
