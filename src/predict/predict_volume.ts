// SPDX-License-Identifier: MIT
// A whole volume through networks that see ROIs: one patch where it fits, else a sliding window whose patches are blended with a
// Gaussian (sigma = patch / 8, as nnU-Net). Sums of probabilities are held only for as many slices as a patch is deep: a slice
// that no later patch touches becomes labels at once, so that memory never holds float volumes of every network and class.
import type { Triple } from '../axes.ts';
import { moveVoxels } from '../data/augment.ts';
import { crop } from '../data/roi.ts';
import type { PreparedCase } from '../data/sample.ts';

/** Networks on ROIs. */
export interface RoiNetworks {
  /** ROIs that a run takes at most. */
  readonly most: number;
  /** images: normalised ROIs [D, H, W]. For each, class probabilities [D, H, W, K] by network. */
  run(images: readonly Float32Array[]): Promise<Readonly<Record<string, Float32Array>>[]>;
}

/** Probabilities of ROIs that a run has on the host together, unless one ROI alone has more. */
const RUN_BYTES = 2 ** 24;

const voxels = ([d, h, w]: Readonly<Triple>): number => d * h * w;

/** ROIs [D, H, W] of a run at most: a power of two, 16 where they are small. */
export function roisAtOnce(roi: Readonly<Triple>, classes: number, networks: number): number {
  return 2 ** Math.max(0, Math.min(4, Math.floor(Math.log2(RUN_BYTES / (4 * networks * classes * voxels(roi))))));
}

/**
 * How a volume is cut: ROI [D, H, W], its step as a share, whether to average over flips, and the number of classes K. `keep`: the output
 * whose probabilities are kept.
 */
export interface Windows {
  readonly roi: Triple;
  readonly step: number;
  readonly mirror: boolean;
  readonly classes: number;
  /** Outputs that are the mean of several networks' probabilities, by name; default: "ensemble", of all. */
  readonly means?: Readonly<Record<string, readonly string[]>>;
  readonly keep?: string;
}

type Flips = readonly [boolean, boolean, boolean];

/** First voxels of the patches along each axis, lowest slices first. An axis shorter than the ROI is centred in it. */
export function patchStarts(size: Triple, roi: Triple, step: number): Triple[] {
  const axis = (n: number, r: number): number[] => {
    if (n <= r) return [Math.round((n - r) / 2)];
    const count = Math.ceil((n - r) / Math.max(1, Math.floor(r * step))) + 1;
    return Array.from({ length: count }, (_, i) => Math.round((i * (n - r)) / (count - 1)));
  };
  const [d, h, w] = size.map((n, i) => axis(n, roi[i])) as [number[], number[], number[]];
  return d.flatMap((z) => h.flatMap((y) => w.map((x): Triple => [z, y, x])));
}

/** Gaussian weights of a patch, largest 1, never 0. */
export function blendWeights(roi: Triple): Float32Array {
  const [d, h, w] = roi.map((n) => Float64Array.from({ length: n }, (_, i) => Math.exp(-0.5 * ((i - (n - 1) / 2) / (n / 8)) ** 2))) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const out = new Float32Array(roi[0] * roi[1] * roi[2]);
  let i = 0;
  for (const a of d) for (const b of h) for (const c of w) out[i++] = Math.max(a * b * c, 1e-4);
  return out;
}

/** The eight ways to mirror a volume, unchanged first. */
const MIRRORS: readonly Flips[] = Array.from({ length: 8 }, (_, i) => [(i & 4) > 0, (i & 2) > 0, (i & 1) > 0]);

type Scan = Pick<PreparedCase, 'image' | 'grid' | 'outside'>;
/** Labels [D, H, W] of each network and of means of their probabilities, on the prepared grid. */
type Labels = Record<string, Uint8Array>;

/** What becomes of a scan: labels of every output, and the probabilities of `windows.keep` (below). */
export interface Predicted<S> {
  readonly scan: S;
  readonly labels: Labels;
  /** [D, H, W] for each class but the background; none where nothing is kept. */
  readonly probabilities: readonly Float32Array[];
}

export async function predictVolume(windows: Windows, networks: RoiNetworks, scan: Scan): Promise<Labels> {
  for await (const { labels } of predictVolumes(windows, networks, [scan])) return labels;
  return {};
}

