// SPDX-License-Identifier: MIT
// Whether an op has a gradient, asked of the reverse walk itself: a call is traced on a device that computes nothing.
import { backward } from '../../src/engine/autograd.ts';
import { Tensor, zeros } from '../../src/engine/tensor.ts';
import { record } from '../../src/engine/trace.ts';
import { MissingGradientError } from '../../src/errors.ts';
import { add } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import type { CaseInput } from './case.ts';

/** True where something flows from the outputs of this call to an input. */
export function differentiable({ inputs, call }: { inputs: readonly CaseInput[]; call: (...inputs: Tensor[]) => unknown }): boolean {
  const given = inputs.map((i) => zeros(i.shape, { dtype: i.dtype ?? 'f32' }));
  try {
    return record(() => {
      const outputs = [call(...given)].flat().filter((y): y is Tensor => y instanceof Tensor && y.dtype === 'f32' && !given.includes(y));
      if (outputs.length === 0) return false;
      return (
        backward(
          outputs.map((y) => sum(y)).reduce(add),
          given.filter((x) => x.dtype === 'f32'),
        ).size > 0
      );
    }).result;
  } catch (error) {
    if (error instanceof MissingGradientError) return false;
    throw error;
  } finally {
    for (const x of given) x.dispose();
  }
}
