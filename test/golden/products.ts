// SPDX-License-Identifier: MIT
// The families of product kernels that a software adapter does not choose, made to be chosen: the rows of the case tables that hold a
// product, with the whole proof of ops/row.ts, and larger products than those, of several tiles a side, against register tiles.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { fromF16, numel, toF16 } from '../../src/engine/dtype.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { attention } from '../../src/ops/attention.ts';
import { conv2d, conv3d } from '../../src/ops/conv.ts';
import { blocks, matrices, TABLE } from '../../src/ops/gemm.ts';
import { linear, matmul } from '../../src/ops/matmul.ts';
import { cast, mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { rows } from '../cases/case.ts';
import { families } from '../cases/index.ts';
import { nmse, noise } from '../kernels/harness.ts';
import { proveEpilogues } from '../engine/epilogues.ts';
import { readGoldens, Row } from './ops/row.ts';

const FAMILIES = {
  'workgroup tiles 64 x 64': blocks(4, 4, 1),
  'workgroup tiles 128 x 64': blocks(8, 4, 1),
  'workgroup tiles 128 x 128': blocks(8, 8, 1),
  'workgroup tiles 256 x 64': blocks(8, 8, 1, 8),
  'workgroup tiles 16 x 128': blocks(2, 4, 1, 32),
  'workgroup tiles 64 x 32, the reduction shared by 2': blocks(4, 4, 1, 8, 2),
  'workgroup tiles 32 x 32, the reduction shared by 4': blocks(4, 4, 1, 8, 4),
  'subgroup matrices 2 x 2': matrices(2, 1),
  'subgroup matrices 4 x 2': matrices(4, 1),
  'subgroup matrices 4 x 2, eight subgroups': matrices(4, 1, 2, 4),
  'subgroup matrices 4 x 4, eight subgroups': matrices(4, 1, 4, 4),
};
export type FamilyName = keyof typeof FAMILIES;
export const NAMES = Object.keys(FAMILIES) as FamilyName[];

/** Several tiles and steps along every axis, none of them whole. */
const LARGE: Record<string, { call: (...t: Tensor[]) => Tensor; shapes: number[][]; binding?: number }> = {
  'matmul, vectors': {
    call: (a, b) => matmul(a, b, { transB: true }),
    shapes: [
      [150, 100],
      [140, 100],
    ],
  },
  'matmul, both transposed': {
    call: (a, b) => matmul(a, b, { transA: true, transB: true }),
    shapes: [
      [99, 135],
      [130, 99],
    ],
  },
  'batch and a split reduction': {
    call: (a, b) => matmul(a, b),
    shapes: [
      [3, 70, 600],
      [3, 600, 66],
    ],
  },
  'a split reduction, bias and ReLU': {
    call: (a, b, c) => linear(a, b, { bias: c, activation: 'relu' }),
    shapes: [[3, 600], [10, 600], [10]],
  },
  'linear, bias and GELU': { call: (a, b, c) => linear(a, b, { bias: c, activation: 'gelu' }), shapes: [[2, 67, 36], [132, 36], [132]] },
  'conv2d, vectors': {
    call: (x, w, b) => conv2d(x, w, { bias: b, padding: 1, activation: 'relu' }),
    shapes: [[2, 11, 13, 36], [68, 3, 3, 36], [68]],
  },
  'conv2d, a split reduction, bias and ReLU': {
    call: (x, w, b) => conv2d(x, w, { bias: b, padding: 1, groups: 2, activation: 'relu' }),
    shapes: [[1, 5, 6, 120], [20, 3, 3, 60], [20]],
  },
  'conv2d, stride 2, two groups': {
    call: (x, w) => conv2d(x, w, { stride: 2, padding: 1, groups: 2 }),
    shapes: [
      [2, 23, 21, 20],
      [136, 3, 3, 10],
    ],
  },
  'conv2d, stem': {
    call: (x, w) => conv2d(x, w, { stride: 2, padding: 3 }),
    shapes: [
      [1, 40, 36, 3],
      [70, 7, 7, 3],
    ],
  },
  'attention, heads': {
    call: (q, k, v) => attention(q, k, v, { heads: 2, causal: true }),
    shapes: [
      [2, 70, 72],
      [2, 83, 72],
      [2, 83, 72],
    ],
  },
  // Bindings that have room for the scores of a slice and of its gradients: a batch, and a slice, at a time.
  'attention, a slice at a time': {
    call: (q, k, v, bias, keyBias, tau) => attention(q, k, v, { heads: 3, cosine: true, bias, keyBias, tau }),
    shapes: [[2, 70, 72], [2, 83, 72], [2, 83, 72], [3, 70, 83], [2, 83], [3]],
    binding: 80_000,
  },
  conv3d: {
    call: (x, w) => conv3d(x, w, { padding: 1 }),
    shapes: [
      [1, 6, 7, 9, 17],
      [70, 3, 3, 3, 17],
    ],
  },
};

export function proveFamily(name: FamilyName, select: (id: string) => boolean = () => true): void {
  const half = name.startsWith('subgroup');
  describe(name, () => {
    let device: Device;
    const used = new Set<string>();
    const choice = {
      when: ({ dtype }: { dtype: string }) => !half || dtype === 'f16',
      candidates: (caps: Device['caps']) => [FAMILIES[name](caps)],
    };
    beforeAll(async () => {
      device = await openDevice();
      TABLE.unshift(choice);
      const make = device.gpu.createShaderModule.bind(device.gpu);
      Object.assign(device.gpu, {
        createShaderModule: (d: GPUShaderModuleDescriptor) => {
          used.add(d.label!);
          return make(d);
        },
      });
    });
    afterAll(() => {
      TABLE.splice(TABLE.indexOf(choice), 1);
      device.close();
    });
    const skip = (context: { skip(note: string): void }, f16: boolean): void => {
      if (f16 && !device.caps.f16) context.skip('the adapter has no shader-f16');
      if (half && !device.caps.subgroupMatrix) context.skip('the adapter has no subgroup matrices of f16 added in f32');
    };

    for (const table of ['matmul', 'conv', 'attention']) {
      const goldens = readGoldens(table);
      for (const row of rows(families[table])) {
        if ((half && !row.half) || !select(row.id)) continue;
        it(row.id, async (context) => {
          skip(context, row.half);
          await new Row(row).prove(device, goldens);
        });
      }
    }
    if (!half) proveEpilogues();
    for (const dtype of half ? (['f16'] as const) : (['f32', 'f16'] as const)) {
      for (const [id, { call, shapes, binding }] of Object.entries(LARGE)) {
        if (!select(id)) continue;
        it(`${id}, several tiles (${dtype})`, async (context) => {
          skip(context, dtype === 'f16');
          const values = shapes.map((s, i) => noise(numel(s), 20 + i, i === 1 ? 0.3 : 1));
          const run = async (): Promise<Float32Array[]> => {
            const inputs = shapes.map((shape, i) =>
              tensor(dtype === 'f16' ? Uint16Array.from(values[i], toF16) : values[i], { shape, dtype }),
            );
            const out = evaluate(() => {
              const y = call(...inputs);
              const found = backward(sum(mul(cast(y, 'f32'), tensor(noise(y.size, 9), { shape: y.shape }))), inputs);
              return [y, ...inputs.map((t) => found.get(t)!)];
            });
            const read = await Promise.all(
              out.map(async (t) => Float32Array.from(await t.data(), (v) => (dtype === 'f16' ? fromF16(v) : v))),
            );
            for (const t of [...inputs, ...out]) t.dispose();
            return read;
          };
          const { caps } = device;
          if (binding) Object.assign(device, { caps: { ...caps, limits: { ...caps.limits, maxStorageBufferBindingSize: binding } } });
          const got = await run().finally(() => Object.assign(device, { caps }));
          TABLE.splice(TABLE.indexOf(choice), 1);
          const want = await run().finally(() => TABLE.unshift(choice));
          for (const [i, g] of got.entries())
            expect(nmse(g, want[i]), i === 0 ? 'y' : `gradient ${i - 1}`).toBeLessThan(dtype === 'f16' ? 1e-6 : 1e-11);
        });
      }
    }
    it('was what computed these', (context) => {
      skip(context, half);
      const suffix = half ? 'matrices' : 'blocks';
      const products = [`matmul_${suffix}.wgsl`, `conv_${suffix}.wgsl`, `conv_dweight_${suffix}.wgsl`];
      // Tiles for few rows or columns leave attention to its own kernels.
      const softmax = name.includes('16 x') ? [] : ['attention_softmax.wgsl', 'attention_softmax_grad.wgsl'];
      expect([...used]).toEqual(expect.arrayContaining([...products, ...softmax]));
    });
  });
}
