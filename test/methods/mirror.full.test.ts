// SPDX-License-Identifier: MIT
// What SA-Net's networks say of the mirrored volume is what they say of a volume that lies mirrored, mirrored back.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { noGrad } from '../../src/engine/trace.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { promptedDecodes } from '../../src/methods/sanet/clicks.ts';
import type { SanetNetworks } from '../../src/methods/sanet/networks.ts';
import { predictionsOf } from '../../src/methods/sanet/step.ts';
import { permute } from '../../src/ops/permute.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { buildNetworks } from '../../src/train/networks.ts';
import { phantomSampler, smallPlan } from '../train/phantom_step.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const [D, H, W] = [32, 32, 32];
/** Rows of `channels` values, right to left. */
const mirror = (values: Float32Array, channels = 1): Float32Array =>
  values.map((_, i) => {
    const [at, channel] = [Math.floor(i / channels), i % channels];
    return values[(at - (at % W) + W - 1 - (at % W)) * channels + channel];
  });

it('networks see the mirrored volume and the mirrored click, and leave no trace in running statistics', async () => {
  const plan = smallPlan([D, H, W]);
  plan.method.cross.slices = [D, H];
  Object.assign(plan.method.network2d, { useMSA: false, useBGC: false, useRM: false, resize: 1 });
  const nets: SanetNetworks = buildNetworks(plan);
  const { transverse, coronal, sam } = nets as Required<typeof nets>;
  for (const net of [transverse, coronal, sam]) net.train();
  const [feed] = (await phantomSampler(plan).iteration(0)) as unknown as [Record<string, Float32Array>];
  const upTo = (n: number): Tensor =>
    tensor(
      Uint32Array.from({ length: n }, (_, i) => i),
      { dtype: 'u32', shape: [1, n] },
    );
  const plane = (n: number) => ({ index: upTo(n), inverse: upTo(n), chosen: tensor(new Float32Array(n).fill(1), { shape: [1, n] }) });
  const statistics = async (): Promise<Float32Array[]> =>
    [...(await transverse.stateDict())].filter(([name]) => name.includes('running')).map(([, { data }]) => data);
  const before = await statistics();
  expect(before.length).toBeGreaterThan(0);
  const [z, y, x] = [0.3, 0.6, 0.2];
  const image = (values: Float32Array): Tensor => tensor(values, { shape: [1, D, H, W] });
  const labels = tensor([1], { shape: [1, 1, 1] });
  const click = (at: readonly number[]) => ({ coords: tensor(at, { shape: [1, 1, 1, 3] }), labels });
  const all = image(new Float32Array(D * H * W).fill(1));
  const found = predictionsOf(
    plan,
    nets,
    {
      image: image(feed.image),
      label: all,
      annotated: all,
      present: tensor([1, 1], { shape: [1, 2] }),
      ...click([z, y, x]),
      transverse: plane(D),
      coronal: plane(H),
    },
    undefined,
    { mirror: true },
  );
  expect(await statistics()).toEqual(before);

  const seen = image(mirror(feed.image));
  const expected = noGrad(() => ({
    transverse: softmax(transverse.forward(reshape(seen, [D, H, W, 1])).logits, -1),
    coronal: permute(softmax(coronal.forward(permute(reshape(seen, [D, H, W, 1]), [1, 0, 2, 3])).logits, -1), [1, 0, 2, 3]),
    sam: softmax(promptedDecodes(sam, seen, click([z, y, 1 - x]), 1, { label: all, annotated: all }, null, undefined)[0], -1),
  }));
  for (const name of ['transverse', 'coronal', 'sam'] as const) {
    const [a, b] = [await found[name].data(), mirror((await expected[name].data()) as Float32Array, 2)];
    expect(a.length).toBe(D * H * W * 2);
    a.forEach((v, i) => expect(Math.abs(v - b[i])).toBeLessThan(1e-5));
  }
});
