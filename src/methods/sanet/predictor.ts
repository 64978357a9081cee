// SPDX-License-Identifier: MIT
// Trained networks on ROIs: both 2D networks on every slice, then SAM by a click from their consensus, or a VNet without one
// (specification 3.6, 5.4). Ground truth is never read here.
import type { SlicePlane, Triple } from '../../axes.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { currentDevice } from '../../gpu/device.ts';
import { reshape } from '../../ops/reshape.ts';
import { softmax } from '../../ops/softmax.ts';
import { fitSlices, planeShape, PLANES, toNative, toNetwork } from '../../models/sanet/planes.ts';
import type { SamMed3D } from '../../models/sam_med3d/sam.ts';
import { roisAtOnce } from '../../predict/predict_volume.ts';
import { samDecode } from './forward.ts';
import { consensusClicks } from './prompts.ts';
import { networkList, type RoiPredictor } from '../method.ts';
import { Batches } from '../batches.ts';
import { assertPrecision } from '../precision.ts';
import type { SanetNetworks } from './networks.ts';
import type { SanetPlan } from './plan.ts';

/** Slices that go through a 2D network at once, if a ROI has so many. */
const LEAST = 16;

type Probabilities = Record<string, Float32Array>;

/** SA-Net's networks as one maker of masks: class probabilities of ROIs [D, H, W], as large as the plan says. `dispose()` frees it. */
export class Predictor implements RoiPredictor {
  readonly most: number;
  private readonly size: Readonly<Triple>;
  private readonly classes: number;
  private readonly planes: readonly { plane: SlicePlane; slices: Batches }[];
  private readonly whole: Batches | null;
  private readonly prompted: boolean;

  private constructor(parts: {
    most: number;
    size: Readonly<Triple>;
    classes: number;
    planes: Predictor['planes'];
    whole: Batches | null;
    prompted: boolean;
  }) {
    this.most = parts.most;
    this.size = parts.size;
    this.classes = parts.classes;
    this.planes = parts.planes;
    this.whole = parts.whole;
    this.prompted = parts.prompted;
  }

  /**
   * Compiles inference for ROIs of the plan's size. The networks keep their weights; training may go on afterwards. `joined`: as in
   * `Batches.create`.
   */
  static async create(plan: SanetPlan, nets: SanetNetworks, joined?: boolean): Promise<Predictor> {
    assertPrecision(plan, currentDevice());
    const size = plan.data.roi as Readonly<Triple>;
    const classes = plan.classes.length;
    const most = roisAtOnce(size, classes, networkList(nets).length);
    const planes: { plane: SlicePlane; slices: Batches }[] = [];
    for (const plane of PLANES) {
      const net = nets[plane];
      if (!net) continue;
      const { count, height, width } = planeShape(size, plane);
      const fit = fitSlices(height, width, plan.method.network2d.resize);
      const slices = await Batches.create(
        {
          nets: [net],
          shapes: { slice: [height, width] },
          run: ({ slice }, n) => ({
            p: softmax(toNative(net.forward(toNetwork(reshape(slice, [n, height, width, 1]), fit)).logits, fit), -1),
          }),
        },
        Math.min(LEAST, count),
        most * count,
        joined,
      );
      planes.push({ plane, slices });
    }
    const { sam, vnet } = nets;
    const whole = sam
      ? await Batches.create(
          {
            nets: [sam],
            shapes: { image: size, coords: [classes - 1, 1, 3], labels: [classes - 1, 1] },
            run: ({ image, coords, labels }, n) => ({ sam: softmax(samLogits(sam, image, coords, labels, [n, classes - 1], size), -1) }),
          },
          1,
          most,
          joined,
        )
      : vnet
        ? await Batches.create(
            {
              nets: [vnet],
              shapes: { image: size },
              run: ({ image }, n) => ({ vnet: softmax(vnet.forward(reshape(image, [n, ...size, 1])), -1) }),
            },
            1,
            most,
            joined,
          )
        : null;
    return new Predictor({ most, size, classes, planes, whole, prompted: sam !== undefined });
  }

  /** images: normalised ROIs [D, H, W]. */
  async run(images: readonly Float32Array[]): Promise<Probabilities[]> {
    const { size, classes, planes, whole, prompted } = this;
    const slices =
      planes.length === 0
        ? []
        : await Batches.run(
            planes.map(({ plane, slices: batches }) => {
              const { count } = planeShape(size, plane);
              return {
                batches,
                count: images.length * count,
                item: (i: number) => ({ slice: sliceOf(images[Math.floor(i / count)], size, plane, i % count) }),
              };
            }),
          );
    const out = images.map((_, roi) =>
      Object.fromEntries(
        planes.map(({ plane }, i): [string, Float32Array] => {
          const { count } = planeShape(size, plane);
          return [
            plane,
            volumeOf(
              slices[i].slice(roi * count, (roi + 1) * count).map(({ p }) => p),
              size,
              plane,
              classes,
            ),
          ];
        }),
      ),
    );
    if (!whole) return out;
    const clicks = prompted ? out.map((found) => consensusClicks(Object.values(found), size, classes)) : [];
    const [predicted] = await Batches.run([{ batches: whole, count: images.length, item: (i) => ({ image: images[i], ...clicks[i] }) }]);
    return out.map((found, i) => ({ ...found, ...predicted[i] }));
  }

  dispose(): void {
    for (const { slices } of this.planes) slices.dispose();
    this.whole?.dispose();
  }
}

/** Logits [n, D, H, W, K] of n volumes [n, D, H, W], a click [n, K-1, ...] for each foreground class; the background's are 0. */
function samLogits(
  sam: SamMed3D,
  image: Tensor,
  coords: Tensor,
  labels: Tensor,
  [n, clicks]: readonly [number, number],
  size: Readonly<Triple>,
): Tensor {
  const embedding = sam.encode(reshape(image, [n, ...size, 1]));
  const click = { coords: reshape(coords, [n * clicks, 1, 3]), labels: reshape(labels, [n * clicks, 1]) };
  return samDecode(sam, embedding, click, size).logits;
}

/** Slice `at` [h, w] of a volume [D, H, W]. */
function sliceOf(volume: Float32Array, [d, h, w]: Readonly<Triple>, plane: SlicePlane, at: number): Float32Array {
  if (plane === 'transverse') return volume.subarray(at * h * w, (at + 1) * h * w);
  const slice = new Float32Array(d * w);
  for (let z = 0; z < d; z++) slice.set(volume.subarray((z * h + at) * w, (z * h + at + 1) * w), z * w);
  return slice;
}

/** All slices [h, w, c] of a plane as a volume [D, H, W, c]. */
function volumeOf(slices: readonly Float32Array[], [d, h, w]: Readonly<Triple>, plane: SlicePlane, c: number): Float32Array {
  const volume = new Float32Array(d * h * w * c);
  slices.forEach((slice, at) => {
    if (plane === 'transverse') volume.set(slice, at * slice.length);
    else for (let z = 0; z < d; z++) volume.set(slice.subarray(z * w * c, (z + 1) * w * c), (z * h + at) * w * c);
  });
  return volume;
}
