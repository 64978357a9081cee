// SPDX-License-Identifier: MIT
// Compared networks through the same loop as SA-Net: one of each kind here, the others in supervised.full.test.ts.
import { describe, expect, it } from 'vitest';
import { METHODS, methodOf } from '../../src/methods/methods.ts';
import { PRESETS } from '../../src/methods/plan.ts';
import { ablate, parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { smallPlan, wholeWay } from './whole_way.ts';

describe.each(Object.keys(METHODS))('%s', (method) => {
  it.each(PRESETS)('%s is a whole plan that survives JSON', (preset) => {
    const plan = presetPlan(preset, method);
    expect(parsePlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
    expect(methodOf(plan).name).toBe(method);
    expect(Object.keys(methodOf(plan).networks(plan)).every((name) => methodOf(plan).outputs.includes(name))).toBe(true);
  });
});

// A network of volumes, one of slices, and three that teach each other.
wholeWay([
  [
    'vnet',
    (p) => {
      p.method.network.dropout = 0.5;
    },
  ],
  [
    'unet2d',
    (p) => {
      p.method.slices = 4;
    },
  ],
  [
    'cross_teaching',
    (p) => {
      p.method.vnet.dropout = 0.5;
      p.method.cross.slices = [4, 4];
      p.method.cross.warmStart = 0;
    },
  ],
]);

it('a plan that does not fit its method says so', () => {
  expect(() =>
    smallPlan('vnet', (p) => {
      p.data.roi = [8, 32, 32];
    }),
  ).toThrow(/data\.roi\.0: got 8, expected a multiple of 16 with method "vnet"/);
  expect(() =>
    smallPlan('vnet', (p) => {
      p.method.sam = {};
    }),
  ).toThrow(/method\.sam: unknown field/);
  expect(() =>
    smallPlan('vnet', (p) => {
      p.evaluation.headline = 'sam';
    }),
  ).toThrow(/expected "ensemble" or "vnet"/);
  expect(() =>
    smallPlan('swin_smt', (p) => {
      p.data.roi = [8, 32, 36];
    }),
  ).toThrow(/data\.roi\.2: got 36, expected a multiple of 8 with 2 stages/);
  expect(() =>
    smallPlan('swin_smt', (p) => {
      p.data.roi = [8, 8, 8];
    }),
  ).toThrow(/data\.roi: got 8 x 8 x 8, expected a side above 8/);
  expect(() =>
    smallPlan('swin_smt', (p) => {
      p.method.network.heads = [3, 2, 1];
    }),
  ).toThrow(/network\.heads: got 3 stages, expected 2/);
  expect(() =>
    smallPlan('ctn', (p) => {
      p.method.network.swin.heads[1] = 5;
    }),
  ).toThrow(/swin\.heads\.1: got 5, expected a divisor of the stage's 24 channels/);
  expect(() => ablate(smallPlan('vnet'), ['msa'])).toThrow(/expected nothing: vnet has no parts/);
  expect(() => presetPlan('tiny', 'toString')).toThrow(
    /method: got "toString", expected sanet, vnet, unet2d, unet3d, cross_teaching, eoformer, convunet, henet, ctn, swin_smt/,
  );
});
