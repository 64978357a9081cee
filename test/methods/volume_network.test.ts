// SPDX-License-Identifier: MIT
// SA-Net with a VNet in the 3D role: the same exchange, no prompts; what needs SAM is refused by name.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { methodOf } from '../../src/methods/methods.ts';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';
import { buildNetworks } from '../../src/train/networks.ts';
import { ablate, assertNothingIdle, parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { iterations, phantomSampler, read, smallPlan, startTraining } from '../train/phantom_step.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** Micro-batches hold every slice, so that both forms of the step see the same; every pseudo label counts. */
function vnetPlan(pseudo: SanetPlan['method']['cross']['pseudo'], change: Partial<SanetPlan['method']['cross']> = {}): SanetPlan {
  const plan = smallPlan([16, 16, 16]);
  plan.method.volume = 'vnet';
  plan.method.vnet = { width: 2, dropout: 0, rate: 0.05, decay: 0 };
  Object.assign(plan.method.network2d, { useMSA: false, useBGC: false, useRM: false });
  Object.assign(plan.method.cross, { pseudo, slices: [16, 16], microBatch: 16, softThreshold: 0.5, hardThreshold: 0.5, ...change });
  return plan;
}

describe('a plan', () => {
  it('that says nothing of it has SAM, as before', () => {
    const { volume: _volume, vnet: _vnet, ...method } = presetPlan('tiny').method;
    const before = { ...presetPlan('tiny'), method };
    expect(parsePlan(JSON.parse(JSON.stringify(before)))).toEqual(presetPlan('tiny'));
    expect(Object.keys(buildNetworks(presetPlan('demo')))).toEqual(['sam', 'transverse', 'coronal']);
  });

  it('has a VNet where it asks for one, and refuses what only SAM has', () => {
    const plan = presetPlan('demo');
    plan.method.volume = 'vnet';
    expect(Object.keys(methodOf(plan).networks(plan))).toEqual(['vnet', 'transverse', 'coronal']);
    expect(() => ablate(plan, ['sam'])).toThrow(/method\.volume: got "vnet" with sam\.enabled false/);
    expect(Object.keys(methodOf(plan).networks(ablate(plan, ['2d'])))).toEqual(['vnet']);
    plan.evaluation.headline = 'sam';
    expect(() => parsePlan(JSON.parse(JSON.stringify(plan)))).toThrow(
      /evaluation\.headline: got "sam", a network that the plan leaves out/,
    );
    plan.evaluation.headline = 'vnet';
    expect(parsePlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
    plan.data.roi[1] = 40;
    expect(() => parsePlan(JSON.parse(JSON.stringify(plan)))).toThrow(/data\.roi\.1: got 40, expected a multiple of 16/);
  });

  it('does not begin with fields of the network that it leaves out, unless they are as the preset has them', () => {
    const plan = presetPlan('demo');
    Object.assign(plan.method.sam, { rate: 0.01, clicks: 2 });
    expect(() => assertNothingIdle(plan)).not.toThrow();
    plan.method.volume = 'vnet';
    const written = parsePlan(JSON.parse(JSON.stringify(plan)));
    expect(written).toEqual(plan); // a run that has begun with it goes on, is predicted with and compared
    expect(() => assertNothingIdle(written)).toThrow(/2 fields cannot be used/);
    expect(() => assertNothingIdle(written)).toThrow(
      /method\.sam\.rate: got 0\.01 with method\.volume "vnet", which has no use for it, expected 0\.0008 or nothing/,
    );
    expect(() => assertNothingIdle(written)).toThrow(/method\.sam\.clicks: got 2/);
    const { sam: _sam, ...method } = JSON.parse(JSON.stringify(plan.method));
    expect(() => assertNothingIdle(parsePlan({ ...plan, method }))).not.toThrow();
    plan.method.vnet.width = 8;
    plan.method.volume = 'sam';
    expect(() => assertNothingIdle(plan)).toThrow(/method\.vnet\.width: got 8 with method\.volume "sam"/);
    // What is switched off is left as it is: a control is its plan with less.
    expect(() =>
      assertNothingIdle(ablate({ ...plan, method: { ...plan.method, vnet: presetPlan('demo').method.vnet } }, ['sam'])),
    ).not.toThrow();
  });

  it('does not become one of official SAM by the weights that it is given', () => {
    const plan = presetPlan('demo');
    plan.method.volume = 'vnet';
    const official = new Map([
      ['image_encoder.pos_embed', [1, 8, 8, 8, 768]],
      ['image_encoder.blocks.0.attn.rel_pos_d', [27, 64]],
    ]);
    const { suit, unsuited } = methodOf(plan).foreign!;
    expect([suit(plan, official), unsuited(plan, official)]).toEqual([undefined, undefined]);
    expect(suit(presetPlan('demo'), official)).toMatch(/official/);
  });
});

describe('a step', () => {
  it('is one in both forms where a micro-batch holds every slice; teaches and is taught', async () => {
    const [selected, full] = [await iterations(vnetPlan('selected'), 2), await iterations(vnetPlan('full'), 2)];
    const names = ['vnet', 'transverse', 'coronal'];
    expect(Object.keys(selected[0]).sort()).toEqual([...names, ...names.map((n) => `${n}_norm`), 'quality', 'agreement.2D planes'].sort());
    for (const [it, row] of selected.entries())
      for (const [key, value] of Object.entries(row)) expect(Math.abs(full[it][key] / value - 1), `${key} of ${it}`).toBeLessThan(2e-3);
    const [alone] = await iterations(vnetPlan('selected', { enabled: false }), 1);
    for (const name of names) expect(alone[name], name).not.toBe(selected[0][name]);
  });

  it('draws dropout anew in every iteration, and looks at mirrored volumes', async () => {
    const plan = vnetPlan('selected', { mirrorAgreement: true });
    Object.assign(plan.method.vnet, { dropout: 0.5, rate: 1e-8 }); // the network stays what it is
    const [feed] = await phantomSampler(plan).iteration(0);
    using training = await startTraining(plan);
    const at = async (iteration: number): Promise<number> => (await read(await training.step.run([feed], { iteration, lambda: 0 }))).vnet;
    const losses = [await at(0), await at(1), await at(0)];
    expect(Math.abs(losses[2] / losses[0] - 1)).toBeLessThan(1e-5);
    expect(Math.abs(losses[1] / losses[0] - 1)).toBeGreaterThan(1e-4);
  });

  it('of volumes one after another is that of volumes side by side', async () => {
    const plan = vnetPlan('full');
    plan.training.batch = 2;
    const volumes = await phantomSampler(plan).iteration(0);
    const rows = [];
    for (const together of [1, 2]) {
      using training = await startTraining(plan, { together: { 'train vnet': together } });
      expect(training.step.programs.find(({ name }) => name === 'train vnet')!.together).toBe(together);
      rows.push(await read(await training.run(volumes)));
    }
    for (const [key, value] of Object.entries(rows[0])) expect(Math.abs(rows[1][key] / value - 1), key).toBeLessThan(1e-3);
  });
});

it('predicts what its networks say, no click asked', async () => {
  const plan = vnetPlan('selected');
  const nets = buildNetworks(plan);
  const [{ image }] = await phantomSampler(plan).iteration(0);
  const predictor = await methodOf(plan).predictor(plan, nets);
  const [found, again] = await predictor.run([image, image]);
  expect(Object.keys(found).sort()).toEqual(['coronal', 'transverse', 'vnet']);
  expect(again.vnet).toEqual(found.vnet);
  for (let i = 0; i < found.vnet.length; i += 2) expect(found.vnet[i] + found.vnet[i + 1]).toBeCloseTo(1, 5);
  predictor.dispose();
});
