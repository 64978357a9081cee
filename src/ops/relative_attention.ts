// SPDX-License-Identifier: MIT
// Self attention on a grid of tokens with SAM's decomposed relative positions (specification 3.2, item 4).
import { fields, integer, maybe, number } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor, door } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { attentionPacked } from './attention.ts';
import { concat } from './layout.ts';
import { reshape } from './reshape.ts';

/**
 * qkv [B, D, H, W, 3C], tables [2D - 1, C / heads], [2H - 1, C / heads], [2W - 1, C / heads] shared by the heads -> [B, D, H, W, C].
 * Scores are q k^T / sqrt(C / heads) + q . Rd[td - ud] + q . Rh[th - uh] + q . Rw[tw - uw].
 */
export const relativeAttention = door(
  'relativeAttention',
  { qkv: aTensor, relD: aTensor, relH: aTensor, relW: aTensor, options: fields({ heads: integer(1), scale: maybe(number()) }) },
  (qkv: Tensor, relD: Tensor, relH: Tensor, relW: Tensor, { heads, scale }: { heads: number; scale?: number }): Tensor => {
    if (qkv.shape.length !== 5) throw new ShapeError(`relativeAttention: qkv has shape [${qkv.shape}], expected [B, D, H, W, 3C].`);
    const [b, d, h, w, c3] = qkv.shape as [number, number, number, number, number];
    for (const [axis, table, n] of [
      ['relD', relD, d],
      ['relH', relH, h],
      ['relW', relW, w],
    ] as const)
      if (table.shape.length !== 2 || table.shape[0] !== 2 * n - 1 || table.shape[1] !== c3 / 3 / heads)
        throw new ShapeError(
          `relativeAttention: ${axis} has shape [${table.shape}], expected [${2 * n - 1}, ${c3 / 3 / heads}] for ${n} tokens along ` +
            'its axis.',
        );
    const tables = concat([relD, relH, relW], { axis: 0 });
    const y = attentionPacked(reshape(qkv, [b, d * h * w, c3]), {
      heads,
      ...(scale !== undefined && { scale }),
      positions: { tables, grid: [d, h, w] },
    });
    return reshape(y, [b, d, h, w, c3 / 3]);
  },
);
