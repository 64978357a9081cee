// Ten iterations of all three networks, started at ramp r = 1 and lr 1e-3 without warm-up, against PyTorch in float64 from the
// same weights, images, augmentations, clicks and slices (test/golden/sanet/ten_iterations.py).
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyAugmentation, type Augmentation } from '../../src/data/augment.ts';
import { spec } from '../../src/engine/dtype.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { parseSafetensors } from '../../src/files/safetensors.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { buildNetworks, buildOptimisers } from '../../src/train/networks.ts';
import { networkList } from '../../src/methods/method.ts';
import { compileStep, stepExample } from '../../src/methods/sanet/step.ts';
import { draw } from './golden.ts';
import { calmWeights } from './calm_weights.ts';

interface Iteration {
  case: number;
  augmentation: Augmentation;
  click: number[];
  transverse: number[];
  coronal: number[];
  losses: Record<'n3' | 'transverse' | 'coronal', number>;
  quality: number;
  norms: Record<string, number>;
}
interface Fixture {
  seeds: Record<string, number>;
  lam: number;
  size: [number, number, number];
  cases: { transverse: number; coronal: number | null }[];
  iterations: Iteration[];
}

const folder = new URL('../golden/sanet/', import.meta.url);
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it('ten iterations match PyTorch float64 to 1e-3', async () => {
  const fixture = JSON.parse(readFileSync(new URL('ten_iterations.json', folder), 'utf8')) as Fixture;
  const { tensors } = parseSafetensors(readFileSync(new URL('ten_iterations.safetensors', folder)));
  const [d, h, w] = fixture.size;
  const plan = presetPlan('demo');
  // The fixture's, whatever the preset's.
  plan.method.network2d.rate = 1e-3;
  Object.assign(plan.method.sam, { rate: 1e-3, decay: 0.01, decoderFactor: 0.1 });
  const nets = buildNetworks(plan);
  for (const { name, net } of networkList(nets)) calmWeights(net, fixture.seeds[name === 'sam' ? 'n3' : name], draw);
  const optimisers = buildOptimisers(plan, nets);
  const base = stepExample(plan);
  const example = {
    ...base,
    transverse: { ...base.transverse, selected: spec([8, 64, 5], 'u32') },
    coronal: { ...base.coronal, selected: spec([8, 32, 5], 'u32') },
  };
  const step = await compileStep(plan, nets, optimisers, { partial: false, example });

  for (const [i, it] of fixture.iterations.entries()) {
    const { transverse, coronal } = fixture.cases[it.case];
    const mask = tensors.get(`case${it.case}/mask`)!.data as Uint8Array;
    const sample = applyAugmentation(
      {
        image: Float32Array.from(tensors.get(`case${it.case}/image`)!.data as Uint8Array, (v) => v / 127.5 - 1),
        label: mask,
        weight: Uint8Array.from(mask, (_, at) => {
          const z = Math.floor(at / (h * w));
          const y = Math.floor(at / w) % h;
          return z % 3 === transverse || (coronal !== null && y % 3 === coronal) ? 1 : 0;
        }),
        size: fixture.size,
      },
      it.augmentation,
    );
    const [image, label, annotated] = [sample.image, Float32Array.from(sample.label), Float32Array.from(sample.weight)];
    const plane = (list: number[], count: number, name: string) => {
      const inverse = new Uint32Array(count);
      const chosen = new Float32Array(count);
      list.forEach((s, at) => {
        inverse[s] = at;
        chosen[s] = 1;
      });
      return {
        index: Uint32Array.from(list),
        inverse,
        chosen,
        selected: Uint32Array.from(tensors.get(`selected/${i}/${name}`)!.data as Uint8Array),
      };
    };
    const result = await step.run(
      [
        {
          image,
          label,
          annotated,
          present: Float32Array.of(1, 1),
          labels: Float32Array.of(1),
          coords: Float32Array.from(it.click, (v, axis) => (v + 0.5) / fixture.size[axis]),
          transverse: plane(it.transverse, d, 'transverse'),
          coronal: plane(it.coronal, h, 'coronal'),
        },
      ],
      { iteration: i, lambda: fixture.lam },
    );
    for (const [ours, theirs] of [
      ['sam', 'n3'],
      ['transverse', 'transverse'],
      ['coronal', 'coronal'],
    ] as const) {
      const value = await result[ours].item();
      expect(Math.abs(value / it.losses[theirs] - 1), `iteration ${i}, ${theirs}: ${value} against ${it.losses[theirs]}`).toBeLessThan(
        1e-3,
      );
    }
    expect(await result.quality.item(), `iteration ${i}, quality`).toBeCloseTo(it.quality, 2);
  }
});
