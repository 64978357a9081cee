// SPDX-License-Identifier: MIT
// The compared networks (specification 9): parameters where the specification gives them, and `tiny` small enough for two cores.
import { describe, expect, it } from 'vitest';
import { ConvUNET } from '../../src/models/convunet.ts';
import { CTN } from '../../src/models/ctn/ctn.ts';
import { EoFormer } from '../../src/models/eoformer/eoformer.ts';
import { HENet } from '../../src/models/henet.ts';
import { SwinSMT } from '../../src/models/swin_smt/swin_smt.ts';
import { UNet2D } from '../../src/models/unet2d.ts';
import { VNet } from '../../src/models/vnet.ts';
import { METHODS } from '../../src/methods/methods.ts';
import { networkSizes } from '../../src/train/cost.ts';
import { presetPlan } from '../../src/train/presets.ts';

const swin = { dim: 48, depths: [2, 2, 6, 2], heads: [3, 6, 12, 24], window: [2, 7, 7] as const };
const ctn = (): CTN => new CTN({ width: 24, swin, inChannels: 1, classes: 2, dropout: 0.05 });
/**
 * Of CTN's public code, which nothing calls: two paths of 3^3 convolutions 192 -> 48 -> 48, attention over positions, three 1^3
 * convolutions 48 -> 192. The specification's 6.60 M count it.
 */
const UNUSED = 2 * 27 * (192 * 48 + 48 * 48) + 8 * 48 + 2 * (48 * 6 + 6) + 48 * 48 + 48 + 2 + 3 * (48 * 192 + 192);

describe('parameters (E.1)', () => {
  it.each([
    ['VNet', () => new VNet({ width: 16, inChannels: 1, classes: 2, dropout: 0.5 }), '9448866'],
    ['U-Net', () => new UNet2D({ width: 64, inChannels: 1, classes: 2 }), '31.042'],
    ['ConvUNET', () => new ConvUNET({ width: 36, stages: 4, blocks: 3, dropPath: 0, inChannels: 1, classes: 2 }), '32.617'],
    [
      'EoFormer, its stencils included',
      () => new EoFormer({ widths: [32, 64, 128, 256], blocks: 2, dropPath: 0.1, inChannels: 1, classes: 2 }),
      '6.399',
    ],
    ['HENet ("about 6 to 7 million")', () => new HENet({ widths: [32, 64, 128, 256], attention: 128, inChannels: 1, classes: 2 }), '6.579'],
    ['CTN, its transformer', () => ctn().swin, '6.960'],
    ['CTN, all', ctn, '12.906'],
    [
      'Swin-SMT',
      () =>
        new SwinSMT({
          width: 48,
          depths: [2, 2, 2, 2],
          heads: [3, 6, 12, 24],
          window: 7,
          experts: 4,
          expertStages: 3,
          inChannels: 1,
          classes: 2,
        }),
      '83.623',
    ],
  ])('%s', (_, make, expected) => {
    const count = [...make().namedParameters()].reduce((n, [name, p]) => n + (p.trainable || name.endsWith('.mask') ? p.size : 0), 0);
    expect(expected.includes('.') ? (count / 1e6).toFixed(3) : String(count)).toBe(expected);
  });

  it('the convolutional part of CTN is the published count without the head that is never used', () => {
    expect(((ctn().countParameters() - ctn().swin.countParameters() + UNUSED) / 1e6).toFixed(2)).toBe('6.60');
  });

  it.each(Object.keys(METHODS).filter((name) => name !== 'sanet'))('%s tiny has at most 2.5 million', (name) => {
    for (const { total } of Object.values(networkSizes(presetPlan('tiny', name)))) expect(total).toBeLessThanOrEqual(2.5e6);
  });
});
