// SPDX-License-Identifier: MIT
// The losses, slices, pseudo-label weights, ramp, quality and optimiser against the PyTorch oracle (test/golden/sanet/NAMES.md, 5).
import type { SlicePlane } from '../../src/axes.ts';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { spec } from '../../src/engine/dtype.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { Linear } from '../../src/nn/layers.ts';
import { Module } from '../../src/nn/module.ts';
import { Parameter } from '../../src/nn/parameter.ts';
import { zerosInit } from '../../src/nn/init.ts';
import { mul } from '../../src/ops/pointwise.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { fitSlices, takeSlices, toNative, toNetwork } from '../../src/models/sanet/planes.ts';
import { crossTargets } from '../../src/methods/sanet/cross.ts';
import { sliceLoss } from '../../src/methods/sanet/forward.ts';
import { boundaryLoss, boundaryTarget, oneHotOf, segLoss } from '../../src/losses/segmentation.ts';
import { adamw, decayGroups } from '../../src/optim/optimiser.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { pseudoWeight } from '../../src/methods/sanet/schedule.ts';
import { compare, draw, Goldens, input, setParameters, type LayoutOf } from './golden.ts';

const goldens = new Goldens('losses');
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

class Nothing extends Module {}
type Inputs = Record<string, Tensor>;

/** Targets, weights and volumes have no channel axis, whatever their rank. */
const layout: LayoutOf = (key, shape) => (/target|weight|volume/.test(key) || shape.length < 4 ? 'same' : 'channels');

/** A case without parameters: its inputs, and what `forward` makes of them, held against the golden. */
async function hold(name: string, forward: (x: Inputs, config: Record<string, never>) => Inputs): Promise<void> {
  const c = goldens.get(name);
  const inputs = Object.fromEntries(Object.keys(c.inputs).map((key) => [key, input(c, key, layout)]));
  await compare(goldens, c, new Nothing(), inputs, () => forward(inputs, c.config), { layout });
}

describe('segmentation loss', () => {
  it.each(['seg2', 'seg5', 'seg5_partial', 'seg_volume'])('%s: cross entropy, Dice, and half of each', async (name) => {
    await hold(name, ({ logits, target, weight }, config) => {
      const { classes, missing } = config as unknown as { classes: number; missing: number[] };
      const present = missing.length > 0 ? tensor(Array.from({ length: classes }, (_, c) => (missing.includes(c) ? 0 : 1))) : undefined;
      const loss = (ce: number, dice: number): Tensor => segLoss(logits, oneHotOf(target, classes), weight, present, { ce, dice });
      return { ce: loss(1, 0), dice: loss(0, 1), seg: segLoss(logits, oneHotOf(target, classes), weight, present) };
    });
  });
});

it('a voxel whose missing class is far more or far less likely than float32 holds: a finite loss and gradient', async () => {
  // Joined classes 0 and 2; class 1 is labelled. Logits 200 apart: every probability but one underflows.
  const logits = tensor([0, 200, 0, 200, 0, 0, 0, 0, 200], { shape: [1, 1, 3, 3] });
  const target = tensor([0, 1, 0], { shape: [1, 1, 3] });
  const present = tensor([1, 1, 0]);
  const { loss, grad } = evaluate(() => {
    const loss_ = segLoss(logits, oneHotOf(target, 3), tensor([1, 1, 1], { shape: [1, 1, 3] }), present, { ce: 1, dice: 0 });
    return { loss: loss_, grad: backward(loss_, [logits]).get(logits)! };
  });
  // -log(p0 + p2) is 200 - log 2, -log p1 is 200, -log(p0 + p2) is 0.
  expect(await loss.item()).toBeCloseTo((400 - Math.log(2)) / 3, 2);
  const third = 1 / 3;
  const want = [-third / 2, third, -third / 2, third, -third, 0, 0, 0, 0];
  [...(await grad.data())].forEach((g, i) => {
    expect(g, `${i}`).toBeCloseTo(want[i], 5);
  });
});

