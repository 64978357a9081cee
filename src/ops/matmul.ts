// SPDX-License-Identifier: MIT
// Matrix products: batched with broadcasting, either operand transposed, bias and activation on the way out.
import { fields, flag, maybe, type Kind } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel, type Spec } from '../engine/dtype.ts';
import { aTensor, door, noneOrTensor } from '../engine/door.ts';
import { defineOp, expectDType, once, type Thunk } from '../engine/op.ts';
import { broadcast } from '../engine/pointwise.ts';
import { Tensor } from '../engine/tensor.ts';
import { activationGrad, actOf, anActivation, withEpilogue, type Activation, type Acts } from './activation.ts';
import { expand } from './expand.ts';
import { lowerGemm } from './gemm.ts';
import { sum, sumTo } from './reduce.ts';
import { reshape } from './reshape.ts';

export interface MatmulOptions {
  transA?: boolean;
  transB?: boolean;
  /** [N], added to every row. */
  bias?: Tensor | null;
  activation?: Activation;
}
interface Attrs extends Acts {
  readonly transA: boolean;
  readonly transB: boolean;
}

function sizes(a: Spec, b: Spec, { transA, transB }: Attrs): { m: number; n: number; k: number; kb: number } {
  const [a0, a1] = a.shape.slice(-2) as [number, number];
  const [b0, b1] = b.shape.slice(-2) as [number, number];
  return { m: transA ? a1 : a0, k: transA ? a0 : a1, kb: transB ? b1 : b0, n: transB ? b0 : b1 };
}

function batchShape(...both: readonly [Spec, Spec]): number[] {
  const outer = both.map(({ shape, dtype }) => ({ shape: shape.slice(0, -2), dtype }));
  return broadcast('matmul', outer);
}

/** Batch axes merged as far as the strides of both operands allow: [size, stride of a, stride of b]. */
function batchAxes(a: Spec, b: Spec, batch: readonly number[]): [number, number, number][] {
  const strides = ({ shape }: Spec): number[] =>
    batch.map((_, i) => {
      const at = i - batch.length + shape.length - 2;
      return at < 0 || shape[at] === 1 ? 0 : numel(shape.slice(at + 1));
    });
  if ([a, b].some((s) => s.shape.includes(0))) return [[numel(batch), 0, 0]]; // nothing is read
  const [sa, sb] = [strides(a), strides(b)];
  const out: [number, number, number][] = [];
  batch.forEach((size, i) => {
    const last = out.at(-1);
    if (size === 1) return;
    if (last && last[1] === sa[i] * size && last[2] === sb[i] * size) {
      last[0] *= size;
      last[1] = sa[i];
      last[2] = sb[i];
    } else out.push([size, sa[i], sb[i]]);
  });
  return out;
}