/**
 * Scans one after another, in order. Their patches share runs: of small ones many make one, and wait for each other. One that is larger
 * than all regions of a run does not wait, so that no two of these are held at once.
 */
export async function* predictVolumes<S extends Scan>(
  windows: Windows,
  networks: RoiNetworks,
  scans: Iterable<S> | AsyncIterable<S>,
): AsyncGenerator<Predicted<S>> {
  let waiting: Patch[] = [];
  const done: Predicted<S>[] = [];
  const run = async (): Promise<void> => {
    const outputs = await networks.run(waiting.map(({ image }) => image));
    waiting.forEach(({ take }, i) => {
      take(outputs[i]);
    });
    waiting = [];
  };
  for await (const scan of scans) {
    for (const patch of patchesOf(windows, scan, (labels, probabilities) => {
      done.push({ scan, labels, probabilities });
    })) {
      waiting.push(patch);
      if (waiting.length === networks.most) await run();
    }
    if (waiting.length > 0 && voxels(scan.grid.size) > networks.most * voxels(windows.roi)) await run();
    yield* done.splice(0);
  }
  if (waiting.length > 0) await run();
  yield* done;
}

/** A patch as networks see it, and what becomes of their probabilities; these come in the order of the patches. */
interface Patch {
  readonly image: Float32Array;
  take(outputs: Readonly<Record<string, Float32Array>>): void;
}

function* patchesOf(
  { roi, step, mirror, classes, means, keep }: Windows,
  { image, grid: { size }, outside }: Scan,
  done: (labels: Labels, probabilities: readonly Float32Array[]) => void,
): Generator<Patch> {
  const slab = new Slab([...size], roi, classes, means, keep);
  const starts = patchStarts([...size], roi, step);
  let left = starts.length * (mirror ? 8 : 1);
  for (const start of starts) {
    const patch = crop(image, [...size], start, roi, outside);
    for (const flips of mirror ? MIRRORS : MIRRORS.slice(0, 1)) {
      yield {
        image: flips.includes(true) ? moveVoxels(patch, roi, { flips, turns: 0, scale: 0, shift: 0 }) : patch,
        take(outputs) {
          slab.finish(start[0]); // patches come in the order of their slices
          for (const [name, p] of Object.entries(outputs)) slab.add(name, p, start, flips);
          if (--left > 0) return;
          slab.finish(size[0]);
          done(slab.labels, slab.probabilities);
        },
      };
    }
  }
}

/** Weighted sums of probabilities over a moving window of slices. The common weight of a voxel cancels in the argmax. */
class Slab {
  readonly labels: Record<string, Uint8Array> = {};
  /** Of the output `keep`, for each class but the background. */
  readonly probabilities: readonly Float32Array[];
  private readonly sums = new Map<string, Float32Array>();
  private readonly size: Triple;
  private readonly roi: Triple;
  private readonly classes: number;
  private readonly means: Windows['means'];
  private readonly keep: string | undefined;
  private readonly depth: number;
  private readonly weights: Float32Array;
  /** Slices below this one have their labels. */
  private done = 0;

  constructor(size: Triple, roi: Triple, classes: number, means: Windows['means'], keep: string | undefined) {
    this.size = size;
    this.roi = roi;
    this.classes = classes;
    this.means = means;
    this.keep = keep;
    this.probabilities = keep === undefined ? [] : Array.from({ length: classes - 1 }, () => new Float32Array(size[0] * size[1] * size[2]));
    this.depth = Math.min(size[0], roi[0]);
    this.weights = blendWeights(roi);
  }

  /** Adds a patch that was computed on the mirrored image. What lies outside the volume is dropped. */
  add(name: string, patch: Float32Array, start: Triple, flips: Flips): void {
    const {
      size: [D, H, W],
      roi: [rd, rh, rw],
      classes,
      depth,
      weights,
    } = this;
    let sums = this.sums.get(name);
    if (!sums) this.sums.set(name, (sums = new Float32Array(depth * H * W * classes)));
    const step = flips[2] ? -classes : classes;
    for (let d = Math.max(0, -start[0]); d < Math.min(rd, D - start[0]); d++) {
      for (let h = Math.max(0, -start[1]); h < Math.min(rh, H - start[1]); h++) {
        const row = ((flips[0] ? rd - 1 - d : d) * rh + (flips[1] ? rh - 1 - h : h)) * rw;
        const w0 = Math.max(0, -start[2]),
          w1 = Math.min(rw, W - start[2]);
        let from = (row + (flips[2] ? rw - 1 - w0 : w0)) * classes;
        let to = ((((d + start[0]) % depth) * H + h + start[1]) * W + w0 + start[2]) * classes;
        for (let w = w0; w < w1; w++, from += step, to += classes) {
          const weight = weights[(d * rh + h) * rw + w];
          for (let c = 0; c < classes; c++) sums[to + c] += weight * patch[from + c];
        }
      }
    }
  }

