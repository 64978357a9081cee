// SPDX-License-Identifier: MIT
// Operators that pick elements by indices, sort or accumulate along an axis.
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { cumsum } from '../../src/ops/cumsum.ts';
import { gather, indexSelect } from '../../src/ops/gather.ts';
import { slice } from '../../src/ops/layout.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { topk } from '../../src/ops/topk.ts';
import { Skip, type Adapters, type Call } from './call.ts';

async function gatherElements(c: Call): Promise<Tensor> {
  const axis = c.axis(0);
  const index = await c.indices(1, c.shape(0)[axis]);
  // Axes other than `axis` may be shorter in the index: there its elements look at the first ones.
  const others = index.shape.map((_, i) => i).filter((i) => i !== axis);
  return gather(slice(c.x(0), { axis: others, start: others.map(() => 0), end: others.map((i) => index.shape[i]) }), index, { axis });
}

async function largest(c: Call): Promise<Tensor[]> {
  const [k = 1] = (await c.numbers(1)) ?? [];
  const { values, indices } = topk(c.x(0), k, { axis: c.number('axis', -1), largest: c.flag('largest', 1) });
  return [values, indices];
}

async function runningSum(c: Call): Promise<Tensor> {
  const [axis = 0] = (await c.numbers(1)) ?? [];
  return cumsum(c.x(0), { axis, exclusive: c.flag('exclusive'), reverse: c.flag('reverse') });
}

/** Rows of the last `n` axes named by index tuples: one flat index list. */
async function gatherTuples(c: Call): Promise<Tensor> {
  if (c.number('batch_dims', 0) !== 0) throw new Skip('gather by tuples with batch axes');
  const x = c.x(0);
  const index = (await c.numbers(1)) ?? [];
  const n = c.shape(1).at(-1)!;
  const shape = c.shape(1).slice(0, -1);
  const flat = Array.from({ length: index.length / n }, (_, row) => {
    let at = 0;
    for (let i = 0; i < n; i++) {
      const v = index[row * n + i];
      at = at * x.shape[i] + (v < 0 ? v + x.shape[i] : v);
    }
    return at;
  });
  const rows = x.shape.slice(0, n).reduce((a, b) => a * b, 1);
  return indexSelect(reshape(x, [rows, ...x.shape.slice(n)]), tensor(flat, { shape, dtype: 'u32' }));
}

export const indexing: Adapters = {
  Gather: async (c) => {
    const axis = c.axis(0);
    return indexSelect(c.x(0), await c.indices(1, c.shape(0)[axis]), { axis });
  },
  GatherElements: gatherElements,
  GatherND: gatherTuples,
  TopK: largest,
  CumSum: runningSum,
  NonZero: () => {
    throw new Skip('a result whose size depends on values');
  },
  Compress: () => {
    throw new Skip('a result whose size depends on values');
  },
  Unique: () => {
    throw new Skip('a result whose size depends on values');
  },
};