const op = defineOp({
  name: 'matmul',
  empty: 'lower', // without inner elements the bias is left
  // z: of fusion alone
  call: (a: Tensor, b: Tensor, bias: Tensor | null, attrs: Attrs, z: Tensor | null = null) => ({ inputs: [a, b, bias, z], attrs }),
  infer([a, b, bias], attrs) {
    const dtype = expectDType('matmul', [a, b, bias], 'f32', 'f16');
    if (a.shape.length < 2 || b.shape.length < 2)
      throw new ShapeError(`matmul: got [${a.shape}] and [${b.shape}], expected at least two axes each.`);
    const { m, n, k, kb } = sizes(a, b, attrs);
    if (k !== kb)
      throw new ShapeError(
        `matmul: [${m}, ${k}] x [${kb}, ${n}], got inner sizes ${k} and ${kb}, expected equal ones.`,
        'See transA and transB.',
      );
    if (bias && (bias.shape.length !== 1 || bias.shape[0] !== n))
      throw new ShapeError(`matmul: got bias [${bias.shape}], expected [${n}].`);
    return { shape: [...batchShape(a, b), m, n], dtype };
  },
  lower(c) {
    const [a, b, bias, z] = c.inputs;
    const { transA, transB } = c.attrs;
    const { m, n, k } = sizes(a, b, c.attrs);
    const axes = batchAxes(a, b, batchShape(a, b));
    const common = {
      a,
      b,
      bias,
      y: c.outputs[0],
      n,
      k,
      aRow: transA ? 1 : k,
      aK: transA ? m : 1,
      bK: transB ? 1 : n,
      bCol: transB ? k : 1,
      act: actOf(c.attrs),
      z,
    };
    const [outer, inner] = axes;
    // one matrix b for all rows
    if (!outer || (!inner && !transA && outer[2] === 0)) return lowerGemm(c, { ...common, m: m * (outer?.[0] ?? 1) });
    const [x, y] = inner ? [outer, inner] : [[1, 0, 0] as const, outer];
    return lowerGemm(c, { ...common, m, batch: { sizes: [x[0], y[0]], a: [x[1], y[1]], b: [x[2], y[2]] } });
  },
  vjp({ inputs: [a, b, bias], outputs: [y], grads, attrs }): (Thunk | null)[] {
    const { transA, transB, act } = attrs;
    const g = once(() => activationGrad(act, grads[0], y, () => op(a, b, bias, { ...attrs, act: 'none' })));
    const [x, w] = [a, b];
    return [
      () => sumTo(transA ? matmul(w, g(), { transA: transB, transB: true }) : matmul(g(), w, { transB: !transB }), x.shape),
      () => {
        if (w.shape.length > 2 || transA)
          return sumTo(transB ? matmul(g(), x, { transA: true, transB: transA }) : matmul(x, g(), { transA: !transA }), w.shape);
        const flat = (t: Tensor): Tensor => reshape(t, [numel(t.shape.slice(0, -1)), t.shape.at(-1)!]); // the batch joins the reduction
        return transB ? matmul(flat(g()), flat(x), { transA: true }) : matmul(flat(x), flat(g()), { transA: true });
      },
      bias && (() => sum(g(), { axes: y.shape.map((_, i) => i).slice(0, -1) })),
    ];
  },
  epilogue: withEpilogue,
  flops: ([a, b], [y], attrs) => 2 * numel(y.shape) * sizes(a, b, attrs).k,
});

const PRODUCT = { bias: noneOrTensor, activation: maybe(anActivation) };

/** a [..., M, K] times b [..., K, N] (transA: [..., K, M], transB: [..., N, K]), leading axes broadcast. */
export const matmul = door(
  'matmul',
  { a: aTensor, b: aTensor, options: maybe(fields({ ...PRODUCT, transA: maybe(flag), transB: maybe(flag) })) },
  (a: Tensor, b: Tensor, { transA = false, transB = false, bias = null, activation = 'none' }: MatmulOptions = {}): Tensor => {
    const attrs = { transA, transB, act: activation };
    if (a.shape.length < 2 || b.shape.length < 2) return op(a, b, bias, attrs); // infer says what is wrong
    const batch = batchShape(a, b);
    // More than two independent batch strides: the smaller operand is repeated, of those that are not whole yet.
    if (batchAxes(a, b, batch).length > 2) {
      const full = (t: Tensor): Tensor => expand(t, [...batch, ...t.shape.slice(-2)]);
      const isFull = ({ shape }: Tensor): boolean => numel(shape.slice(0, -2)) === numel(batch);
      return isFull(b) || (!isFull(a) && a.size < b.size)
        ? matmul(full(a), b, { transA, transB, bias, activation })
        : matmul(a, full(b), { transA, transB, bias, activation });
    }
    return op(a, b, bias, attrs);
  },
);

const biasOrOptions: Kind = (where, what, v) => {
  if (!(v instanceof Tensor)) maybe(fields(PRODUCT))(where, what, v);
};

/** x [..., in] times weight [out, in] transposed, plus bias [out]; the bias may stand in the place of the options, as in PyTorch. */
export const linear = door(
  'linear',
  { x: aTensor, weight: aTensor, options: biasOrOptions },
  (x: Tensor, weight: Tensor, options: Tensor | { bias?: Tensor | null; activation?: Activation } = {}): Tensor => {
    const { bias = null, activation = 'none' } = options instanceof Tensor ? { bias: options } : options;
    if (weight.shape.length !== 2 || x.shape.at(-1) !== weight.shape[1]) {
      throw new ShapeError(
        `linear: weight [${weight.shape}] expects ${weight.shape[1]} input features, got ${x.shape.at(-1)} in [${x.shape}], ` +
          `expected [..., ${weight.shape[1]}].`,
      );
    }
    const attrs = { transA: false, transB: true, act: activation };
    if (x.shape.length > 1) return op(x, weight, bias, attrs);
    return reshape(op(reshape(x, [1, x.size]), weight, bias, attrs), [weight.shape[0]]);
  },
);
