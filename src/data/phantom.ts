// SPDX-License-Identifier: MIT
// Made-up chest CT regions with exact masks (specification 7.3): lung background with low-frequency texture, vessels, a pleura
// plane, one lesion a class (ellipsoid with a perturbed surface, ground-glass to solid), scanner noise, blur along z.
import type { Triple } from '../axes.ts';
import { Philox, type PhiloxCursor } from '../random/philox.ts';
import type { Volume } from './volume.ts';

/** What to make; every field but `size` and `seed` has the default named. Lengths are voxels, intensities HU. */
export interface PhantomOptions {
  /** [D, H, W]. */
  readonly size: Triple;
  readonly seed: number;
  /** Number of the phantom in its series: another number, another phantom. Default 0. */
  readonly index?: number;
  /** Smallest and largest lesion radius; an axis too short for it is limited to 0.45 of its length. Default [3, 18]. */
  readonly radii?: readonly [number, number];
  /** Smallest difference between lesion and lung. Default 250: HU from -600, as the specification. */
  readonly contrast?: number;
  /** Standard deviation of the scanner noise. Default 25. */
  readonly noise?: number;
  /** Number of random vessels. Default 6. */
  readonly vessels?: number;
  /** Chance of a pleura plane. Default 0.5. */
  readonly pleura?: number;
  /** Chance of spicules on a lesion. Default 0.3. */
  readonly spicules?: number;
  /** Lesions, labelled 1..classes. Default 1. */
  readonly classes?: number;
  /** Millimetres [D, H, W]. Default [1, 1, 1]. */
  readonly spacing?: Triple;
}

/** An image (int16 HU) and its mask (uint8) on one grid. */
export interface Phantom {
  readonly image: Volume;
  readonly label: Volume;
}

const LUNG = -850;
const TEXTURE = 60; // standard deviation of the background texture, HU
const BRIGHTEST = 60;
const STREAM = 64; // outside STREAMS: making data must not touch the numbers of a training run
const PART = { shape: 0, texture: 1, noise: 2 } as const;

/** A lesion: elliptic radius scaled by 1 + perturbation(direction). */
interface Lesion {
  readonly centre: Triple;
  readonly radii: Triple;
  readonly hu: number;
  readonly edge: number;
  readonly harmonics: readonly number[];
  readonly spikes: readonly number[][];
}

/** Makes phantom number `index` of a seed: the same options always give the same voxels. RangeError for impossible options. */
export function makePhantom(options: PhantomOptions): Phantom {
  const {
    size,
    seed,
    index = 0,
    radii = [3, 18],
    contrast = 250,
    noise = 25,
    vessels = 6,
    pleura = 0.5,
    spicules = 0.3,
    classes = 1,
    spacing = [1, 1, 1],
  } = options;
  if (!(radii[0] > 0 && radii[0] <= radii[1]) || contrast > BRIGHTEST - LUNG || size.some((n) => n < 4)) {
    throw new RangeError(
      `makePhantom: got size ${size.join('x')}, radii ${radii.join('..')}, contrast ${contrast}, expected sides >= 4, 0 < radii ` +
        `ascending, contrast <= ${BRIGHTEST - LUNG}.`,
    );
  }
  const rng = new Philox(seed, STREAM),
    draw = rng.cursor(index, PART.shape);
  const image = texture(rng, index, size);
  const label = new Uint8Array(image.length);
  const lesions = Array.from({ length: classes }, (_, c) => drawLesion(draw, size, radii, contrast, spicules, c, classes));
  for (let i = 0; i < vessels; i++) paintVessel(image, size, draw);
  if (draw.chance(pleura)) paintPleura(image, size, draw, lesions);
  lesions.forEach((lesion, c) => paintLesion(image, label, size, lesion, c + 1));
  blurZ(image, size);
  const grain = rng.normal(index, PART.noise, image.length);
  const grid = { size, spacing, origin: [0, 0, 0] as Triple, direction: [-1, 0, 0, 0, -1, 0, 0, 0, 1] }; // already RAS
  return {
    image: { ...grid, data: Int16Array.from(image, (v, i) => Math.round(Math.min(3071, Math.max(-1024, v + noise * grain[i])))) },
    label: { ...grid, data: label },
  };
}

