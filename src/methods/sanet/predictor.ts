// SPDX-License-Identifier: MIT
// Trained networks on one ROI: both 2D networks on every slice, a click from their consensus, SAM (specification 3.6, 5.4).
// Ground truth is never read here.
import { spec } from '../../engine/dtype.ts';
import { compile, type Program } from '../../engine/program.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { currentDevice } from '../../gpu/device.ts';
import { reshape } from '../../ops/reshape.ts';
import { softmax } from '../../ops/softmax.ts';
import { fitSlices, planeShape, toNative, toNetwork, type Plane, type Size3 } from '../../models/sanet/planes.ts';
import { consensusClicks } from './prompts.ts';
import { samDecode } from './forward.ts';
import { networkList, type RoiPredictor } from '../method.ts';
import { assertPrecision } from '../precision.ts';
import type { SanetNetworks } from './networks.ts';
import type { SanetPlan } from './plan.ts';

/** Slices that go through a 2D network at once. */
const CHUNK = 16;

export class Predictor implements RoiPredictor {
  private readonly size: Size3;
  private readonly classes: number;
  private readonly planes: { plane: Plane; chunk: number; program: Program<{ p: Tensor }> }[];
  private readonly encoder: Program<{ embedding: Tensor }> | null;
  private readonly decoder: Program<{ p: Tensor }> | null;

  private constructor(parts: { size: Size3; classes: number; planes: Predictor['planes']; encoder: Predictor['encoder']; decoder: Predictor['decoder'] }) {
    this.size = parts.size;
    this.classes = parts.classes;
    this.planes = parts.planes;
    this.encoder = parts.encoder;
    this.decoder = parts.decoder;
  }

  /** Compiles inference for ROIs of the plan's size. The networks keep their weights; training may go on afterwards. */
  static async create(plan: SanetPlan, nets: SanetNetworks): Promise<Predictor> {
    assertPrecision(plan, currentDevice());
    const size = plan.data.roi as Size3;
    const classes = plan.classes.length;
    for (const { net } of networkList(nets)) net.eval();
    const planes: Predictor['planes'] = [];
    for (const plane of ['transverse', 'coronal'] as const) {
      const net = nets[plane];
      if (!net) continue;
      const { count, height, width } = planeShape(size, plane);
      const fit = fitSlices(height, width, plan.method.network2d.resize);
      const chunk = Math.min(CHUNK, count);
      const program = await compile(({ slices }) => ({
        p: softmax(toNative(net.forward(toNetwork(reshape(slices, [chunk, height, width, 1]), fit)).logits, fit), -1),
      }), { slices: spec([chunk, height, width]) });
      planes.push({ plane, chunk, program });
    }
    const { sam } = nets;
    const encoder = sam ? await compile(({ image }) => ({ embedding: sam.encode(reshape(image, [1, ...size, 1])) }), { image: spec(size) }) : null;
    const g = sam ? sam.config.size / 16 : 0;
    const decoder = sam ? await compile(({ embedding, coords, labels }) => ({
      p: softmax(samDecode(sam, embedding, { coords, labels }, size).logits, -1),
    }), { embedding: spec([1, g, g, g, 384]), coords: spec([classes - 1, 1, 3]), labels: spec([classes - 1, 1]) }) : null;
    for (const { net } of networkList(nets)) net.train();
    return new Predictor({ size, classes, planes, encoder, decoder });
  }

  /** image: normalised ROI [D, H, W]. */
  async run(image: Float32Array): Promise<Record<string, Float32Array>> {
    const out: Record<string, Float32Array> = {};
    for (const { plane, chunk, program } of this.planes) out[plane] = await this.slices(image, plane, chunk, program);
    if (this.encoder && this.decoder) {
      const clicks = consensusClicks([out.transverse, out.coronal].filter((p) => p !== undefined), this.size, this.classes);
      const { embedding } = this.encoder.run({ image });
      const { p } = this.decoder.run({ embedding, ...clicks });
      out.sam = await p.data() as Float32Array;
    }
    return out;
  }

  private async slices(image: Float32Array, plane: Plane, chunk: number, program: Program<{ p: Tensor }>): Promise<Float32Array> {
    const { count, height, width } = planeShape(this.size, plane);
    const k = this.classes;
    const volume = new Float32Array(image.length * k);
    const slices = new Float32Array(chunk * height * width);
    for (let start = 0; start < count; start += chunk) {
      const first = Math.min(start, count - chunk); // the last chunk overlaps the one before: every run has full chunks
      for (let s = 0; s < chunk; s++) copySlice(image, slices.subarray(s * height * width), this.size, plane, first + s, 1, false);
      const p = await program.run({ slices }).p.data() as Float32Array;
      for (let s = 0; s < chunk; s++) copySlice(volume, p.subarray(s * height * width * k), this.size, plane, first + s, k, true);
    }
    return volume;
  }

  dispose(): void {
    for (const { program } of this.planes) program.dispose();
    this.encoder?.dispose();
    this.decoder?.dispose();
  }
}

/** Copies slice `at` of a volume [D, H, W, c] to or from a slice buffer [h, w, c]. */
function copySlice(volume: Float32Array, slice: Float32Array, [d, h, w]: Size3, plane: Plane, at: number, c: number, back: boolean): void {
  const rows = plane === 'transverse' ? h : d;
  for (let r = 0; r < rows; r++) {
    const start = (plane === 'transverse' ? at * h + r : r * h + at) * w * c;
    if (back) volume.set(slice.subarray(r * w * c, (r + 1) * w * c), start);
    else slice.set(volume.subarray(start, start + w * c), r * w * c);
  }
}
