// SPDX-License-Identifier: MIT
// Cross-layer attention (specification 4.2c-e): tokens of all four pyramid levels attend to each other, grouped by channel
// (CCA) or by place (CSA). Cosine scores, no temperature, a learned position bias.
import { tensor, type Tensor } from '../../engine/tensor.ts';
import { attention } from '../../ops/attention.ts';
import { concat, split } from '../../ops/layout.ts';
import { matmul } from '../../ops/matmul.ts';
import { permute } from '../../ops/permute.ts';
import { add, gelu } from '../../ops/pointwise.ts';
import { reshape } from '../../ops/reshape.ts';
import { depthToSpace, spaceToDepth } from '../../ops/rearrange.ts';
import { interpolationPlan, tableInterpolate } from '../../ops/table_interpolate.ts';
import { fold, foldAxis, unfold, unfoldAxis } from '../../ops/windows.ts';
import { castTo } from '../../nn/cast_to.ts';
import { truncatedNormal, zerosInit } from '../../nn/init.ts';
import { Conv2d } from '../../nn/convolution.ts';
import { attentionInit, LayerNorm, Linear } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';
import { channelTaps, spatialTaps, type Taps } from './position_bias.ts';

/** Linear size of each level relative to the smallest. */
const RATIOS = [8, 4, 2, 1] as const;
const HEADS = 4;

/** What every level owns: position convolutions, projections, MLP. */
class Level extends Module {
  readonly dw1: Conv2d;
  readonly qkv: Conv2d;
  readonly proj: Conv2d;
  readonly norm1: LayerNorm;
  readonly dw2: Conv2d;
  readonly norm2: LayerNorm;
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(channels: number, inner: number) {
    super();
    const position = (): Conv2d => new Conv2d(channels, channels, 3, { padding: 1, groups: channels, bias: true });
    this.dw1 = position();
    this.qkv = new Conv2d(channels, 3 * inner, 1, { bias: true, ...attentionInit });
    this.proj = new Conv2d(inner, channels, 1, { bias: true, ...attentionInit });
    this.norm1 = new LayerNorm(channels);
    this.dw2 = position();
    this.norm2 = new LayerNorm(channels);
    this.fc1 = new Linear(channels, 2 * channels, attentionInit);
    this.fc2 = new Linear(2 * channels, channels, attentionInit);
  }

  /** x [S, h, w, C] -> shortcut of that shape, qkv [S, h, w, 3C'] */
  before(x: Tensor): { shortcut: Tensor; qkv: Tensor } {
    const shortcut = add(x, gelu(this.dw1.forward(x)));
    return { shortcut, qkv: this.qkv.forward(shortcut) };
  }

  after(shortcut: Tensor, attended: Tensor): Tensor {
    const y = this.norm1.forward(this.proj.forward(attended), { add: shortcut });
    const z = add(y, gelu(this.dw2.forward(y)));
    return add(z, this.fc2.forward(gelu(this.fc1.forward(this.norm2.forward(z)))));
  }
}

abstract class CrossLayerAttention extends Module {
  readonly level: Level[];
  readonly table: Parameter;
  /** One scalar a key level and head. */
  readonly level_bias: Parameter;
  protected readonly inner: number;
  /** Tokens of each level in one group: 65, 17, 5, 1 or 81, 25, 9, 1. */
  readonly tokens: readonly number[];
  private readonly taps: Taps;

  constructor(channels: number, tokens: readonly number[], taps: Taps, rows: number) {
    super();
    this.inner = channels / 4;
    this.tokens = tokens;
    this.taps = taps;
    this.level = RATIOS.map(() => new Level(channels, this.inner));
    this.table = new Parameter([rows, HEADS], truncatedNormal(0.02), { decay: false });
    this.level_bias = new Parameter([RATIOS.length, HEADS], zerosInit, { decay: false });
  }

  /** qkv map of one level [S, h, w, 3C'] -> groups of tokens [B, T_i, 3 C_t] */
  protected abstract group(qkv: Tensor, ratio: number): Tensor;
  /** Attended tokens of one level [B, T_i, C_t] -> map [S, h, w, C']: the adjoint of the grouping, overlaps summed. */
  protected abstract ungroup(tokens: Tensor, ratio: number, slices: number, smallest: readonly [number, number]): Tensor;