/** Lung: a coarse grid of normals (one every 8 voxels) interpolated linearly, scaled back to `TEXTURE`. */
function texture(rng: Philox, index: number, [D, H, W]: Triple): Float32Array {
  const cell = 8,
    coarse = [D, H, W].map((n) => Math.ceil(n / cell) + 2);
  const knots = rng.normal(index, PART.texture, coarse[0] * coarse[1] * coarse[2]);
  const out = new Float32Array(D * H * W);
  const at = (z: number, y: number, x: number): number => knots[(z * coarse[1] + y) * coarse[2] + x];
  for (let d = 0, i = 0; d < D; d++)
    for (let h = 0; h < H; h++)
      for (let w = 0; w < W; w++, i++) {
        const z = Math.floor(d / cell),
          y = Math.floor(h / cell),
          x = Math.floor(w / cell);
        const fz = d / cell - z,
          fy = h / cell - y,
          fx = w / cell - x;
        const line = (a: number, b: number): number => at(a, b, x) * (1 - fx) + at(a, b, x + 1) * fx;
        out[i] = (line(z, y) * (1 - fy) + line(z, y + 1) * fy) * (1 - fz) + (line(z + 1, y) * (1 - fy) + line(z + 1, y + 1) * fy) * fz;
      }
  let power = 0;
  for (const v of out) power += v * v;
  const scale = TEXTURE / Math.sqrt(power / out.length);
  return out.map((v) => LUNG + scale * v);
}

function direction(draw: PhiloxCursor): Triple {
  const v: Triple = [draw.normal(), draw.normal(), draw.normal()];
  const length = Math.hypot(...v) || 1;
  return [v[0] / length, v[1] / length, v[2] / length];
}

function drawLesion(
  draw: PhiloxCursor,
  size: Triple,
  radii: readonly [number, number],
  contrast: number,
  spicules: number,
  c: number,
  classes: number,
): Lesion {
  // Several lesions share the W axis, a stretch each.
  const room: Triple = [size[0], size[1], size[2] / classes];
  const centre = room.map((n, axis) => (axis === 2 ? c * n : 0) + (n - 1) / 2 + draw.uniform(-0.08, 0.08) * n) as Triple;
  const mean = draw.uniform(radii[0], radii[1]);
  const axes = room.map((n) => Math.min(0.45 * n, Math.min(radii[1], Math.max(radii[0], mean * draw.uniform(0.8, 1.25))))) as Triple;
  const harmonics = Array.from({ length: 12 }, () => draw.normal(0, 0.05));
  const spikes = draw.chance(spicules) ? Array.from({ length: 3 + draw.int(5) }, () => [...direction(draw), draw.uniform(0.15, 0.4)]) : [];
  return { centre, radii: axes, hu: draw.uniform(LUNG + contrast, BRIGHTEST), edge: draw.uniform(1, 2), harmonics, spikes };
}

/** Relative change of the radius in direction (z, y, x): real spherical harmonics of degree 2 and 3 as polynomials, plus spikes. */
function perturbation({ harmonics: a, spikes }: Lesion, z: number, y: number, x: number): number {
  let sum =
    a[0] * x * y +
    a[1] * y * z +
    a[2] * z * x +
    a[3] * (x * x - y * y) +
    a[4] * (3 * z * z - 1) +
    a[5] * x * y * z +
    a[6] * z * (x * x - y * y) +
    a[7] * x * (5 * z * z - 1) +
    a[8] * y * (5 * z * z - 1) +
    a[9] * z * (5 * z * z - 3) +
    a[10] * x * (x * x - 3 * y * y) +
    a[11] * y * (3 * x * x - y * y);
  for (const [sz, sy, sx, height] of spikes) sum += height * Math.exp(40 * (z * sz + y * sy + x * sx - 1));
  return Math.max(-0.4, sum);
}

