// SPDX-License-Identifier: MIT
// Whole volumes with stand-ins for the networks: what the windows cover, how they blend, what is held in memory, where masks land.
import type { Triple } from '../../src/axes.ts';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { orientGeometry, rasOrientation, toRas } from '../../src/data/orientation.ts';
import type { Geometry } from '../../src/data/geometry.ts';
import type { Volume } from '../../src/data/volume.ts';
import { onStoredGrid, prepareScan, scanBytes, segment, windowsOf } from '../../src/train/inference.ts';
import { blendWeights, patchStarts, predictVolume, roisAtOnce, type RoiNetworks } from '../../src/predict/predict_volume.ts';
import { consensusClicks } from '../../src/methods/sanet/prompts.ts';
import type { Plan } from '../../src/methods/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';

function planFor(roi: Triple, change: (plan: Plan) => void = () => {}): Plan {
  const plan = presetPlan('demo');
  plan.data.roi = roi;
  plan.data.window = [0, 100];
  plan.data.normalise = '0..1';
  change(plan);
  return plan;
}

/** Probability of class 1 = the image itself, so that the label says whether a voxel is above one half. */
const threshold = oneByOne((image) => {
  const p = new Float32Array(image.length * 2);
  image.forEach((v, i) => {
    p[2 * i] = 1 - v;
    p[2 * i + 1] = v;
  });
  return { transverse: p };
});

/** A stand-in for networks, told what to say of each ROI. */
function oneByOne(say: (image: Float32Array) => Record<string, Float32Array>, most = 3): RoiNetworks {
  return {
    most,
    run: async (images) => {
      expect(images.length).toBeLessThanOrEqual(most);
      return images.map(say);
    },
  };
}

