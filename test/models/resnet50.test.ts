// torchvision's ResNet-50, weights drawn from one Philox stream in both languages: the same feature maps at 64 x 64
// (test/golden/resnet50/make.py; 64 sampled values a map, in evaluation mode).
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { evaluate } from '../../src/engine/program.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { ResNet } from '../../src/models/resnet.ts';
import { channelsLast, draw } from './golden.ts';

interface Golden {
  seed: number;
  size: number;
  parameters: number;
  maps: Record<string, { shape: number[]; largest: number; samples: number[] }>;
}

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it("gives torchvision's feature maps", async () => {
  const golden = JSON.parse(readFileSync(new URL('../golden/resnet50/resnet50.json', import.meta.url), 'utf8')) as Golden;
  const net = new ResNet({ inChannels: 3 }).initialise(1).eval();
  const named = [...net.namedParameters()].filter(([, p]) => p.trainable).sort(([a], [b]) => (a < b ? -1 : 1));
  expect(named.length).toBe(golden.parameters);
  named.forEach(([name, p], op) => {
    const shape = [...p.torchShape];
    const norm = shape.length === 1;
    const scale = norm ? 0.1 : 1 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1));
    p.setTorchValues(draw(golden.seed, { shape, op, offset: norm && name.endsWith('weight') ? 1 : 0, scale }));
  });
  const shape = [1, 3, golden.size, golden.size];
  const x = tensor(channelsLast(draw(golden.seed, { shape, op: 10000, offset: 0, scale: 1 }), shape), {
    shape: [1, golden.size, golden.size, 3],
  });
  const maps = evaluate(() => net.forward(x));
  for (const [i, map] of maps.entries()) {
    const { shape: expected, largest, samples } = golden.maps[`e${i + 1}`];
    const values = channelsLast(await map.data(), expected, true);
    expect(values.length).toBe(expected.reduce((a, b) => a * b, 1));
    const worst = Math.max(...samples.map((s, k) => Math.abs(values[Math.floor((k * values.length) / samples.length)] - s)));
    expect(worst / largest, `e${i + 1}`).toBeLessThan(1e-4);
  }
});
