// SPDX-License-Identifier: MIT
// The toy run of specification 4.5 and E.12: the 2D network of `tiny` alone, fully supervised, on noisy ellipses.
import { Philox } from '../../src/random/philox.ts';
import { backward } from '../../src/engine/autograd.ts';
import { spec } from '../../src/engine/dtype.ts';
import { compile } from '../../src/engine/program.ts';
import { full } from '../../src/engine/tensor.ts';
import { noGrad } from '../../src/engine/trace.ts';
import { fitSlices } from '../../src/models/sanet/planes.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { sliceLoss } from '../../src/methods/sanet/forward.ts';
import { makeNetworks } from '../../src/train/networks.ts';
import { adamw, decayGroups } from '../../src/optim/optimiser.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { learningRateFactor } from '../../src/train/learning_rate.ts';
import type { SanetNetworks } from '../../src/methods/sanet/networks.ts';

const SIDE = 64;
const BATCH = 8;
const TOTAL = 240; // iterations of the schedule
const STREAM = 65; // outside STREAMS of training
const TEST = { seed: 99, images: 64 };

interface Ellipse {
  readonly image: Float32Array;
  readonly mask: Float32Array;
}

/** Four taps of bicubic interpolation (a = -0.75, half-pixel centres, clamped) from 8 to 64. */
function cubicTaps(at: number): { index: number; weight: number }[] {
  const x = (at + 0.5) / 8 - 0.5;
  const base = Math.floor(x);
  const a = -0.75;
  return [-1, 0, 1, 2].map((k) => {
    const d = Math.abs(x - base - k);
    const weight = d <= 1 ? (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1 : a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a;
    return { index: Math.min(7, Math.max(0, base + k)), weight };
  });
}
const TAPS = Array.from({ length: SIDE }, (_, i) => cubicTaps(i));

export function ellipse(seed: number, index: number): Ellipse {
  const random = new Philox(seed, STREAM);
  const u = random.uniform(index, 0, 5);
  const [cy, cx, ry, rx, angle] = [17 + 30 * u[0], 17 + 30 * u[1], 4 + 9 * u[2], 4 + 9 * u[3], 3.14 * u[4]];
  const [coarse, grain] = [random.normal(index, 1, 64), random.normal(index, 2, SIDE * SIDE)];
  const image = new Float32Array(SIDE * SIDE);
  const mask = new Float32Array(SIDE * SIDE);
  for (let y = 0, i = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++, i++) {
      const [dy, dx] = [y - cy, x - cx];
      const d = ((dx * Math.cos(angle) + dy * Math.sin(angle)) / rx) ** 2 + ((-dx * Math.sin(angle) + dy * Math.cos(angle)) / ry) ** 2;
      let cloud = 0;
      for (const v of TAPS[y]) for (const h of TAPS[x]) cloud += v.weight * h.weight * coarse[8 * v.index + h.index];
      image[i] = 0.8 / (1 + Math.exp(-3 * (1 - d))) + 0.3 * cloud + 0.3 * grain[i];
      mask[i] = d < 1 ? 1 : 0;
    }
  }
  return { image, mask };
}

function batchOf(list: readonly Ellipse[]): { image: Float32Array; mask: Float32Array } {
  const joined = (key: keyof Ellipse): Float32Array => {
    const out = new Float32Array(list.length * SIDE * SIDE);
    list.forEach((e, i) => {
      out.set(e[key], i * SIDE * SIDE);
    });
    return out;
  };
  return { image: joined('image'), mask: joined('mask') };
}

/** Trains one seed, and gives the mean per-image Dice on 64 fixed unseen images at each of `checks` (the last one ends the run). */
export async function toyRun(seed: number, checks: readonly number[]): Promise<{ dice: number[]; seconds: number }> {
  const plan = presetPlan('tiny');
  plan.optimiser.warmUp = 20 / TOTAL;
  const net = (makeNetworks(plan) as SanetNetworks).transverse!.initialise(seed);
  const optimiser = adamw(decayGroups(net.parameters(), plan.method.network2d.decay), { lr: 0, clipNorm: plan.optimiser.clipNorm });
  const fit = fitSlices(SIDE, SIDE, 1);
  const shape = [BATCH, SIDE, SIDE];
  net.train();
  const step = await compile(
    ({ image, mask }) => {
      const out = net.forward(reshape(image, [...shape, 1]));
      const loss = sliceLoss(out, fit, { target: mask, weight: full(shape, 1) }, 2, plan.method.loss, undefined).total;
      return { loss, clip: optimiser.step(backward(loss, net.parameters())) };
    },
    { image: spec(shape), mask: spec(shape) },
  );
  net.eval();
  const predict = await compile(({ image }) => noGrad(() => ({ logits: net.forward(reshape(image, [...shape, 1])).logits })), {
    image: spec(shape),
  });
  const unseen = Array.from({ length: TEST.images }, (_, i) => ellipse(TEST.seed, i));

  const score = async (): Promise<number> => {
    let total = 0;
    for (let first = 0; first < TEST.images; first += BATCH) {
      const own = unseen.slice(first, first + BATCH);
      const logits = await predict.run({ image: batchOf(own).image }).logits.data();
      own.forEach(({ mask }, i) => {
        let [both, sizes] = [0, 0];
        mask.forEach((m, k) => {
          const at = 2 * (i * mask.length + k);
          const p = logits[at + 1] > logits[at] ? 1 : 0;
          both += p * m;
          sizes += p + m;
        });
        total += sizes > 0 ? (2 * both) / sizes : 1;
      });
    }
    return total / TEST.images;
  };

  const start = performance.now();
  const dice: number[] = [];
  for (let it = 0; it < checks.at(-1)!; it++) {
    optimiser.lr = plan.method.network2d.rate * learningRateFactor(plan.optimiser, it, TOTAL);
    step.run(batchOf(Array.from({ length: BATCH }, (_, i) => ellipse(seed, it * BATCH + i))));
    if (checks.includes(it + 1)) dice.push(await score());
  }
  const seconds = (performance.now() - start) / 1000;
  step.dispose();
  predict.dispose();
  optimiser.dispose();
  return { dice, seconds };
}
