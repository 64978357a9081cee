import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../src/gpu/device.ts';
import { tensor } from '../src/engine/tensor.ts';
import { spec } from '../src/engine/dtype.ts';
import { compile, evaluate } from '../src/engine/program.ts';
import { backward } from '../src/engine/autograd.ts';
import { add, exp, mul, mulScalar, relu, sigmoid, gelu } from '../src/ops/pointwise.ts';
import { reshape } from '../src/ops/reshape.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('engine', () => {
  it('computes eagerly, with broadcasting', async () => {
    const x = tensor([1, 2, 3, 4, 5, 6], { shape: [2, 3] });
    const b = tensor([10, 20, 30]);
    expect([...(await add(x, b).data())]).toEqual([11, 22, 33, 14, 25, 36]);
    const col = tensor([1, 2], { shape: [2, 1] });
    expect([...(await mul(x, col).data())]).toEqual([1, 2, 3, 8, 10, 12]);
    const y = mul(reshape(x, [2, 1, 3]), tensor([1, 2], { shape: [1, 2, 1] }));
    expect([...(await y.data())]).toEqual([1, 2, 3, 2, 4, 6, 4, 5, 6, 8, 10, 12]);
  });
  it('replays what it traced, fused and unfused alike', async () => {
    const f = ({ x }: { x: ReturnType<typeof tensor> }) => ({ y: relu(add(mulScalar(exp(x), 2), sigmoid(gelu(x)))) });
    const values = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
    const outs: number[][] = [];
    for (const fuse of [true, false]) {
      using p = await compile(f as never, { x: spec([10, 100]) }, { fuse });
      const out = p.run({ x: values }) as { y: ReturnType<typeof tensor> };
      outs.push([...(await out.y.data())]);
    }
    const x = tensor(values, { shape: [10, 100] });
    const eager = [...(await evaluate(() => f({ x })).y.data())];
    expect(outs[1]).toEqual(eager);
    expect(Math.max(...outs[0].map((v, i) => Math.abs(v - eager[i])))).toBeLessThan(1e-5);
  });
  it('differentiates', async () => {
    const w = tensor([3], { shape: [1] });
    const { g } = evaluate(() => {
      const y = mul(w, mul(w, w));
      return { g: backward(y, [w]).get(w)! };
    });
    expect(await g.item()).toBeCloseTo(27);
  });
});
