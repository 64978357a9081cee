// SPDX-License-Identifier: MIT
// Who may teach: by running means of quality on annotated voxels; and SAM's pseudo labels brought to the volume that is there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { slice, stack } from '../../src/ops/layout.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { runningMeans } from '../../src/methods/running_means.ts';
import { calibrated, crossTargets, teacherQuality } from '../../src/methods/sanet/cross.ts';
import { teaching } from '../../src/methods/sanet/schedule.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const line = (values: readonly number[]): Tensor => tensor(values, { shape: [1, 1, values.length] });
/** Probabilities [1, 1, n, 2] of the foreground. */
const sure = (p: readonly number[]): Tensor =>
  tensor(
    p.flatMap((v) => [1 - v, v]),
    { shape: [1, 1, p.length, 2] },
  );

describe('running means', () => {
  it('begin with the first reading, follow slowly, and wait for measures that are missing', () => {
    const first = runningMeans({}, { quality: 0.5, teachers: { sam: 0.4 } });
    expect(first).toEqual({ quality: 0.5, 'teachers.sam': 0.4 });
    const second = runningMeans(first, { quality: 1 });
    expect(second).toEqual({ quality: 0.6, 'teachers.sam': 0.4 });
    let means = second;
    for (let i = 0; i < 40; i++) means = runningMeans(means, { quality: 1 });
    expect(means.quality).toBeCloseTo(1, 3);
  });
});

describe('teachers', () => {
  const means = { 'teachers.sam': 0.2, 'teachers.transverse': 0.4, 'teachers.coronal': 0.3, 'teachers.volumes': 0.5 }; // 0.4, 0.8, 0.6
  it.each([
    [{ teacherBar: 0, teachesAlways: true }, {}],
    [
      { teacherBar: 0, teachesAlways: false },
      { samTeaches: 0, slicesTeach: 1 },
    ],
    [
      { teacherBar: 0.3, teachesAlways: true },
      { samTeaches: 1, slicesTeach: 1 },
    ],
    [
      { teacherBar: 0.5, teachesAlways: true },
      { samTeaches: 0, slicesTeach: 1 },
    ],
    [
      { teacherBar: 0.9, teachesAlways: false },
      { samTeaches: 0, slicesTeach: 0 },
    ],
  ])('%j', (rules, expected) => {
    expect(teaching(rules, means)).toEqual(expected);
  });
  it('all teach while nobody has been judged', () => {
    const rules = { teacherBar: 0.9, teachesAlways: false };
    expect(teaching(rules, {})).toEqual({ samTeaches: 1, slicesTeach: 1 });
    expect(teaching(rules, { 'teachers.volumes': 0, 'teachers.sam': 0 })).toEqual({ samTeaches: 1, slicesTeach: 1 });
  });

  it('are asked the same annotated voxels; a volume without any counts for nothing', async () => {
    const p = { sam: sure([1, 1, 1, 1]), transverse: sure([1, 0, 1, 1]), coronal: sure([0, 0, 1, 1]) };
    const options = { quality: 'dice' as const };
    const label = line([1, 0, 0, 0]);
    const found = teacherQuality(p, { label, annotated: line([1, 1, 1, 0]) }, line([1, 1, 0, 1]), options);
    expect(await Promise.all(Object.values(found).map((t) => t.item()))).toEqual([expect.closeTo(2 / 3, 6), 1, 0, 1]);
    const none = teacherQuality(p, { label, annotated: line([0, 0, 1, 0]) }, line([1, 1, 0, 1]), options);
    expect(await Promise.all(Object.values(none).map((t) => t.item()))).toEqual([0, 0, 0, 0]);
  });

  it('are judged on each volume, and calibrated to each, side by side', async () => {
    const both = (f: (v: readonly number[]) => Tensor, a: readonly number[], b: readonly number[]): Tensor =>
      stack([f(a), f(b)], { axis: 0 });
    const p = {
      sam: both(sure, [0.9, 0.8, 0.6, 0.2], [0.6, 0.7, 0.3, 0.9]),
      transverse: both(sure, [1, 0, 1, 1], [0, 1, 0, 0]),
      coronal: both(sure, [0, 0, 1, 1], [1, 1, 0, 0]),
    };
    const label = both(line, [1, 0, 0, 0], [0, 1, 1, 0]);
    const annotated = both(line, [1, 1, 1, 0], [1, 1, 0, 0]);
    const options = { quality: 'dice' as const, calibrate: true };
    const found = teacherQuality(p, { label, annotated }, line([1, 1, 1, 1]), options);
    const moved = await calibrated(p.sam, { label, annotated }).data();
    for (const v of [0, 1]) {
      const of = (x: Tensor): Tensor => reshape(slice(x, { axis: 0, start: v, end: v + 1 }), x.shape.slice(1));
      const truth = { label: of(label), annotated: of(annotated) };
      const alone = teacherQuality(
        { sam: of(p.sam), transverse: of(p.transverse), coronal: of(p.coronal) },
        truth,
        line([1, 1, 1, 1]),
        options,
      );
      for (const [name, value] of Object.entries(alone))
        expect((await found[name as keyof typeof found].data())[v], name).toBe(await value.item());
      expect(moved.subarray(8 * v, 8 * v + 8)).toEqual(await calibrated(of(p.sam), truth).data());
    }
  });
});