// Without it, arrays that nobody holds any more would be counted.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const scanOf = (size: Triple, image: Float32Array) => ({
  image,
  outside: 0,
  grid: { size, spacing: [1, 1, 1] as Triple, origin: [0, 0, 0] as Triple, direction: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
});
const noise = (n: number, seed = 1): Float32Array => {
  let state = seed;
  return Float32Array.from({ length: n }, () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
};

describe('patches', () => {
  it.each([
    [[5, 7, 9], [8, 8, 8], 0.5],
    [[20, 17, 64], [8, 8, 16], 0.5],
    [[9, 9, 9], [8, 8, 8], 1],
    [[31, 40, 8], [4, 16, 8], 0.25],
  ] as [Triple, Triple, number][])(
    'of %j with ROI %j at step %f reach every voxel, and none reaches further than it must',
    (size, roi, step) => {
      const seen = new Uint8Array(size[0] * size[1] * size[2]);
      const starts = patchStarts(size, roi, step);
      for (const start of starts) {
        start.forEach((s, axis) => expect(size[axis] <= roi[axis] ? s <= 0 : s >= 0 && s + roi[axis] <= size[axis]).toBe(true));
        for (let d = 0; d < roi[0]; d++)
          for (let h = 0; h < roi[1]; h++)
            for (let w = 0; w < roi[2]; w++) {
              const [z, y, x] = [d + start[0], h + start[1], w + start[2]];
              if (z >= 0 && z < size[0] && y >= 0 && y < size[1] && x >= 0 && x < size[2]) seen[(z * size[1] + y) * size[2] + x] = 1;
            }
      }
      expect(seen.includes(0)).toBe(false);
      expect(starts.map((s) => s[0])).toEqual(starts.map((s) => s[0]).sort((a, b) => a - b)); // the slab relies on it
    },
  );

  it('weigh most in their middle, and never nothing', () => {
    const weights = blendWeights([4, 6, 8]);
    expect(Math.min(...weights)).toBeGreaterThan(0);
    const at = (d: number, h: number, w: number): number => weights[(d * 6 + h) * 8 + w];
    expect(at(2, 3, 4)).toBe(Math.max(...weights));
    expect(at(0, 0, 0)).toBeLessThan(at(1, 1, 1));
  });
});

describe('predictVolume', () => {
  it.each([[[4, 6, 8]], [[12, 6, 8]], [[13, 19, 23]]] as [Triple][])('gives every voxel of %j what its patches say', async (size) => {
    const image = noise(size[0] * size[1] * size[2]);
    const { transverse, ensemble } = await predictVolume(windowsOf(planFor([4, 6, 8])), threshold, scanOf(size, image));
    const expected = Uint8Array.from(image, (v) => (v > 0.5 ? 1 : 0));
    expect(transverse).toEqual(expected);
    expect(ensemble).toEqual(expected);
  });

  it('gives the mean of those who are in the ensemble', async () => {
    const [size, roi]: [Triple, Triple] = [
      [5, 7, 8],
      [4, 6, 8],
    ];
    const image = noise(size[0] * size[1] * size[2]);
    const class1 = (image: Float32Array, p: (v: number) => number): Float32Array =>
      Float32Array.from({ length: 2 * image.length }, (_, i) => (i % 2 ? p(image[i >> 1]) : 1 - p(image[i >> 1])));
    const networks = oneByOne((image) => ({ a: class1(image, (v) => v), b: class1(image, (v) => v * v), c: class1(image, () => 1) }));
    const predict = (ensemble?: string[]) => predictVolume(windowsOf(planFor(roi), ensemble), networks, scanOf(size, image));
    const mask = (p: (v: number) => number): Uint8Array => Uint8Array.from(image, (v) => (p(v) > 0.5 ? 1 : 0));
    expect((await predict()).ensemble).toEqual(mask((v) => (v + v * v + 1) / 3));
    expect((await predict(['a', 'b'])).ensemble).toEqual(mask((v) => (v + v * v) / 2));
    const alone = await predict(['b']);
    expect(alone.ensemble).toEqual(alone.b);
    expect(Object.keys(alone).sort()).toEqual(['a', 'b', 'c', 'ensemble']);
  });

  it('blends as float volumes of the whole scan would', async () => {
    const [size, roi, classes]: [Triple, Triple, number] = [[11, 9, 13], [4, 4, 6], 3];
    const plan = planFor(roi, (p) => {
      p.classes = ['background', 'a', 'b'];
    });
    let call = 0;
    const patches: Float32Array[][] = [];
    const networks = oneByOne((image) => {
      call++;
      const pair = [noise(image.length * classes, call), noise(image.length * classes, 1000 + call)];
      patches.push(pair);
      return { sam: pair[0], coronal: pair[1] };
    });
    const got = await predictVolume(windowsOf(plan), networks, scanOf(size, new Float32Array(size[0] * size[1] * size[2])));
    const weights = blendWeights(roi);
    const sums = [0, 1].map(() => new Float64Array(size[0] * size[1] * size[2] * classes));
    patchStarts(size, roi, 0.5).forEach((start, n) => {
      for (let d = 0; d < roi[0]; d++)
        for (let h = 0; h < roi[1]; h++)
          for (let w = 0; w < roi[2]; w++)
            for (let c = 0; c < classes; c++)
              for (const k of [0, 1]) {
                const to = (((d + start[0]) * size[1] + h + start[1]) * size[2] + w + start[2]) * classes + c,
                  from = (d * roi[1] + h) * roi[2] + w;
                sums[k][to] += weights[from] * patches[n][k][from * classes + c];
              }
    });
    const label = (p: (i: number) => number): Uint8Array =>
      Uint8Array.from({ length: sums[0].length / classes }, (_, i) =>
        [0, 1, 2].reduce((best, c) => (p(i * classes + c) > p(i * classes + best) ? c : best), 0),
      );
    expect(got.sam).toEqual(label((i) => sums[0][i]));
    expect(got.coronal).toEqual(label((i) => sums[1][i]));
    expect(got.ensemble).toEqual(label((i) => sums[0][i] + sums[1][i]));
  });

  it('leaves out what padding says of a scan smaller than the ROI', async () => {
    const image = noise(2 * 3 * 5);
    const { ensemble } = await predictVolume(windowsOf(planFor([8, 8, 8])), threshold, scanOf([2, 3, 5], image));
    expect(ensemble).toEqual(Uint8Array.from(image, (v) => (v > 0.5 ? 1 : 0)));
  });

  it('averages over the eight mirror images when asked to', async () => {
    const size: Triple = [5, 6, 9];
    const image = noise(size[0] * size[1] * size[2]).map((v) => 0.45 + 0.1 * v);
    // A network that leans to the end of every axis: mirroring takes the lean away.
    let runs = 0;
    const roi: Triple = [4, 4, 4];
    const leaning = oneByOne((patch) => {
      runs++;
      const p = new Float32Array(patch.length * 2);
      for (let i = 0; i < patch.length; i++)
        p[2 * i + 1] = patch[i] + 0.5 * (Math.floor(i / 16) / 3 + (Math.floor(i / 4) % 4) / 3 + (i % 4) / 3 - 1.5);
      for (let i = 0; i < patch.length; i++) p[2 * i] = 1 - p[2 * i + 1];
      return { sam: p };
    });
    const expected = Uint8Array.from(image, (v) => (v > 0.5 ? 1 : 0));
    const plain = await predictVolume(windowsOf(planFor(roi)), leaning, scanOf(size, image));
    expect(plain.sam).not.toEqual(expected);
    const once = runs;
    const mirrored = await predictVolume(
      windowsOf(
        planFor(roi, (p) => {
          p.prediction.mirror = true;
        }),
      ),
      leaning,
      scanOf(size, image),
    );
    expect(mirrored.sam).toEqual(expected);
    expect(runs - once).toBe(8 * once);
  });

  it('holds no more memory than it says', async () => {
    const size: Triple = [96, 192, 192],
      roi: Triple = [16, 96, 96];
    const plan = planFor(roi, (p) => {
      p.classes = ['background', 'a', 'b', 'c', 'd'];
    });
    const p = new Float32Array(roi[0] * roi[1] * roi[2] * 5).fill(0.2);
    const image = new Float32Array(size[0] * size[1] * size[2]);
    const held = (): number => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const before = held() - image.byteLength;
    let [peak, run] = [0, 0];
    const networks = oneByOne(
      () => {
        if (run++ % 8 === 0) peak = Math.max(peak, held() - before);
        return { sam: p, transverse: p, coronal: p };
      },
      roisAtOnce(roi, 5, 3),
    );
    await predictVolume(windowsOf(plan), networks, scanOf(size, image));
    const bytes = scanBytes(plan, size, size);
    expect(peak).toBeLessThan(bytes);
    expect(peak).toBeGreaterThan(bytes / 2);
    // Float volumes of three networks and the ensemble would take this:
    expect(bytes).toBeLessThan(0.35 * 4 * 5 * 4 * image.length);
  });

  it('fits a scan of 512 x 512 x 300 voxels into few GiB, whatever the classes', () => {
    const scan: Triple = [300, 512, 512];
    expect(scanBytes(presetPlan('base'), scan, scan)).toBeLessThan(1.5 * 2 ** 30);
    const organs = presetPlan('base');
    organs.classes = ['background', ...Array.from('abcdefg')];
    organs.data.spacing = [2, 2, 2];
    organs.data.roi = [96, 96, 96];
    expect(scanBytes(organs, scan, [300, 350, 350])).toBeLessThan(3 * 2 ** 30);
  });
});

describe('prompts', () => {
  it('come from the 2D consensus: the innermost voxel of its largest component, else the centre', () => {
    const size = [3, 8, 8] as const;
    const p = new Float32Array(3 * 8 * 8 * 3);
    for (let i = 0; i < 192; i++) p[3 * i] = 1;
    const mark = (d: number, h: number, w: number): void => {
      const i = ((d * 8 + h) * 8 + w) * 3;
      p[i] = 0;
      p[i + 1] = 1;
    };
    for (const d of [0, 1, 2]) for (const h of [4, 5, 6]) for (const w of [3, 4, 5]) mark(d, h, w);
    mark(0, 0, 0); // a smaller one
    const { coords, labels } = consensusClicks([p], size, 3);
    expect([...coords.subarray(0, 3)].map((v) => v.toFixed(6))).toEqual([1.5 / 3, 5.5 / 8, 4.5 / 8].map((v) => v.toFixed(6)));
    expect([...coords.subarray(3)]).toEqual([0.5, 0.5, 0.5]); // class 2 is nowhere
    expect([...labels]).toEqual([1, 1]);
    expect([...consensusClicks([], size, 3).coords]).toEqual(new Array(6).fill(0.5));
  });
});

describe('masks on the grid of the file', () => {
  const turns: [string, number[]][] = [
    ['as ITK stores an axial scan', [1, 0, 0, 0, 1, 0, 0, 0, 1]],
    ['flipped', [-1, 0, 0, 0, -1, 0, 0, 0, -1]],
    ['sagittal', [0, 0, 1, 1, 0, 0, 0, -1, 0]],
    ['oblique by 10 degrees', [Math.cos(0.17), -Math.sin(0.17), 0, Math.sin(0.17), Math.cos(0.17), 0, 0, 0, 1]],
  ];
  it.each(turns)('%s: voxel for voxel', async (_, direction) => {
    const stored: Geometry = { size: [6, 10, 14], spacing: [3, 0.7, 0.9], origin: [12.5, -40, 7], direction };
    const values = noise(6 * 10 * 14);
    const volume: Volume = { ...stored, data: Float32Array.from(values, (v) => 100 * v) };
    const plan = planFor([4, 6, 8]);
    const scan = prepareScan(plan, 'a', toRas(volume), stored);
    const { ensemble } = await segment(plan, threshold, scan);
    const { data, ...grid } = onStoredGrid(ensemble, scan);
    expect(grid).toEqual(stored);
    expect(data).toEqual(Uint8Array.from(values, (v) => (v > 0.5 ? 1 : 0)));
  });

  it('comes back from another spacing to the right place', async () => {
    const stored: Geometry = { size: [12, 40, 30], spacing: [4, 1.1, 1.5], origin: [0, 0, 0], direction: [-1, 0, 0, 0, 1, 0, 0, 0, -1] };
    const inside = (i: number): boolean => {
      const [d, h, w] = [Math.floor(i / 1200), Math.floor(i / 30) % 40, i % 30];
      return d >= 3 && d < 7 && h >= 4 && h < 20 && w >= 16 && w < 26;
    };
    const truth = Uint8Array.from({ length: 12 * 40 * 30 }, (__, i) => (inside(i) ? 1 : 0));
    const plan = planFor([8, 16, 16], (p) => {
      p.data.spacing = [2, 2, 2];
    });
    const scan = prepareScan(plan, 'a', toRas({ ...stored, data: Int16Array.from(truth, (v) => 100 * v) }), stored);
    expect(scan.grid.size).not.toEqual(orientGeometry(stored, rasOrientation(stored)).size);
    const { data, ...grid } = onStoredGrid((await segment(plan, threshold, scan)).ensemble, scan);
    expect(grid).toEqual(stored);
    let [both, sum] = [0, 0];
    data.forEach((v, i) => {
      both += v & truth[i];
      sum += v + truth[i];
    });
    expect((2 * both) / sum).toBeGreaterThan(0.9);
  });

  it('small components go where the plan says so', async () => {
    const size: Triple = [4, 8, 8];
    const volume: Volume = {
      size,
      spacing: [1, 1, 1],
      origin: [0, 0, 0],
      direction: [-1, 0, 0, 0, -1, 0, 0, 0, 1],
      data: new Int16Array(256),
    };
    for (const i of [0, 1, 200, 201, 202, 208]) volume.data[i] = 100;
    const count = async (change: (plan: Plan) => void): Promise<number> => {
      const plan = planFor(size, change);
      return (await segment(plan, threshold, prepareScan(plan, 'a', volume, volume))).ensemble.reduce((a, b) => a + b, 0);
    };
    expect(await count(() => {})).toBe(6);
    expect(
      await count((p) => {
        p.prediction.largestComponent = true;
      }),
    ).toBe(4);
    expect(
      await count((p) => {
        p.prediction.minVolume = 3;
      }),
    ).toBe(4);
    expect(
      await count((p) => {
        p.prediction.minVolume = 5;
      }),
    ).toBe(0);
  });
});
