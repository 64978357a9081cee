// SPDX-License-Identifier: MIT
// The gathers of an edge convolution on a graph whose edges are the k nearest nodes of every row (specification 4.3e).
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, grid1d, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { edge_conv_gather, edge_conv_du, edge_conv_dv, edge_conv_lists } from '../gen/edge_conv.ts';
import { neighbour_max, neighbour_max_dx } from '../gen/neighbour_max.ts';

/** u [S, M, C] gathered by index [S, N, K] (u32 or i32, below M), plus v [S, N, C]: [S, N, K, C]. The index has no gradient. */
export const edgeConvGather = defineOp({
  name: 'edge_conv_gather',
  takes: { u: aTensor, v: aTensor, index: aTensor },
  call: (u: Tensor, v: Tensor, index: Tensor) => ({ inputs: [u, v, index], attrs: {} }),
  infer([u, v, index]) {
    const dtype = expectDType('edgeConvGather', [u, v], 'f32', 'f16');
    expectDType('edgeConvGather', [index], 'u32', 'i32');
    const [s, n, k] = index.shape as [number, number, number];
    const c = u.shape.at(-1)!;
    if (
      u.shape.length !== 3 ||
      index.shape.length !== 3 ||
      v.shape.length !== 3 ||
      u.shape[0] !== s ||
      [s, n, c].some((d, i) => d !== v.shape[i])
    ) {
      throw new ShapeError(
        `edgeConvGather: got u [${u.shape}], v [${v.shape}], index [${index.shape}], expected [S, M, C], [S, N, C], [S, N, K].`,
      );
    }
    if (u.shape[1] === 0 && index.shape.every((d) => d > 0))
      throw new ShapeError(`edgeConvGather: got u [${u.shape}] and index [${index.shape}], expected nodes to index.`);
    return { shape: [s, n, k, c], dtype };
  },
  indices: ([u]) => [{ input: 2, below: u.shape[1] }],
  lower(c) {
    const [u, v, index] = c.inputs;
    const y = c.outputs[0];
    const n = numel(y.shape);
    return [
      dispatch(
        edge_conv_gather,
        { u, v, index, y },
        { n, nodes: u.shape[1], rows: y.shape[1], k: y.shape[2], channels: y.shape[3] },
        grid1d(Math.ceil(n / 64)),
        { spec: { T: u.dtype, I: index.dtype } },
      ),
    ];
  },
  vjp: ({ inputs: [u, , index], grads: [g] }): (Thunk | null)[] => [() => nodeGrad(g, index, u.shape), () => rowGrad(g), null],
});

const nodeGrad = defineOp({
  name: 'edge_conv_du',
  call: (dy: Tensor, index: Tensor, shape: readonly number[]) => ({ inputs: [dy, index], attrs: { shape } }),
  infer: ([dy], { shape }) => ({ shape, dtype: dy.dtype }),
  lower(c) {
    const [dy, index] = c.inputs;
    const [s, nodes, channels] = c.attrs.shape as [number, number, number];
    const [, rows, k] = index.shape as [number, number, number];
    const starts = c.scratch([s, nodes, 2], 'u32');
    const edges = c.scratch([s, rows * k], 'u32');
    const size = { nodes, rows, k, channels };
    const n = s * nodes * channels;
    return [
      dispatch(edge_conv_lists, { index, starts, edges }, { n: s * nodes, ...size }, grid1d(Math.ceil((s * nodes) / 8)), {
        spec: { I: index.dtype },
      }),
      dispatch(edge_conv_du, { dy, dx: c.outputs[0], from_starts: starts, from_edges: edges }, { n, ...size }, grid1d(Math.ceil(n / 64)), {
        spec: { T: dy.dtype },
      }),
    ];
  },
});

const rowGrad = defineOp({
  name: 'edge_conv_dv',
  call: (dy: Tensor) => ({ inputs: [dy], attrs: {} }),
  infer: ([dy]) => ({ shape: [dy.shape[0], dy.shape[1], dy.shape[3]], dtype: dy.dtype }),
  lower(c) {
    const dy = c.inputs[0];
    const [, rows, k, channels] = dy.shape as [number, number, number, number];
    const n = numel(c.outputs[0].shape);
    return [
      dispatch(edge_conv_dv, { dy, dx: c.outputs[0] }, { n, nodes: 0, rows, k, channels }, grid1d(Math.ceil(n / 64)), {
        spec: { T: dy.dtype },
      }),
    ];
  },
});

const maxOp = defineOp({
  name: 'neighbour_max',
  call: (x: Tensor) => ({ inputs: [x], attrs: {} }),
  infer([x]) {
    const dtype = expectDType('neighbourMax', [x], 'f32', 'f16');
    if (x.shape.length < 2 || x.shape.at(-2) === 0)
      throw new ShapeError(`neighbourMax: got [${x.shape}], expected [..., K, C] with neighbours.`);
    const shape = [...x.shape.slice(0, -2), x.shape.at(-1)!];
    return [
      { shape, dtype },
      { shape, dtype: 'u32' },
    ];
  },
  lower(c) {
    const x = c.inputs[0];
    const [y, which] = c.outputs;
    const n = numel(y.shape);
    return [
      dispatch(neighbour_max, { x, y, which }, { n, k: x.shape.at(-2)!, channels: x.shape.at(-1)! }, grid1d(Math.ceil(n / 64)), {
        spec: { T: x.dtype },
      }),
    ];
  },
  vjp: ({ inputs: [x], outputs: [, which], grads: [g] }): Thunk[] => [() => maxGrad(g!, which, x.shape)],
});

const maxGrad = defineOp({
  name: 'neighbour_max_dx',
  call: (dy: Tensor, which: Tensor, shape: readonly number[]) => ({ inputs: [dy, which], attrs: { shape } }),
  infer: ([dy], { shape }) => ({ shape, dtype: dy.dtype }),
  lower(c) {
    const [dy, chosen] = c.inputs;
    const { shape } = c.attrs;
    const n = numel(dy.shape);
    return [
      dispatch(
        neighbour_max_dx,
        { dy, chosen, dx: c.outputs[0] },
        { n, k: shape.at(-2)!, channels: shape.at(-1)! },
        grid1d(Math.ceil(n / 64)),
        { spec: { T: dy.dtype } },
      ),
    ];
  },
});

/** Maximum over the second to last axis of [..., K, C]; the gradient goes to the first of equal maxima. */
export const neighbourMax = door('neighbourMax', { x: aTensor }, (x: Tensor): Tensor => maxOp(x));