describe('calibration', () => {
  const p = [0.9, 0.8, 0.7, 0.6, 0.55, 0.4, 0.2, 0.1];
  const volume = async (q: Tensor, annotated: readonly number[]): Promise<number> =>
    [...(await q.data())].filter((_, i) => i % 2 === 1).reduce((sum, v, i) => sum + v * annotated[i], 0);

  it('brings the volume on annotated voxels to that of the labels, and keeps the order of voxels', async () => {
    const annotated = [1, 1, 1, 1, 1, 1, 0, 0];
    const truth = { label: line([1, 1, 0, 0, 0, 0, 0, 0]), annotated: line(annotated) };
    expect(await volume(sure(p), annotated)).toBeCloseTo(3.95, 5);
    const q = calibrated(sure(p), truth);
    expect(Math.abs((await volume(q, annotated)) - 2)).toBeLessThan(0.15);
    const foreground = [...(await q.data())].filter((_, i) => i % 2 === 1);
    expect([...foreground].sort((a, b) => b - a)).toEqual(foreground);
    const sums = await q.data();
    foreground.forEach((_, i) => {
      expect(sums[2 * i] + sums[2 * i + 1]).toBeCloseTo(1, 5);
    });
  });

  it('moves nothing where nothing is annotated, or all is right', async () => {
    const same = async (truth: { label: Tensor; annotated: Tensor }, of: readonly number[]): Promise<void> => {
      const [a, b] = [await calibrated(sure(of), truth).data(), await sure(of).data()];
      a.forEach((v, i) => {
        expect(v).toBeCloseTo(b[i], 5);
      });
    };
    await same({ label: line(p.map(() => 1)), annotated: line(p.map(() => 0)) }, p);
    await same({ label: line([1, 1, 0, 0]), annotated: line([1, 1, 1, 1]) }, [1, 1, 0, 0]);
  });
});

describe('agreement with the mirrored volume', () => {
  const options = { hardThreshold: 0.9, softThreshold: 0.9, quality: 'dice' as const, qualityBar: 1 };
  const weights = async (mirrored: Parameters<typeof crossTargets>[6]): Promise<number[][]> => {
    const p = { sam: sure([0.95, 0.95, 0.95, 0.95]), transverse: sure([0.8, 0.8, 0.8, 0.8]), coronal: sure([0.7, 0.7, 0.7, 0.7]) };
    const truth = { label: line([1, 0, 0, 0]), annotated: line([1, 0, 0, 0]) };
    const { sam, slices } = crossTargets(p, truth, line([1, 1, 1, 1]), tensor([0.5]), options, tensor([0.25]), mirrored);
    return [[...(await sam.weight.data())], [...(await slices.weight.data())]];
  };

  it('is what a label needs to count, each teacher with itself; what is annotated counts whatever they say', async () => {
    const all = { sam: sure([0.6, 0.6, 0.6, 0.6]), transverse: sure([0.9, 0.9, 0.9, 0.9]), coronal: sure([0.9, 0.9, 0.9, 0.9]) };
    expect(await weights(null)).toEqual([
      [1, 0.5, 0.5, 0.5],
      [1, 0.25, 0.25, 0.25],
    ]);
    expect(await weights(all)).toEqual(await weights(null));
    expect(
      await weights({ sam: sure([0.1, 0.4, 0.6, 0.6]), transverse: sure([0.1, 0.9, 0.2, 0.9]), coronal: sure([0.1, 0.9, 0.9, 0.3]) }),
    ).toEqual([
      [1, 0.5, 0, 0],
      [1, 0, 0.25, 0.25],
    ]);
  });
});