/** The mask is where the signed radial distance is negative; the image fades over `edge` voxels about the same surface. */
function paintLesion(image: Float32Array, label: Uint8Array, [D, H, W]: Triple, lesion: Lesion, value: number): void {
  const { centre, radii, hu, edge } = lesion;
  for (let d = 0, i = 0; d < D; d++)
    for (let h = 0; h < H; h++)
      for (let w = 0; w < W; w++, i++) {
        const z = d - centre[0],
          y = h - centre[1],
          x = w - centre[2];
        const elliptic = Math.hypot(z / radii[0], y / radii[1], x / radii[2]);
        if (elliptic > 2.5) continue;
        const length = Math.hypot(z, y, x) || 1e-6;
        const surface = (length * (1 + perturbation(lesion, z / length, y / length, x / length))) / Math.max(elliptic, 1e-6);
        const distance = length - surface;
        const share = Math.min(1, Math.max(0, 0.5 - distance / edge));
        image[i] += share * share * (3 - 2 * share) * (hu - image[i]);
        if (distance < 0 && label[i] === 0) label[i] = value;
      }
}

/** A straight tube of radius 0.7 to 2 voxels, 0 to 60 HU, through a random point. */
function paintVessel(image: Float32Array, [D, H, W]: Triple, draw: PhiloxCursor): void {
  const point: Triple = [draw.uniform(0, D), draw.uniform(0, H), draw.uniform(0, W)],
    along = direction(draw);
  const radius = draw.uniform(0.7, 2),
    hu = draw.uniform(0, BRIGHTEST);
  for (let d = 0, i = 0; d < D; d++)
    for (let h = 0; h < H; h++)
      for (let w = 0; w < W; w++, i++) {
        const z = d - point[0],
          y = h - point[1],
          x = w - point[2];
        const t = z * along[0] + y * along[1] + x * along[2];
        const distance = Math.sqrt(Math.max(0, z * z + y * y + x * x - t * t));
        const share = Math.min(1, Math.max(0, radius + 0.5 - distance));
        if (share > 0) image[i] += share * (hu - image[i]);
      }
}

/** Chest wall: a half-space of soft tissue behind a plane that keeps 2 voxels off every lesion. */
function paintPleura(image: Float32Array, [D, H, W]: Triple, draw: PhiloxCursor, lesions: readonly Lesion[]): void {
  const angle = draw.uniform(0, 2 * Math.PI),
    hu = draw.uniform(0, BRIGHTEST);
  const ny = Math.sin(angle),
    nx = Math.cos(angle);
  const clear = Math.max(...lesions.map((l) => l.centre[1] * ny + l.centre[2] * nx + 1.4 * Math.max(...l.radii) + 2));
  const edge = 0.5 * (H * Math.abs(ny) + W * Math.abs(nx)),
    middle = 0.5 * (H * ny + W * nx);
  const plane = Math.max(clear, middle + draw.uniform(0.6, 0.95) * edge);
  for (let d = 0, i = 0; d < D; d++)
    for (let h = 0; h < H; h++)
      for (let w = 0; w < W; w++, i++) {
        const share = Math.min(1, Math.max(0, h * ny + w * nx - plane + 0.5));
        if (share > 0) image[i] += share * (hu - image[i]);
      }
}

/** Slice profile: weights 1/4, 1/2, 1/4 along z, end slices repeated. */
function blurZ(image: Float32Array, [D, H, W]: Triple): void {
  const plane = H * W,
    source = image.slice();
  for (let d = 0; d < D; d++) {
    const below = Math.max(0, d - 1) * plane,
      above = Math.min(D - 1, d + 1) * plane;
    for (let i = 0; i < plane; i++)
      image[d * plane + i] = 0.25 * source[below + i] + 0.5 * source[d * plane + i] + 0.25 * source[above + i];
  }
}
