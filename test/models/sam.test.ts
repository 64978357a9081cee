// SAM-Med3D, module by module, against the PyTorch oracle.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { add, detach } from '../../src/ops/pointwise.ts';
import { Attention, Block, neck } from '../../src/models/sam_med3d/image_encoder.ts';
import { MaskDecoder, TwoWayLayer } from '../../src/models/sam_med3d/mask_decoder.ts';
import { PromptEncoder } from '../../src/models/sam_med3d/prompt_encoder.ts';
import type { SamConfig } from '../../src/models/sam_med3d/config.ts';
import { SamMed3D } from '../../src/models/sam_med3d/sam.ts';
import type { Module } from '../../src/nn/module.ts';
import { compare, Goldens, input, setParameters, type GoldenCase, type LayoutOf } from './golden.ts';

const goldens = new Goldens('sam');
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

type Inputs = Record<string, Tensor>;
interface Row {
  module: (c: GoldenCase) => Module;
  forward: (m: never, x: Inputs, c: GoldenCase) => Inputs;
  layout?: LayoutOf;
}

/** Token grids are channels-last in PyTorch too. */
const same: LayoutOf = () => 'same';
const number = (c: GoldenCase, key: string): number => (c.config as unknown as Record<string, number>)[key];

const rows: Record<string, Row> = {
  attention: {
    module: (c) => new Attention(number(c, 'dim'), number(c, 'heads'), number(c, 'length')),
    forward: (m: Attention, { x }) => ({ y: m.forward(x) }),
    layout: same,
  },
  block: {
    module: (c) => new Block(number(c, 'dim'), number(c, 'heads'), number(c, 'grid'), 0),
    forward: (m: Block, { x }) => ({ y: m.forward(x) }),
    layout: same,
  },
  block_windowed: {
    module: (c) => new Block(number(c, 'dim'), number(c, 'heads'), number(c, 'grid'), 3),
    forward: (m: Block, { x }) => ({ y: m.forward(x) }),
    layout: same,
  },
  block_window14: {
    module: (c) => new Block(number(c, 'dim'), number(c, 'heads'), number(c, 'grid'), 14),
    forward: (m: Block, { x }) => ({ y: m.forward(x) }),
    layout: same,
  },
  attention_official: {
    module: (c) => new Attention(number(c, 'dim'), number(c, 'heads'), number(c, 'length'), true),
    forward: (m: Attention, { x }) => ({ y: m.forward(x) }),
    layout: same,
  },
  neck: { module: () => neck(48), forward: (m: ReturnType<typeof neck>, { x }) => ({ y: m.forward(x) }) },
  two_way_first: { module: () => new TwoWayLayer(true), forward: twoWay },
  two_way_second: { module: () => new TwoWayLayer(false), forward: twoWay },
  decoder: {
    module: () => new MaskDecoder(),
    forward: (m: MaskDecoder, { embedding, dense_pe, sparse, dense }) => ({ y: m.forward(embedding, dense_pe, sparse, dense) }),
  },
  prompt: {
    module: (c) => new PromptEncoder({ size: 16 * number(c, 'grid'), dim: 0, depth: 0, heads: 1, window: 0 }),
    forward: (m: PromptEncoder, { coords, mask }, c) => {
      const labels = tensor((c.config as unknown as { labels: number[][] }).labels.flat(), { shape: [2, 2] });
      const g = number(c, 'grid');
      const everywhere = tensor(new Float32Array(g ** 3), { shape: [1, g, g, g, 1] });
      return {
        sparse: m.sparse({ coords: coords, labels }),
        dense: m.dense(mask),
        no_mask: add(everywhere, m.noMask()),
        dense_pe: m.densePE(),
      };
    },
  },
};

function twoWay(m: TwoWayLayer, { tokens, image, token_pe, image_pe }: Inputs): Inputs {
  const [t, i] = m.forward(tokens, image, token_pe, image_pe);
  return { tokens: t, image: i };
}

describe('modules of SAM-Med3D', () => {
  for (const [name, { module, forward, layout }] of Object.entries(rows)) {
    it(name, async () => {
      const c = goldens.get(name);
      const m = module(c);
      setParameters(c, m);
      const inputs = Object.fromEntries(Object.keys(c.inputs).map((key) => [key, input(c, key, layout)]));
      await compare(goldens, c, m, inputs, () => forward(m as never, inputs, c), { ...(layout && { layout }) });
    });
  }

  it.each([
    ['the whole network', 'sam', [16, 64, 64]],
    [
      'the whole network as the official code computes it, from intensities and in axes of a volume that is no cube',
      'sam_official',
      [12, 40, 56],
    ],
  ] as const)('%s, two clicks in a row', async (_, name, size) => {
    const c = goldens.get(name);
    const { clicks, labels } = c.config as unknown as { clicks: number[][]; labels: number[] };
    const shape = Object.fromEntries(
      ['size', 'dim', 'depth', 'heads', 'window'].map((key) => [key, number(c, key)]),
    ) as unknown as SamConfig;
    const sam = new SamMed3D({ ...shape, ...(name === 'sam_official' && { official: { scale: 1000, offset: 0 } }) });
    setParameters(c, sam);
    const volume = input(c, 'volume');
    const click = (i: number) => ({
      coords: tensor(
        clicks[i].map((v, axis) => (v + 0.5) / size[axis]),
        { shape: [1, 1, 3] },
      ),
      labels: tensor([labels[i]], { shape: [1, 1] }),
    });
    await compare(
      goldens,
      c,
      sam,
      { volume },
      () => {
        const embedding = sam.encode(volume);
        const low1 = sam.decode(embedding, click(0));
        const low2 = sam.decode(embedding, click(1), detach(low1));
        const full = (low: Tensor): Tensor => reshape(sam.upsample(low, size), [1, ...size, 1]);
        return { logits1: full(low1), low1, logits2: full(low2), low2 };
      },
      { bounds: { gradient: 1e-3, output: 1e-8, zero: 1e-2 } },
    );
  });
});
