// SPDX-License-Identifier: MIT
// Side effects move up to what they read, and never across another use of the memory that they write.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { spec } from '../../src/engine/dtype.ts';
import { hoist } from '../../src/engine/hoist.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { Tensor, tensor, zeros } from '../../src/engine/tensor.ts';
import { record } from '../../src/engine/trace.ts';
import { addScaled, assignScaled, clear } from '../../src/ops/optim.ts';
import { add, mulScalar, square } from '../../src/ops/pointwise.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const order = (step: () => unknown): string[] => {
  const { trace } = record(step);
  return hoist(trace.nodes, trace.placed).map((n) => n.op.name);
};

it('adds a gradient as soon as it is there', () => {
  const [x, arena] = [tensor([1, 2]), zeros([2])];
  expect(
    order(() => {
      const a = square(x);
      const b = mulScalar(square(a), 2);
      addScaled(arena, a, 1);
      return b;
    }),
  ).toEqual(['square', 'add_scaled', 'square', 'mul_scalar']);
});

it('keeps the order of everything that touches one range', async () => {
  const step = (arena: Tensor, x: Tensor): { before: Tensor; after: Tensor; last: Tensor } => {
    const a = square(x);
    const before = mulScalar(arena, 1); // reads what is overwritten next
    assignScaled(arena, a, 1);
    addScaled(arena, x, 3);
    const after = mulScalar(arena, 1);
    clear(arena);
    addScaled(arena, a, 10);
    return { before, after, last: add(after, x) };
  };
  const read = async (o: { before: Tensor; after: Tensor; last: Tensor }): Promise<number[][]> =>
    Promise.all([o.before, o.after, o.last].map(async (t) => [...(await t.data())]));
  const x = tensor([1, 2]);
  const [eager, replayed] = [tensor([7, 8]), tensor([7, 8])];
  const expected = [
    [7, 8],
    [4, 10],
    [5, 12],
  ];
  expect(await read(evaluate(() => step(eager, x)))).toEqual(expected);
  using program = await compile(() => step(replayed, x), {});
  expect(await read(program.run())).toEqual(expected);
  expect([...(await replayed.data())]).toEqual([10, 40]);
  expect([...(await eager.data())]).toEqual([10, 40]);
});

it('leaves neighbours in one buffer to themselves', () => {
  const x = tensor([1, 2]);
  const arena = zeros([128]);
  const range = (offset: number): Tensor => Tensor.fromBuffer(arena.storage.buffer, spec([2]), { offset });
  expect(
    order(() => {
      const a = square(x);
      const b = mulScalar(a, 2);
      const c = mulScalar(b, 3);
      addScaled(range(256), c, 1);
      addScaled(range(0), a, 1);
      return c;
    }),
  ).toEqual(['square', 'add_scaled', 'mul_scalar', 'mul_scalar', 'add_scaled']);
});