  /** The table at the offset of query and key, plus the key level's scalar: [nh, T, T]. */
  positionBias(): Tensor {
    const total = this.taps.tokens;
    const keyLevel = new Float32Array(total * RATIOS.length);
    let t = 0;
    this.tokens.forEach((n, level) => {
      for (let i = 0; i < n; i++) keyLevel[t++ * RATIOS.length + level] = 1;
    });
    const scalar = matmul(tensor(keyLevel, { shape: [total, RATIOS.length] }), this.level_bias); // [T, nh]
    const keys = reshape(permute(scalar, [1, 0]), [HEADS, 1, total]);
    // a trace's own: it goes with it
    const plan = interpolationPlan(this.table.shape[0], [total, total], this.taps.index, this.taps.weights);
    return add(tableInterpolate(this.table, plan), keys);
  }

  /** Four maps [S, h_i, w_i, C], largest first, each half the one before -> four maps of the same shapes. */
  forward(maps: readonly Tensor[]): Tensor[] {
    return this.scoped(() => {
      const [slices, hm, wm] = maps.at(-1)!.shape as [number, number, number];
      const levels = maps.map((x, i) => this.level[i].before(x));
      const grouped = concat(
        levels.map(({ qkv }, i) => this.group(qkv, RATIOS[i])),
        { axis: 1 },
      ); // [B, T, 3 C_t]
      const [q, k, v] = split(grouped, 3, { axis: 2 }) as [Tensor, Tensor, Tensor];
      const attended = attention(q, k, v, { heads: HEADS, cosine: true, bias: castTo(this.positionBias(), q.dtype) });
      const own = split(attended, this.tokens, { axis: 1 });
      return levels.map(({ shortcut }, i) => this.level[i].after(shortcut, this.ungroup(own[i], RATIOS[i], slices, [hm, wm])));
    });
  }
}

const CHANNEL_WINDOWS = RATIOS.map((r) => (r === 1 ? 1 : r * r + 1));
const SPACE_WINDOWS = RATIOS.map((r) => (r === 1 ? 1 : r + 1));

/** Groups along channels: every channel's r^2 phases and the last phase of the channel before; token vector = hm * wm places. */
export class CCA extends CrossLayerAttention {
  constructor(channels: number) {
    super(channels, CHANNEL_WINDOWS, channelTaps(CHANNEL_WINDOWS), 2 * CHANNEL_WINDOWS[0] - 1);
  }

  protected group(qkv: Tensor, r: number): Tensor {
    const deep = r === 1 ? qkv : spaceToDepth(qkv, { factor: r }); // [S, hm, wm, 3C' r^2]
    const [s, hm, wm] = deep.shape as [number, number, number];
    const parts = unfoldAxis(reshape(deep, [s, hm, wm, 3, this.inner * r * r]), {
      axis: -1,
      window: r === 1 ? 1 : r * r + 1,
      stride: r * r,
      padding: r === 1 ? 0 : 1,
    });
    const window = parts.shape.at(-1)!; // [S, hm, wm, 3, C', w]
    const byHead = reshape(parts, [s, hm * wm, 3, HEADS, this.inner / HEADS, window]);
    return reshape(permute(byHead, [0, 4, 5, 2, 3, 1]), [s * (this.inner / HEADS), window, 3 * HEADS * hm * wm]);
  }

  protected ungroup(tokens: Tensor, r: number, s: number, [hm, wm]: readonly [number, number]): Tensor {
    const window = tokens.shape[1];
    const byHead = reshape(tokens, [s, this.inner / HEADS, window, HEADS, hm * wm]);
    const parts = reshape(permute(byHead, [0, 4, 3, 1, 2]), [s, hm, wm, this.inner, window]);
    const deep = foldAxis(parts, { axis: 3, size: this.inner * r * r, stride: r * r, padding: r === 1 ? 0 : 1 });
    return r === 1 ? deep : depthToSpace(deep, { factor: r });
  }
}

/** Groups along space: windows around each cell of the smallest map; token vector = the channels of one head. */
export class CSA extends CrossLayerAttention {
  constructor(channels: number) {
    super(
      channels,
      SPACE_WINDOWS.map((w) => w * w),
      spatialTaps(SPACE_WINDOWS),
      (2 * SPACE_WINDOWS[0] - 1) ** 2,
    );
  }

  protected group(qkv: Tensor, r: number): Tensor {
    const windows = unfold(qkv, { window: r === 1 ? 1 : r + 1, stride: r, padding: r === 1 ? 0 : 1 });
    const [s, y, x, kh, kw] = windows.shape as [number, number, number, number, number];
    return reshape(windows, [s * y * x, kh * kw, 3 * this.inner]);
  }

  protected ungroup(tokens: Tensor, r: number, s: number, [hm, wm]: readonly [number, number]): Tensor {
    const side = r === 1 ? 1 : r + 1;
    return fold(reshape(tokens, [s, hm, wm, side, side, this.inner]), { size: [hm * r, wm * r], stride: r, padding: r === 1 ? 0 : 1 });
  }
}
