// SPDX-License-Identifier: MIT
// The 2D network at C = 256 and SAM-Med3D's sam-b128 against the PyTorch oracle, whole.
import { afterAll, beforeAll, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { SAM_PRESETS } from '../../src/models/sam_med3d/config.ts';
import { SamMed3D } from '../../src/models/sam_med3d/sam.ts';
import { Net2D } from '../../src/models/sanet/net2d.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { compare, Goldens, input, setParameters } from './golden.ts';

const goldens = new Goldens('full');
// The oracle itself in float32, with a search for neighbours of its own, is 2e-8 (logits) to 2e-7 (boundary 0) from float64, and up to
// 2.3e-3 in gradients (rm.baa.2.tau_s), where float64's are small differences of some fifty batch norms over 12 to 768 pixels. Here: up to
// 1.3e-7 and 2.7e-3 (encoder.conv1.weight).
const NET2D = { gradient: 5e-3, output: 1e-6, zero: 1e-3 };
const SAM = { gradient: 1e-3, output: 1e-8, zero: 1e-2 };
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it('the 2D network of `paper`', async () => {
  const c = goldens.get('net2d_paper');
  const net = new Net2D({ stem: 64, blocks: [3, 4, 6, 3], width: 256, recovery: 64, classes: 2, useMSA: true, useBGC: true, useRM: true });
  setParameters(c, net);
  const x = input(c, 'x');
  const chosen = goldens.values.get(`${c.name}/selected`)!;
  const neighbours = tensor(Uint32Array.from(chosen.data as Int32Array), { shape: chosen.shape, dtype: 'u32' });
  await compare(
    goldens,
    c,
    net,
    { x },
    () => {
      const { logits, edge, region, boundary } = net.forward(x, neighbours);
      return {
        logits,
        edge,
        ...Object.fromEntries([
          ...region.map((t, i) => [`region${i}`, t] as const),
          ...boundary.map((t, i) => [`boundary${i}`, t] as const),
        ]),
      };
    },
    { bounds: NET2D },
  );
});

it('sam-b128, one click', async () => {
  const c = goldens.get('sam_b128');
  const size = [32, 64, 64] as const;
  const { clicks, labels } = c.config as unknown as { clicks: number[][]; labels: number[] };
  const sam = new SamMed3D(SAM_PRESETS['sam-b128']);
  setParameters(c, sam);
  const volume = input(c, 'volume');
  const click = {
    coords: tensor(
      clicks[0].map((v, axis) => (v + 0.5) / size[axis]),
      { shape: [1, 1, 3] },
    ),
    labels: tensor(labels, { shape: [1, 1] }),
  };
  await compare(
    goldens,
    c,
    sam,
    { volume },
    () => {
      const low = sam.decode(sam.encode(volume), click);
      return { logits: reshape(sam.upsample(low, size), [1, ...size, 1]), low };
    },
    { bounds: SAM },
  );
});
