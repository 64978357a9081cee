// The compared networks against PyTorch modules that were written from the specification by someone who had not read ours
// (test/golden/rivals): logits in training mode and by running statistics, gradients of every parameter and of the input.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { ConvUNET } from '../../src/models/convunet.ts';
import { CTN } from '../../src/models/ctn/ctn.ts';
import { EoFormer } from '../../src/models/eoformer/eoformer.ts';
import { HENet } from '../../src/models/henet.ts';
import { SwinSMT } from '../../src/models/swin_smt/swin_smt.ts';
import { UNet2D } from '../../src/models/unet2d.ts';
import { UNet3D } from '../../src/models/unet3d.ts';
import { VNet } from '../../src/models/vnet.ts';
import { compareRival } from './rivals_golden.ts';
import { NAMES } from './rivals_names.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const size = { inChannels: 1, classes: 2 };

const CASES: Record<keyof typeof NAMES, () => Parameters<typeof compareRival>[1]> = {
  vnet: () => new VNet({ width: 4, ...size, dropout: 0 }),
  unet2d: () => new UNet2D({ width: 8, ...size }),
  unet3d: () => new UNet3D({ widths: [8, 16, 32, 64], blocks: [1, 2, 2, 1], inChannels: 1, classes: 3 }),
  convunet: () => new ConvUNET({ width: 4, stages: 3, blocks: 2, inChannels: 2, classes: 2, dropPath: 0 }),
  eoformer: () => new EoFormer({ widths: [8, 16, 32, 64], blocks: 2, dropPath: 0, inChannels: 1, classes: 3 }),
  henet: () => new HENet({ widths: [4, 8, 16, 32], attention: 16, ...size }),
  ctn: () => new CTN({ width: 4, swin: { dim: 8, depths: [2, 2, 2, 2], heads: [1, 2, 4, 8], window: [2, 7, 7] }, ...size, dropout: 0 }),
  swin_smt: () =>
    new SwinSMT({ width: 8, depths: [2, 2, 2, 2], heads: [1, 2, 4, 8], window: 7, experts: 4, expertStages: 3, inChannels: 2, classes: 2 }),
};

describe('a compared network is what the specification says', () => {
  it.each(Object.keys(CASES) as (keyof typeof CASES)[])('%s', async (name) => {
    const found = await compareRival(name, CASES[name](), NAMES[name]);
    if (process.env.SHOW) console.log(name, found);
    const { f32 } = found;
    expect(found.logits).toBeLessThan(Math.max(1e-5, 4 * f32.logits));
    if (found.evaluation !== undefined) expect(found.evaluation).toBeLessThan(1e-5);
    expect(found.input).toBeLessThan(Math.max(1e-5, 4 * f32.input));
    expect(found.median, `median of gradients, worst ${found.worst}`).toBeLessThan(1e-5);
    expect(found.gradients, `gradient of ${found.worst}`).toBeLessThan(Math.max(1e-4, 4 * f32.gradients));
  });
});