describe('boundaries', () => {
  it('targets, validity and loss', async () => {
    await hold('edge', ({ logits, target, weight }) => {
      const { boundary, valid } = boundaryTarget(oneHotOf(target, 3), weight);
      return { loss: boundaryLoss(reshape(logits, weight.shape), boundary, mul(valid, weight)) };
    });
    const c = goldens.get('edge');
    const found = boundaryTarget(oneHotOf(input(c, 'target', layout), 3), input(c, 'weight', layout));
    for (const key of ['boundary', 'valid'] as const) {
      expect([...(await found[key].data())], key).toEqual([...(goldens.values.get(`edge/${key}`)!.data as Int32Array)]);
    }
  });

  it('are two voxels wide on slices above 128, and wherever the plan says so', async () => {
    const row = (n: number): Tensor =>
      oneHotOf(
        tensor(
          Float32Array.from({ length: n }, (_, i) => (i >= n / 2 ? 1 : 0)),
          { shape: [1, 1, n] },
        ),
        2,
      );
    const width = async (n: number, radius: 'auto' | 1 | 2): Promise<number> => {
      const { boundary } = boundaryTarget(row(n), tensor(new Float32Array(n).fill(1), { shape: [1, 1, n] }), radius);
      return ((await boundary.data()) as Float32Array).reduce((a, b) => a + b, 0);
    };
    expect([await width(128, 'auto'), await width(130, 'auto'), await width(128, 2), await width(130, 1)]).toEqual([2, 4, 4, 2]);
  });
});

describe('whole loss of a 2D network', () => {
  it.each([1, 2] as const)('slices enlarged x%i', async (doubling) => {
    await hold(`n2_loss_x${doubling}`, (x) => {
      const list = (key: string, n: number): Tensor[] => Array.from({ length: n }, (_, i) => x[`${key}${i}`]);
      const out = { logits: x.logits, edge: x.edge, region: list('region', 5), boundary: list('boundary', 4) };
      const loss = sliceLoss(
        out,
        fitSlices(16, 64, doubling),
        { target: x.target, weight: x.weight },
        2,
        presetPlan('demo').method.loss,
        undefined,
      );
      return { total: loss.total, final: loss.final, aux: loss.auxiliary!, edge: loss.edge, boundary: loss.boundary! };
    });
  });
});

describe('slices', () => {
  it('to the network: padded, and enlarged', async () => {
    const { config } = goldens.get('to_network');
    await hold('to_network', ({ volume }) => {
      const take = (plane: SlicePlane, resize: 1 | 2): Tensor => {
        const slices = takeSlices(reshape(volume, [1, 10, 7, 40, 1]), plane, tensor(config[plane], { dtype: 'u32' }));
        return toNetwork(slices, fitSlices(slices.shape[1], slices.shape[2], resize));
      };
      return { coronal: take('coronal', 1), coronal_doubled: take('coronal', 2), transverse: take('transverse', 1) };
    });
  });

  it('and logits of any resolution back', async () => {
    await hold('to_native', ({ eighth, quarter }) => ({
      eighth: toNative(eighth, fitSlices(13, 40, 1)),
      quarter_doubled: toNative(quarter, fitSlices(16, 24, 2)),
    }));
  });
});

/** Tables of plain numbers in the goldens' JSON. */
const facts = JSON.parse(readFileSync(new URL('../golden/sanet/losses.json', import.meta.url), 'utf8')) as {
  name: string;
  rows: Record<string, number>[];
}[];
const rowsOf = <T>(name: string): T[] => facts.find((f) => f.name === name)!.rows as T[];

/** Probabilities [1, 1, n, K]: `confidence` for the label, the rest shared by the others. */
const confident = (labels: readonly number[], confidence: readonly number[], classes = 2): Tensor =>
  tensor(
    labels.flatMap((label, i) =>
      Array.from({ length: classes }, (_, c) => (c === label ? confidence[i] : (1 - confidence[i]) / (classes - 1))),
    ),
    { shape: [1, 1, labels.length, classes] },
  );
const line = (values: readonly number[]): Tensor => tensor(values, { shape: [1, 1, values.length] });

