// SPDX-License-Identifier: MIT
import { backward } from '../../src/engine/autograd.ts';
import { zeros, type Tensor } from '../../src/engine/tensor.ts';
import { record, type Node } from '../../src/engine/trace.ts';
import { add, cast } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import type { NamedCase } from './case.ts';

const floats = (t: Tensor): boolean => t.dtype === 'f32' || t.dtype === 'f16';

/** Every op call of a row's forward and backward pass, recorded and not run. */
export function nodesOf(c: NamedCase): readonly Node[] {
  const inputs = c.inputs.map((i) => zeros(i.shape, { dtype: i.dtype ?? (c.half && !i.wide ? 'f16' : 'f32') }));
  const wanted = (c.grad ?? inputs.map((_, i) => i)).map((i) => inputs[i]).filter(floats);
  const { trace } = record(() => {
    const ys: Tensor[] = [c.call(...inputs)].flat();
    if (wanted.length > 0)
      backward(
        ys
          .filter((y) => y.node && floats(y))
          .map((y) => sum(cast(y, 'f32')))
          .reduce(add),
        wanted,
      );
  });
  for (const t of inputs) t.dispose();
  return trace.nodes;
}
