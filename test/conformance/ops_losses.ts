// SPDX-License-Identifier: MIT
// Losses with class indices, classes along axis 1.
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { gather, indexSelect } from '../../src/ops/gather.ts';
import { div, mul, neg } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { logSoftmax } from '../../src/ops/softmax.ts';
import type { Adapters, Call } from './call.ts';

/** Negative log likelihood of the targets; `ignore_index` counts nothing, the mean is by weight. */
async function likelihood(c: Call, logProbs: Tensor): Promise<Tensor> {
  const targets = (await c.numbers(1)) ?? [];
  const shape = c.shape(1);
  const ignored = c.number('ignore_index', NaN);
  const index = tensor(
    targets.map((t) => (t === ignored ? 0 : t)),
    { shape, dtype: 'u32' },
  );
  const counted = tensor(
    targets.map((t) => Number(t !== ignored)),
    { shape },
  );
  const weight = c.has(2) ? mul(indexSelect(c.x(2), index), counted) : counted;
  const column = [shape[0], 1, ...shape.slice(1)];
  const picked = reshape(gather(logProbs, reshape(index, column), { axis: 1 }), shape);
  const loss = mul(neg(picked), weight);
  const reduction = c.text('reduction', 'mean');
  if (reduction === 'none') return loss;
  return reduction === 'sum' ? sum(loss) : div(sum(loss), sum(weight));
}

export const losses: Adapters = {
  NegativeLogLikelihoodLoss: (c) => likelihood(c, c.x(0)),
  SoftmaxCrossEntropyLoss: async (c) => {
    const logProbs = logSoftmax(c.x(0), 1);
    return [await likelihood(c, logProbs), logProbs];
  },
};
