// SPDX-License-Identifier: MIT
// Graph convolution: adjacency x features x weight.
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, grid1d, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { graph_conv } from '../gen/graph_conv.ts';
import { matmul } from './matmul.ts';
import { sumTo } from './reduce.ts';
import { reshape } from './reshape.ts';

/** y [B, N, O] = a [B, N, M] or [N, M], times x [B, M, C], times w [O, C] transposed. */
export const graphConv = defineOp({
  name: 'graph_conv',
  takes: { a: aTensor, x: aTensor, w: aTensor },
  call: (a: Tensor, x: Tensor, w: Tensor) => ({ inputs: [a, x, w], attrs: {} }),
  infer([a, x, w]) {
    const dtype = expectDType('graphConv', [a, x, w], 'f32', 'f16');
    const [batch, m, c] = x.shape as [number, number, number];
    const shared = a.shape.length === 2;
    if (
      x.shape.length !== 3 ||
      w.shape.length !== 2 ||
      w.shape[1] !== c ||
      a.shape.at(-1) !== m ||
      (!shared && (a.shape.length !== 3 || a.shape[0] !== batch))
    ) {
      throw new ShapeError(
        `graphConv: got adjacency [${a.shape}], features [${x.shape}], weight [${w.shape}], expected [B, N, M] or [N, M], [B, M, ` +
          'C], [O, C].',
      );
    }
    return { shape: [batch, a.shape.at(-2)!, w.shape[0]], dtype };
  },
  lower(c) {
    const [a, x, w] = c.inputs;
    const y = c.outputs[0];
    const [batch, receivers, outputs] = y.shape as [number, number, number];
    const [, sources, features] = x.shape as [number, number, number];
    return [
      dispatch(
        graph_conv,
        { a, x, w, y },
        { batch, receivers, sources, features, outputs, a_batch: a.shape.length === 3 ? receivers * sources : 0 },
        grid1d(batch * Math.ceil(receivers / 8) * Math.ceil(outputs / 64)),
        { spec: { T: y.dtype } },
      ),
    ];
  },
  vjp({ inputs: [a, x, w], grads: [g] }): Thunk[] {
    const flat = (t: Tensor): Tensor => reshape(t, [numel(t.shape.slice(0, -1)), t.shape.at(-1)!]);
    return [
      () => sumTo(matmul(g, matmul(x, w, { transB: true }), { transB: true }), a.shape),
      () => matmul(a, matmul(g, w), { transA: true }),
      () => matmul(flat(g), flat(matmul(a, x)), { transA: true }),
    ];
  },
  flops: ([a, x], [y]) => 2 * y.shape[0] * a.shape.at(-2)! * x.shape[2] * (x.shape[1] + y.shape[2]),
});
