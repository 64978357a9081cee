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
import { compareRival, type Names } from './rivals_golden.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const NUMBERS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const numbered =
  (before: string, offset: number, after: string) =>
  (_: string, i: string): string =>
    `${before}${NUMBERS[Number(i) + offset]}${after}`;
const EDGES = ['sbx', 'sby', 'sbz'];
const TRANSFORMER: Names = [
  [/\.reduce\./, '.reduction.'],
  [/attn\.table/, 'attn.relative_position_bias_table'],
  [/mlp\.0/, 'mlp.fc1'],
  [/mlp\.2/, 'mlp.fc2'],
];
const size = { inChannels: 1, classes: 2 };

const CASES: Record<string, { make: () => Parameters<typeof compareRival>[1]; names: Names }> = {
  vnet: {
    make: () => new VNet({ width: 4, ...size, dropout: 0 }),
    names: [
      [/^encoder\.(\d)/, numbered('block_', 0, '.conv')],
      [/^down\.(\d)/, numbered('block_', 0, '_dw.conv')],
      [/^up\.(\d)/, numbered('block_', 4, '_up.conv')],
      [/^decoder\.(\d)/, numbered('block_', 5, '.conv')],
      [/^head/, 'out_conv'],
    ],
  },
  unet2d: {
    make: () => new UNet2D({ width: 8, ...size }),
    names: [
      [/^encoder\.0/, 'inc.double_conv'],
      [/^encoder\.(\d)/, 'down$1.double_conv'],
      [/^up\.(\d)/, (_, i) => `up${Number(i) + 1}.up`],
      [/^decoder\.(\d)/, (_, i) => `up${Number(i) + 1}.conv.double_conv`],
      [/^head/, 'outc'],
    ],
  },
  unet3d: {
    make: () => new UNet3D({ widths: [8, 16, 32, 64], blocks: [1, 2, 2, 1], inChannels: 1, classes: 3 }),
    names: [
      [/^(stem|decoder\.\d)\.0/, '$1.conv'],
      [/^(stem|decoder\.\d)\.1/, '$1.norm'],
      [/^stages\.(\d)/, 'stages.$1.blocks'],
      [/\.(conv[12])\./, '.$1.conv.'],
      [/\.norm([12])\./, '.conv$1.norm.'],
      [/project\.0/, 'skip.conv'],
      [/project\.1/, 'skip.norm'],
      [/^up/, 'transpconvs'],
      [/^head/, 'seg_layer'],
    ],
  },
  convunet: {
    make: () => new ConvUNET({ width: 4, stages: 3, blocks: 2, inChannels: 2, classes: 2, dropPath: 0 }),
    names: [
      [/^down\./, 'backbone.down_samplers.'],
      [/^stages\.(\d\.\d)\.a\./, 'stages.$1.attn.'],
      [/^stages\.(\d\.\d)\.v\./, 'stages.$1.val.'],
      [/^stages\.(\d\.\d)\.out\./, 'stages.$1.proj.'],
      [/^stages/, 'backbone.stages'],
      [/^skip/, 'encoders'],
      [/^up\.(\d)\.up/, 'decoders.$1.transp_conv'],
      [/^up\.(\d)\.block/, 'decoders.$1.conv_block'],
      [/^head/, 'output'],
    ],
  },
  eoformer: {
    make: () => new EoFormer({ widths: [8, 16, 32, 64], blocks: 2, dropPath: 0, inChannels: 1, classes: 3 }),
    names: [
      [/^down\.0\.0/, 'encoder.downsample_layers.0.conv'],
      [/^down\.0\.1/, 'encoder.downsample_layers.0.post_norm'],
      [/^down\.(\d)\.0/, 'encoder.downsample_layers.$1.pre_norm'],
      [/^down\.(\d)\.1/, 'encoder.downsample_layers.$1.conv'],
      [/^stages/, 'encoder.stages'],
      [/^up\.(\d)\.norm/, 'decoder.upsample_layers.$1.norm'],
      [/^up\.(\d)\.up/, 'decoder.upsample_layers.$1.transp_conv'],
      [/^fuse\.(\d)/, 'decoder.upsample_layers.$1.conv_block'],
      [/^decoder\.(\d\.\d)/, 'decoder.stages.$1'],
      [/^last\.norm/, 'decoder.upsample_layers.3.norm'],
      [/^last\.up/, 'decoder.upsample_layers.3.transp_conv'],
      [/^head/, 'out'],
      [/\.mixer\./, '.token_mixer.'],
      [/mixer\.0/, 'mixer.pwconv1'],
      [/mixer\.1/, 'mixer.act1'],
      [/mixer\.2/, 'mixer.dwconv'],
      [/mixer\.3/, 'mixer.pwconv2'],
      [/mixer\.q\./, 'mixer.queries.'],
      [/mixer\.k\./, 'mixer.keys.'],
      [/mixer\.v\./, 'mixer.values.'],
      [/mixer\.out/, 'mixer.reprojection'],
      [/mixer\.conv\./, 'mixer.conv3x3x3.'],
      [/1\.token_mixer\.edges\.0/, '1.token_mixer.conv1x1x1_lpl'],
      [/edges\.(\d)/, (_, i) => `conv1x1x1_${EDGES[Number(i)]}`],
      [/_(...)\.conv\.weight/, '_$1.k0'],
      [/_(...)\.conv\.bias/, '_$1.b0'],
      [/factor/, 'scale'],
      [/mlp\.0/, 'mlp.fc1'],
      [/mlp\.1/, 'mlp.act'],
      [/mlp\.2/, 'mlp.fc2'],
      [/rs([12])/, 'res_scale$1.scale'],
    ],
  },
  henet: {
    make: () => new HENet({ widths: [4, 8, 16, 32], attention: 16, ...size }),
    names: [
      [/^ace\.features\.0/, 'ace.conv1.conv'],
      [/^ace\.features\.3/, 'ace.conv2.conv'],
      [/^ace\.fc\.0/, 'ace.fc1'],
      [/^ace\.fc\.2/, 'ace.fc2'],
      [/^csnb\.reduce/, 'csnb.project'],
      [/^(en|de)coder\.(\d)\.0/, '$1coders.$2.conv1.conv'],
      [/^(en|de)coder\.(\d)\.3/, '$1coders.$2.conv2.conv'],
      [/^up/, 'ups'],
      [/^head/, 'out'],
    ],
  },
  ctn: {
    make: () => new CTN({ width: 4, swin: { dim: 8, depths: [2, 2, 2, 2], heads: [1, 2, 4, 8], window: [2, 7, 7] }, ...size, dropout: 0 }),
    names: [
      [/^stem\.0/, 'conv1'],
      [/^stem\.1/, 'bn1'],
      [/^stages\.(\d)/, (_, i) => `layer${Number(i) + 1}.blocks`],
      [/short\.0/, 'downsample.conv'],
      [/short\.1/, 'downsample.bn'],
      [/^swin\.embed/, 'swin.patch_embed.proj'],
      [/^swin\.stages\.(\d)/, 'swin.layers.$1.blocks'],
      [/^swin\.merge\.(\d)/, 'swin.layers.$1.downsample'],
      ...TRANSFORMER,
      [/^dec(\d)/, 'decoder$1'],
      [/body\.0/, 'conv1.conv'],
      [/body\.1/, 'conv1.bn'],
      [/body\.3/, 'conv2.conv'],
      [/body\.4/, 'conv2.bn'],
      [/gate\.0/, 'gate.conv'],
      [/gate\.1/, 'gate.bn'],
      [/^head\.0/, 'head.conv1'],
      [/^head\.2/, 'head.conv2'],
    ],
  },
  swin_smt: {
    make: () =>
      new SwinSMT({
        width: 8,
        depths: [2, 2, 2, 2],
        heads: [1, 2, 4, 8],
        window: 7,
        experts: 4,
        expertStages: 3,
        inChannels: 2,
        classes: 2,
      }),
    names: [
      [/^embed/, 'patch_embed'],
      [/^stages\.(\d)/, 'stages.$1.blocks'],
      [/^before\.(\d)/, 'stages.$1.conv'],
      [/^merge\.(\d)/, 'stages.$1.downsample'],
      ...TRANSFORMER,
      [/\.slot\./, '.slot_embeds.'],
      [/(experts\.\d)\.0/, '$1.lin1'],
      [/(experts\.\d)\.2/, '$1.lin2'],
      [/^skip/, 'encoders'],
      [/^bottom/, 'encoders.4'],
      [/^up\.(\d)\.up/, 'decoders.$1.transp_conv'],
      [/^up\.(\d)\.block/, 'decoders.$1.conv_block'],
      [/^head/, 'out'],
    ],
  },
};

describe('a compared network is what the specification says', () => {
  it.each(Object.keys(CASES))('%s', async (name) => {
    const found = await compareRival(name, CASES[name].make(), CASES[name].names);
    if (process.env.SHOW) console.log(name, found);
    const { f32 } = found;
    expect(found.logits).toBeLessThan(Math.max(1e-5, 4 * f32.logits));
    if (found.evaluation !== undefined) expect(found.evaluation).toBeLessThan(1e-5);
    expect(found.input).toBeLessThan(Math.max(1e-5, 4 * f32.input));
    expect(found.median, `median of gradients, worst ${found.worst}`).toBeLessThan(1e-5);
    expect(found.gradients, `gradient of ${found.worst}`).toBeLessThan(Math.max(1e-4, 4 * f32.gradients));
  });
});
