// SPDX-License-Identifier: MIT
// Specification E.1 and E.2: parameters of every network and module, tokens and groups of the cross-layer attention. No device:
// networks are counted without drawing a weight.
import { describe, expect, it } from 'vitest';
import type { Module } from '../../src/nn/module.ts';
import { SAM_PRESETS, type SamPreset } from '../../src/models/sam_med3d/config.ts';
import { SamMed3D } from '../../src/models/sam_med3d/sam.ts';
import { CCA, CSA } from '../../src/models/sanet/cross_layer.ts';
import { makeNetworks } from '../../src/train/networks.ts';
import { presetPlan } from '../../src/train/presets.ts';
import type { SanetNetworks } from '../../src/methods/sanet/networks.ts';

const count = (...modules: Module[]): number => modules.reduce((n, m) => n + m.countParameters(), 0);

describe('parameters (E.1)', () => {
  it('of the 2D network of `paper`, module by module', () => {
    const net = (makeNetworks(presetPlan('paper')) as SanetNetworks).transverse!;
    const { msa, rm } = net;
    expect({
      whole: count(net),
      encoder: count(net.encoder),
      laterals: count(...net.lat),
      mfca: count(...msa!.mfca),
      cca: count(msa!.cca),
      csa: count(msa!.csa),
      mr: count(...msa!.mr),
      region: count(net.task.region),
      boundary: count(...net.task.boundary),
      bgc: count(net.bgc!),
      esg: count(net.esg!),
      edge: count(net.edge),
      start: [count(rm!.start_l), count(rm!.start_b)],
      baa: rm!.baa.map((b) => count(b)),
      auxiliary: [count(...rm!.region), count(...rm!.boundary)],
      head: count(net.head!),
    }).toEqual({
      whole: 35_010_841,
      encoder: 23_501_760,
      laterals: 985_088,
      mfca: 32_768,
      cca: 1_340_692,
      csa: 1_341_332,
      mr: 2_625_536,
      region: 1_769_984,
      boundary: 2_425_856,
      bgc: 248_896,
      esg: 280_064,
      edge: 257,
      start: [16_512, 16_512],
      baa: [168_328, 102_792, 70_024, 53_640],
      auxiliary: [650, 260],
      head: 2_112 + 27_778,
    });
    expect(count(msa!, ...net.lat)).toBe(6_325_416);
  });

  it.each([
    ['base', 27_087_257],
    ['tiny', 1_671_305],
    ['demo', 909_033],
  ] as const)('of the 2D networks of `%s`', (preset, expected) => {
    const { transverse, coronal } = makeNetworks(presetPlan(preset));
    expect([count(transverse), count(coronal)]).toEqual([expected, expected]);
  });

  // Exact where the specification is exact, else to its last digit.
  it.each<[SamPreset, number | string]>([
    ['sam-b128-w14', 92_924_928],
    ['sam-b128', 92_906_496],
    ['sam-s128', '27.228'],
    ['sam-s96', '27.105'],
    ['sam-t64', '7.533'],
  ])('of %s', (preset, expected) => {
    const sam = new SamMed3D(SAM_PRESETS[preset]);
    const encoder = count(sam.image_encoder);
    expect(typeof expected === 'number' ? encoder : (encoder / 1e6).toFixed(3)).toBe(expected);
    expect({ prompt: count(sam.prompt_encoder), decoder: count(sam.mask_decoder) }).toEqual({ prompt: 8_668, decoder: 7_575_636 });
  });

  it.each([
    ['paper', 'sam-b128'],
    ['base', 'sam-s96'],
    ['tiny', 'sam-t64'],
    ['demo', 'sam-t64'],
  ] as const)('`%s` takes %s', (preset, sam) => {
    const { size, width: dim, depth, heads, window } = presetPlan(preset).method.sam;
    expect({ size, dim, depth, heads, window }).toEqual(SAM_PRESETS[sam]);
  });
});

describe('tokens (E.2)', () => {
  it('of one group', () => {
    const [cca, csa] = [new CCA(32), new CSA(32)];
    expect([cca.tokens, csa.tokens]).toEqual([
      [65, 17, 5, 1],
      [81, 25, 9, 1],
    ]);
    expect([cca, csa].map((m) => m.tokens.reduce((a, b) => a + b))).toEqual([88, 116]);
    expect([cca.table.shape, csa.table.shape]).toEqual([
      [129, 4],
      [289, 4],
    ]);
  });
});
