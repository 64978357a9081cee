// SPDX-License-Identifier: MIT
// What the published code of SAM-Med3D computes where it differs from what its paper says; its released weights were trained with it
// (specification 3.2, item 4, and 3.3). Grids are cubic there.
import { tensor, type Tensor } from '../../engine/tensor.ts';
import { attention } from '../../ops/attention.ts';
import { expand } from '../../ops/expand.ts';
import { embedding } from '../../ops/gather.ts';
import { concat, slice, split } from '../../ops/layout.ts';
import { matmul } from '../../ops/matmul.ts';
import { permute } from '../../ops/permute.ts';
import {
  add,
  addScalar,
  cast,
  clamp,
  div,
  equalScalar,
  greaterScalar,
  maximum,
  mul,
  mulScalar,
  sqrt,
  square,
  sub,
  where,
} from '../../ops/pointwise.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';

/** Elements of a bias at once: a binding of 128 MiB, which every device has. */
const BIAS = 2 ** 25;

/** Rows of a table of offsets for each pair of places along an axis: [n, n, d], row n - 1 + i - k at (i, k). */
function pairs(table: Tensor, n: number): Tensor {
  const rows = Uint32Array.from({ length: n * n }, (_, i) => n - 1 + Math.floor(i / n) - (i % n));
  return reshape(embedding(tensor(rows, { dtype: 'u32' }), table), [n, n, table.shape[1]]);
}

/**
 * The positions' part of the scores, [B, heads, T, T]. To query (d, h, w) and key (z, y, x) is added
 * q(d, h, w) . Rd[d - x] + q(d, h, z) . Rh[h - x] + q(d, h, y) . Rw[y - x]: its tensors meet along other axes than meant.
 * q [B, heads, n, n, n, dh], unscaled
 */
function positions(q: Tensor, tables: readonly Tensor[]): Tensor {
  const [b, heads, n, , , dh] = q.shape as [number, number, number, number, number, number];
  const [rd, rh, rw] = tables.map((table) => permute(pairs(table, n), [0, 2, 1])) as [Tensor, Tensor, Tensor]; // [n, dh, n]
  // One product for each place along the axis that leads: [B, heads, n, n * n, n].
  const scores = (leading: Tensor, table: Tensor): Tensor =>
    reshape(matmul(reshape(leading, [b, heads, n, n * n, dh]), table), [b, heads, n, n, n, n]);
  const whole = b * heads * n * n;
  const byW = reshape(scores(q, rd), [whole, n, 1, 1, n]); // (d, h), w, x
  // h leads; (d, h), z, x
  const byZ = reshape(permute(scores(permute(q, [0, 1, 3, 2, 4, 5]), rh), [0, 1, 3, 2, 4, 5]), [whole, 1, n, 1, n]);
  // w leads; (d, h), y, x
  const byY = reshape(permute(scores(permute(q, [0, 1, 4, 2, 3, 5]), rw), [0, 1, 3, 4, 2, 5]), [whole, 1, 1, n, n]);
  return reshape(add(byW, add(byZ, byY)), [b, heads, n ** 3, n ** 3]);
}

/** qkv [B, n, n, n, 3C], tables of offsets along D, H, W, [2n - 1, C / heads] each -> [B, n, n, n, C] */
export function officialAttention(qkv: Tensor, tables: readonly Tensor[], heads: number): Tensor {
  const [b, n, , , c3] = qkv.shape as [number, number, number, number, number];
  const dh = c3 / 3 / heads;
  const tokens = n ** 3;
  const parts = permute(reshape(qkv, [b, tokens, 3, heads, dh]), [2, 0, 3, 1, 4]);
  const most = Math.max(1, Math.floor(BIAS / (b * tokens * tokens)));
  const out: Tensor[] = [];
  for (let start = 0; start < heads; start += most) {
    const end = Math.min(heads, start + most);
    const own = most < heads ? slice(parts, { axis: 2, start, end }) : parts;
    const [q, k, v] = split(own, [1, 1, 1], { axis: 0 }).map((t) => reshape(t, [b, end - start, tokens, dh])) as [Tensor, Tensor, Tensor];
    out.push(attention(q, k, v, { bias: positions(reshape(q, [b, end - start, n, n, n, dh]), tables) }));
  }
  const y = out.length > 1 ? concat(out, { axis: 1 }) : out[0]; // [B, heads, T, dh]
  return reshape(permute(y, [0, 2, 1, 3]), [b, n, n, n, c3 / 3]);
}

/** [B, D, H, W, 1] <-> [B, W, H, D, 1]: volumes lie in the order x, y, z there. */
export const turned = (volume: Tensor): Tensor => permute(volume, [0, 3, 2, 1, 4]);

/** Coordinates (D, H, W) -> (W, H, D), [..., 3] */
export function turnedCoords(coords: Tensor): Tensor {
  const [d, h, w] = split(coords, [1, 1, 1], { axis: -1 }) as [Tensor, Tensor, Tensor];
  return concat([w, h, d], { axis: -1 });
}

/** HU = scale x + offset of the intensities that come. */
export interface Intensity {
  readonly scale: number;
  readonly offset: number;
}

/**
 * Its preprocessing of CT: HU in [-1000, 1000], then mean 0 and deviation 1 (of n - 1) over the voxels above 0 HU of each volume.
 * Where no two of them differ it stops; here all voxels count then, and a volume of one value becomes 0. x [B, D, H, W, 1]
 */
export function officialIntensities(x: Tensor, { scale, offset }: Intensity): Tensor {
  const axes = [1, 2, 3, 4];
  const total = (t: Tensor): Tensor => sum(t, { axes, keepDims: true });
  const hu = clamp(addScalar(mulScalar(x, scale), offset), -1000, 1000);
  const normal = (mask: Tensor): { centred: Tensor; deviation: Tensor } => {
    const count = total(mask);
    const centred = sub(hu, div(total(mul(hu, mask)), maximum(count, tensor([1]))));
    return { centred, deviation: sqrt(div(total(mul(mask, square(centred))), maximum(addScalar(count, -1), tensor([1])))) };
  };
  const tissue = cast(greaterScalar(hu, 0), 'f32');
  const one = expand(tensor([1]), hu.shape);
  const { deviation } = normal(tissue);
  const { centred, deviation: used } = normal(where(greaterScalar(deviation, 0), tissue, one));
  return div(centred, where(equalScalar(used, 0), tensor([1]), used));
}
