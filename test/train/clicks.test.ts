// SPDX-License-Identifier: MIT
// Clicks on errors against loops on the host: which voxel, which sign, and what happens where nothing is wrong.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Philox } from '../../src/random/philox.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { consensusOf, errorClicks } from '../../src/methods/sanet/clicks.ts';
import { classLogits } from '../../src/methods/sanet/forward.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const SIZE = [3, 4, 5] as const;
const N = 60;
const K = 3;
const random = (op: number, below: number): number[] => [...new Philox(21, 'click').uniform(0, op, N)].map((u) => Math.floor(u * below));
const volume = (values: readonly number[]): Tensor => tensor(values, { shape: SIZE });
/** Logits or probabilities [D, H, W, K] with `high` for the label. */
const favouring = (labels: readonly number[], high: number, low: number): Tensor =>
  tensor(
    labels.flatMap((label) => Array.from({ length: K }, (_, c) => (c === label ? high : low))),
    { shape: [...SIZE, K] },
  );
const centre = (i: number): number[] => [(Math.floor(i / 20) + 0.5) / 3, ((Math.floor(i / 5) % 4) + 0.5) / 4, ((i % 5) + 0.5) / 5];

const first = () => ({ coords: tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], { shape: [2, 1, 3] }), labels: tensor([1, 1], { shape: [2, 1] }) });
const u = [0.37, 0.81];

/** The click of class c: the k-th voxel where prediction and reference differ about c and `where` holds. */
function expected(
  c: number,
  predicted: readonly number[],
  reference: readonly number[],
  where: (i: number) => boolean,
): { at: number; label: number } | null {
  const wrong = predicted.map((_, i) => i).filter((i) => where(i) && (predicted[i] === c) !== (reference[i] === c));
  const at = wrong[Math.floor(u[c - 1] * wrong.length)];
  return at === undefined ? null : { at, label: reference[at] === c ? 1 : 0 };
}

async function clicksOf(
  predicted: readonly number[],
  truth: readonly number[],
  annotated: readonly number[],
  consensus: Parameters<typeof errorClicks>[4],
): Promise<{ coords: number[]; label: number }[]> {
  const { coords, labels } = errorClicks(
    favouring(predicted, 2, -1),
    tensor(u),
    first(),
    { label: volume(truth), annotated: volume(annotated) },
    consensus,
  );
  const [c, l] = [[...(await coords.data())], [...(await labels.data())]];
  return l.map((label, i) => ({ coords: c.slice(3 * i, 3 * i + 3), label }));
}
const near = (got: { coords: number[]; label: number }, want: { coords: number[]; label: number }): void => {
  expect(got.label).toBe(want.label);
  want.coords.forEach((v, axis) => {
    expect(got.coords[axis]).toBeCloseTo(v, 5);
  });
};

describe('clicks on errors', () => {
  const [predicted, truth, annotated] = [random(1, K), random(2, K), random(3, 2)];
  const [agreed, coronal] = [random(4, K), random(5, K)];

  it('fall on annotated errors: positive on what is missing, negative on what is too much', async () => {
    const got = await clicksOf(predicted, truth, annotated, null);
    const signs = new Set<number>();
    for (const c of [1, 2]) {
      const want = expected(c, predicted, truth, (i) => annotated[i] === 1)!;
      near(got[c - 1], { coords: centre(want.at), label: want.label });
      signs.add(want.label);
    }
    expect(signs.size, 'both signs occur').toBe(2);
  });

  it('else on unannotated voxels that contradict a sure consensus', async () => {
    const sure = (labels: readonly number[]): Tensor => favouring(labels, 0.92, 0.04);
    const mixed = agreed.map((v, i) => (i % 3 === 0 ? coronal[i] : v));
    const consensus = consensusOf(sure(agreed), sure(mixed), tensor([1], { shape: [1, 1, 1] }));
    // Annotated voxels are right: nothing is wrong there.
    const right = predicted.map((p, i) => (annotated[i] ? p : truth[i]));
    const got = await clicksOf(predicted, right, annotated, consensus);
    for (const c of [1, 2]) {
      const want = expected(c, predicted, agreed, (i) => annotated[i] === 0 && agreed[i] === mixed[i])!;
      near(got[c - 1], { coords: centre(want.at), label: want.label });
    }
  });

  it('else the first click again: without errors, and where the consensus is unsure or unseen', async () => {
    const [unsure, sure] = [favouring(agreed, 0.88, 0.06), favouring(agreed, 0.92, 0.04)];
    const one = (v: number): Tensor => tensor([v], { shape: [1, 1, 1] });
    for (const consensus of [null, consensusOf(unsure, sure, one(1)), consensusOf(sure, sure, one(0))]) {
      const got = await clicksOf(predicted, predicted, annotated, consensus);
      near(got[0], { coords: [0.1, 0.2, 0.3], label: 1 });
      near(got[1], { coords: [0.4, 0.5, 0.6], label: 1 });
    }
  });
});

it('a class without labels in the case is silent in SAM', async () => {
  const masks = tensor(
    [...random(6, 9), ...random(7, 9)].map((v) => v - 4),
    { shape: [2, ...SIZE, 1] },
  );
  const [all, some] = [classLogits(masks, 1), classLogits(masks, 1, tensor([1, 0, 1], { shape: [1, 3] }))];
  const [a, b] = [await all.data(), await some.data()];
  expect(all.shape).toEqual([1, ...SIZE, K]);
  for (let i = 0; i < N; i++) expect([b[3 * i], b[3 * i + 1], b[3 * i + 2]]).toEqual([0, -1e4, a[3 * i + 2]]);
});