describe('pseudo labels', () => {
  it('truth table of w2 and w3', async () => {
    type Row = Record<'annotated' | 'chosen' | 'y3' | 'yt' | 'yc' | 'c3' | 'ct' | 'cc' | 'w2' | 'w3', number>;
    const rows = rowsOf<Row>('truth_table');
    const column = (key: keyof Row): number[] => rows.map((row) => row[key]);
    const truth = { label: line(rows.map(() => 1)), annotated: line(column('annotated')) };
    const { sam, slices } = crossTargets(
      {
        sam: confident(column('y3'), column('c3')),
        transverse: confident(column('yt'), column('ct')),
        coronal: confident(column('yc'), column('cc')),
      },
      truth,
      line(column('chosen')),
      tensor([0.5]),
      { hardThreshold: 0.9, softThreshold: 0.9, quality: 'dice', qualityBar: 1 },
    );
    expect([...(await sam.weight.data())]).toEqual(column('w2'));
    expect([...(await slices.weight.data())]).toEqual(column('w3'));
    expect([...(await sam.target.data())]).toEqual(rows.map((r) => (r.annotated ? 1 : r.yt)));
    expect([...(await slices.target.data())]).toEqual(rows.map((r) => (r.annotated ? 1 : r.y3)));
    expect(new Set(column('w2')).size).toBe(3); // 0, lambda and 1 all occur
  });

  it('quality on annotated voxels, and the threshold that it earns', async () => {
    for (const row of rowsOf<{ classes: number; y3: number[]; g: number[]; annotated: number[]; quality: number; threshold: number }>(
      'quality',
    )) {
      const p = confident(
        row.y3,
        row.y3.map(() => 0.8),
        row.classes,
      ); // between the two thresholds
      const { quality, slices } = crossTargets(
        { sam: p, transverse: p, coronal: p },
        { label: line(row.g), annotated: line(row.annotated) },
        line(row.g.map(() => 1)),
        tensor([0.25]),
        { hardThreshold: 0.9, softThreshold: 0.7, quality: row.classes === 2 ? 'dice' : 'accuracy', qualityBar: 0.85 },
      );
      expect(await quality.item()).toBeCloseTo(row.quality, 6);
      const weights = await slices.weight.data();
      row.annotated.forEach((w, i) => {
        expect(weights[i], `voxel ${i}`).toBe(w ? 1 : row.threshold === 0.7 ? 0.25 : 0);
      });
    }
  });

  it.each(['dice', 'accuracy'] as const)('without annotated voxels %s is no number and the hard threshold holds', async (metric) => {
    const p = confident([1, 0], [0.8, 0.95], 2);
    const nothing = line([0, 0]);
    const options = { hardThreshold: 0.9, softThreshold: 0.7, quality: metric, qualityBar: 0.85 };
    const { quality, slices } = crossTargets(
      { sam: p, transverse: p, coronal: p },
      { label: nothing, annotated: nothing },
      line([1, 1]),
      tensor([0.25]),
      options,
    );
    expect(await quality.item()).toBeNaN();
    expect([...(await slices.weight.data())]).toEqual([0, 0.25]);
  });

  it('ramp', () => {
    for (const { n, stage0, lamMax, it: at, lam } of rowsOf<{ n: number; stage0: number; lamMax: number; it: number; lam: number }>(
      'ramp',
    )) {
      const cross = { ...presetPlan('demo').method.cross, warmStart: stage0 / n, lambdaMax: lamMax };
      expect(pseudoWeight(cross, at, n), `iteration ${at} of ${n}`).toBeCloseTo(lam, 12);
    }
  });
});

class Weights extends Module {
  readonly layer = new Linear(7, 5);
  readonly table = new Parameter([9, 4], zerosInit, { decay: false });
  readonly tau_s = new Parameter([4], zerosInit, { decay: false });
}

describe('optimiser: three clipped steps with decay on matrices alone', () => {
  // The gradients of an iteration in one piece, or gathered over micro-batches.
  it.each(['at once', 'in two micro-batches'])('gradients %s', async (how) => {
    const c = goldens.get('optimiser');
    const module = new Weights();
    setParameters(c, module);
    const sorted = [...module.namedParameters()].sort(([a], [b]) => (a < b ? -1 : 1));
    const optimiser = adamw(decayGroups(module.parameters(), 0.1), { lr: 1e-2, clipNorm: 10 });
    const example = Object.fromEntries(sorted.map(([name, p]) => [name, spec(p.shape)]));
    const gradients = (x: Inputs): Map<Tensor, Tensor> => new Map(sorted.map(([name, p]) => [p, x[name]]));
    const gathered =
      how === 'at once'
        ? null
        : await compile((x: Inputs) => {
            optimiser.accumulate(gradients(x), 0.5);
            return {};
          }, example);
    const update = await compile((x: Inputs) => ({ clip: optimiser.step(gathered ? undefined : gradients(x)) }), gathered ? {} : example);
    const norms: number[] = [];
    for (let s = 0; s < 3; s++) {
      const feed = Object.fromEntries(
        sorted.map(([name, { shape }], j) => [
          name,
          draw(c.seed, { shape: [...shape], op: 40_000 + 100 * s + j, offset: 0, scale: s < 2 ? 20 : 0.1 }),
        ]),
      );
      if (gathered) {
        gathered.run(feed);
        gathered.run(feed);
      }
      norms.push((await update.run(gathered ? {} : feed).clip.data())[1]);
    }
    const near = (values: ArrayLike<number>, key: string): void => {
      const golden = goldens.values.get(`optimiser/out/${key}`)!.data as Float32Array;
      expect(values.length).toBe(golden.length);
      golden.forEach((want, i) => {
        expect(Math.abs(values[i] - want), `${key} ${i}`).toBeLessThan(2e-6 * Math.max(1, Math.abs(want)));
      });
    };
    near(norms, 'norms');
    for (const [name, p] of sorted) near(await p.torchValues(), name);
    optimiser.dispose();
  });
});
