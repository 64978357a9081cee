// SPDX-License-Identifier: MIT
// Attention of [B, T, heads x d] or [B, heads, T, d] with masks. The kernel keeps no matrix of scores: where a case wants to see
// it, it is made once more from the products.
import { full, tensor, type Tensor } from '../../src/engine/tensor.ts';
import { attention as attend } from '../../src/ops/attention.ts';
import { expand } from '../../src/ops/expand.ts';
import { pad } from '../../src/ops/layout.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { permute } from '../../src/ops/permute.ts';
import { add, cast, greaterScalar, maximum, mul, mulScalar, where } from '../../src/ops/pointwise.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { Skip, type Adapters, type Call } from './call.ts';

const LOWEST = -3e38;

interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly rows: number;
  readonly keys: number;
  readonly d: number;
}

/** @throws Skip for the forms of language models. */
function sizes(c: Call): Sizes {
  if (c.has(4) || c.has(5)) throw new Skip('attention with a key-value cache');
  if (c.number('softcap', 0) !== 0) throw new Skip('attention with a soft cap');
  if (c.number('left_window_size', -1) >= 0 || c.number('right_window_size', -1) >= 0) throw new Skip('attention in a sliding window');
  const [q, k] = [c.shape(0), c.shape(1)];
  const packed = q.length === 3;
  const [heads, others] = packed ? [c.number('q_num_heads', 1), c.number('kv_num_heads', 1)] : [q[1], k[1]];
  if (heads !== others) throw new Skip('attention with grouped queries');
  return { batch: q[0], heads, rows: q.at(-2)!, keys: k.at(-2)!, d: packed ? q[2] / heads : q[3] };
}

/** The mask as something to add to the scores, [B | 1, heads | 1, T, S]; keys that it does not reach are masked. */
function maskBias(c: Call, { rows, keys }: Sizes): Tensor | null {
  if (!c.has(3)) return null;
  const dtype = c.x(0).dtype;
  const zero = full([], 0, { dtype });
  const never = full([], -Infinity, { dtype });
  const given = c.isBool(3) ? where(c.x(3), zero, never) : cast(c.x(3), dtype);
  const four = reshape(given, [...new Array<number>(4 - given.shape.length).fill(1), ...given.shape]);
  const reach = four.shape[3];
  const whole = reach < keys && reach > 1 ? pad(four, { axes: [3], after: [keys - reach], value: -Infinity }) : four;
  return expand(whole, [...whole.shape.slice(0, 2), rows, keys]);
}

/** Keys past a sample's length, and with `causal` those after a query that ends at that length. */
function lengthBias(lengths: readonly number[], causal: boolean, { rows, keys }: Sizes, like: Tensor): Tensor {
  const masked = lengths.flatMap((length) =>
    Array.from({ length: rows * keys }, (_, i) => {
      const key = i % keys;
      return key >= length || (causal && key > Math.floor(i / keys) + length - rows) ? -Infinity : 0;
    }),
  );
  return tensor(masked, { shape: [lengths.length, 1, rows, keys], dtype: like.dtype });
}

/** Softmax, but 0 where a row has no key at all. */
function shares(scores: Tensor): Tensor {
  const x = cast(scores, 'f32');
  const kept = greaterScalar(x, LOWEST);
  return cast(mul(softmax(maximum(x, full([], LOWEST))), cast(kept, 'f32')), scores.dtype);
}

async function attention(c: Call): Promise<(Tensor | undefined)[]> {
  const s = sizes(c);
  const [q, k, v] = [c.x(0), c.x(1), c.x(2)];
  const scale = c.number('scale', 1 / Math.sqrt(s.d));
  const lengths = await c.numbers(6);
  const causal = c.flag('is_causal');
  const terms = [maskBias(c, s), lengths ? lengthBias(lengths, causal, s, q) : null].filter((t) => t !== null);
  const sum = (list: readonly Tensor[]): Tensor | undefined => (list.length > 0 ? list.reduce(add) : undefined);
  const ahead = causal && !lengths;
  const y = attend(q, k, v, { heads: q.shape.length === 3 ? s.heads : undefined, scale, bias: sum(terms), causal: ahead });
  if (!c.outputs[3]) return [y];

  const apart = (x: Tensor): Tensor =>
    x.shape.length === 4 ? x : permute(reshape(x, [x.shape[0], x.shape[1], s.heads, s.d]), [0, 2, 1, 3]);
  const scores = mulScalar(matmul(apart(q), apart(k), { transB: true }), scale);
  const mode = c.number('qk_matmul_output_mode', 0);
  if (mode === 0) return [y, undefined, undefined, scores];
  const masked = sum([scores, ...terms, ...(ahead ? [lengthBias([s.rows], true, s, q)] : [])])!;
  return [y, undefined, undefined, mode === 3 ? shares(masked) : masked];
}

export const attentionOps: Adapters = { Attention: attention };
