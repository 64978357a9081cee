// SPDX-License-Identifier: MIT
// The dynamic loss scale of one optimiser: four numbers on the device, so that a replayed program stays the same whatever they are.
// What happens to them is kernels/loss_scale.wgsl.
import { StateDictError } from '../errors.ts';
import { tensor, type Tensor } from '../engine/tensor.ts';
import { slice } from '../ops/layout.ts';
import { judgeGradients } from '../ops/optim.ts';
import { mul } from '../ops/pointwise.ts';

/**
 * The first gradients of the 2D networks of `demo` overflow at 4,096; those of a smaller one are as near to f32's at 16 as at 256 and 1,024
 * (0.6 %). `demo` has 120 iterations: PyTorch's 65,536 would spend five of them on coming down.
 */
const START = 2 ** 10;
/** Updates without overflow after which the scale doubles; PyTorch's 2,000 would be a third of the longest preset. */
const GROWTH = 200;

export class LossScale implements Disposable {
  /** [scale, finite iterations in a row, beta1^t, beta2^t] after t updates. */
  readonly state = tensor([START, 0, 1, 1], { name: 'loss scale' });

  /** In a trace: loss [] or [1] times the scale, [1]. */
  applyTo(loss: Tensor): Tensor {
    return mul(loss, this.current());
  }

  /** In a trace: the scale as it is there, [1]. */
  current(): Tensor {
    return slice(this.state, { axis: 0, start: 0, end: 1 });
  }

  /** In a trace: what to do with the gradients of the scaled loss, whose norm is `scaled`; see `judgeGradients`. */
  judge(scaled: Tensor, rate: Tensor, options: { maxNorm: number; beta1: number; beta2: number }): { clip: Tensor; hyper: Tensor } {
    return judgeGradients({ scaled, rate, state: this.state }, { ...options, growth: GROWTH });
  }

  async values(): Promise<Float32Array> {
    return (await this.state.data()) as Float32Array;
  }

  /** @throws StateDictError unless there are four values */
  restore(values: Float32Array | undefined): void {
    if (values?.length !== this.state.size)
      throw new StateDictError(`loss scale: got ${values?.length ?? 0} values, expected ${this.state.size}.`);
    this.state.write(values);
  }

  [Symbol.dispose](): void {
    this.state.dispose();
  }
}