  /** Turns the sums of all slices below `slice` into labels and clears them. */
  finish(slice: number): void {
    const {
      size: [, H, W],
      classes,
      depth,
    } = this;
    const plane = H * W;
    for (; this.done < slice; this.done++) {
      const at = (this.done % depth) * plane * classes;
      const slices = [...this.sums].map(([name, sums]) => [name, sums.subarray(at, at + plane * classes)] as const);
      for (const [name, p] of slices) argmax([p], classes, this.label(name).subarray(this.done * plane));
      const means = this.means ?? { ensemble: slices.map(([network]) => network) };
      const of = (members: readonly string[]): Float32Array[] => slices.filter(([network]) => members.includes(network)).map(([, p]) => p);
      for (const [name, members] of Object.entries(means)) argmax(of(members), classes, this.label(name).subarray(this.done * plane));
      if (this.keep !== undefined) {
        const kept = of([this.keep]); // else it is a mean, or a network that there is not
        shares(kept.length > 0 ? kept : of(means[this.keep] ?? means.ensemble), classes, this.probabilities, this.done * plane);
      }
      for (const [, p] of slices) p.fill(0);
    }
  }

  private label(name: string): Uint8Array {
    return (this.labels[name] ??= new Uint8Array(this.size[0] * this.size[1] * this.size[2]));
  }
}

/** Label of the largest sum over `volumes` [..., classes] into `label`; ties go to the lowest class. */
export function argmax(
  volumes: readonly Float32Array[],
  classes: number,
  label: Uint8Array = new Uint8Array((volumes[0]?.length ?? 0) / classes),
): Uint8Array {
  for (let i = 0; i * classes < (volumes[0]?.length ?? 0); i++) {
    let best = -Infinity;
    for (let c = 0; c < classes; c++) {
      let p = 0;
      for (const v of volumes) p += v[i * classes + c];
      if (p > best) {
        best = p;
        label[i] = c;
      }
    }
  }
  return label;
}

/** Each foreground class's share of the sums over `volumes` [..., classes], from position `at` of its volume on. */
function shares(volumes: readonly Float32Array[], classes: number, into: readonly Float32Array[], at: number): void {
  const sums = new Float64Array(classes);
  for (let i = 0; i * classes < volumes[0].length; i++) {
    sums.fill(0);
    for (const v of volumes) for (let c = 0; c < classes; c++) sums[c] += v[i * classes + c];
    const total = sums.reduce((a, b) => a + b, 0);
    for (let c = 1; c < classes; c++) into[c - 1][at + i] = sums[c] / total;
  }
}

/**
 * Bytes of host memory that a scan takes at most: while it is read (16-bit voxels, three times, and floats), or while it is
 * predicted (the image, the patches of a run on their way to the device, their probabilities on the way back, the sums of a slab, the
 * labels of every output on both grids); and what waits beside it: small scans with less than a run's patches, and one whose last are
 * among them.
 */
export function predictionBytes(
  { roi, classes, keep }: Windows,
  networks: number,
  native: Triple,
  grid: Triple,
  resampled: boolean,
): number {
  const most = roisAtOnce(roi, classes, networks),
    probabilities = 4 * networks * classes,
    labels = networks + 1 + (keep === undefined ? 0 : 4 * (classes - 1));
  const reading = voxels(native) * (6 + (resampled ? 12 : 4));
  const sums = probabilities * Math.min(roi[0], grid[0]) * grid[1] * grid[2];
  const patches = voxels(roi) * most * (8 + 2 * probabilities);
  const beside = most === 1 ? 0 : 2 * most * voxels(roi) * (8 + probabilities + labels);
  return Math.max(reading, 4 * voxels(grid) + patches + sums + labels * (voxels(grid) + voxels(native))) + beside;
}
