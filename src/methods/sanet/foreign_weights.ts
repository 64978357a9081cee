// SPDX-License-Identifier: MIT
// Weights that others trained, by the names of their files: SAM-Med3D as released, its image encoder alone, torchvision's ResNet.
import type { StateEntry } from '../../nn/module.ts';
import type { SanetPlan } from './plan.ts';

const RESNET = /^(conv1|bn1|layer[1-4])\./;
const IMAGE_ENCODER = /^(patch_embed|blocks|neck)\.|^pos_embed$/;
/** Edge of SAM-Med3D's windows, which its tables of relative positions are made for. */
const WINDOW = 14;

/** Where a tensor without a network's name goes, by full names. */
export function foreign(name: string, entry: StateEntry): [name: string, entry: StateEntry][] {
  if (IMAGE_ENCODER.test(name)) return [[`sam.image_encoder.${name}`, entry]];
  if (!RESNET.test(name)) return [[`sam.${name}`, entry]];
  const grey = name === 'conv1.weight' ? summed(entry) : entry;
  return [
    [`transverse.encoder.${name}`, grey],
    [`coronal.encoder.${name}`, grey],
  ];
}

/** A first convolution [O, 3, h, w] for one channel: a grey picture has it three times. */
function summed({ shape, data }: StateEntry): StateEntry {
  const [o, i, h, w] = shape as [number, number, number, number];
  if (shape.length !== 4 || i !== 3) return { shape, data };
  const [values, plane] = [data, h * w];
  const out = Float32Array.from({ length: o * plane }, (_, at) => {
    const first = Math.floor(at / plane) * 3 * plane + (at % plane);
    return values[first] + values[first + plane] + values[first + 2 * plane];
  });
  return { shape: [o, 1, h, w], data: out };
}

interface Released {
  readonly size: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
}

/** Sizes of SAM where the tensors are those of its authors' code, which has tables for windows that are no side of the grid. */
function released(shapes: ReadonlyMap<string, readonly number[]>): Released | null {
  const encoder = new Map([...shapes].map(([name, shape]) => [name.replace(/^(module\.)?(image_encoder\.)?/, ''), shape]));
  const grid = encoder.get('pos_embed');
  const table = encoder.get('blocks.0.attn.rel_pos_d');
  if (grid?.length !== 5 || table?.length !== 2 || table[0] !== 2 * WINDOW - 1 || grid[1] === WINDOW) return null;
  const depth = new Set([...encoder.keys()].flatMap((name) => /^blocks\.(\d+)\./.exec(name)?.[1] ?? [])).size;
  return { size: 16 * grid[1], width: grid[4], depth, heads: grid[4] / table[1] };
}

const SETTINGS = 'sam.compatibility "official", sam.window 14';

/** What is wrong with a plan for the tensors of a file that names no network. */
export function unsuited(
  { method: { volume, sam, network2d } }: SanetPlan,
  shapes: ReadonlyMap<string, readonly number[]>,
): string | undefined {
  if (volume === 'sam' && sam.enabled && sam.compatibility === 'corrected' && released(shapes))
    return (
      'they were trained with the official code, which computes other positions, axes and intensities; got method.sam.compatibility ' +
      `"corrected", expected ${SETTINGS} and a data.window that holds -1000..1000`
    );
  const statistics = [...shapes.keys()].find((name) => RESNET.test(name) && name.endsWith('.running_mean'));
  if (network2d.enabled && network2d.norm === 'gn' && statistics)
    return `they were trained with batch norm (${statistics}); got method.network2d.norm "gn", expected "bn"`;
  return undefined;
}

/** Makes a plan fit the tensors of a file; says what was changed. */
export function suit(plan: SanetPlan, shapes: ReadonlyMap<string, readonly number[]>): string | undefined {
  const found = plan.method.volume === 'sam' && plan.method.sam.enabled ? released(shapes) : null;
  if (!found) return undefined;
  const { data, method } = plan;
  Object.assign(method.sam, found, { window: WINDOW, compatibility: 'official' });
  const [low, high] = data.window;
  if (data.normalise === 'z-score') data.normalise = '-1..1';
  if (low > -1000 || high < 1000) {
    if (method.network2d.window === 'data') method.network2d.window = [low, high];
    data.window = [Math.min(low, -1000), Math.max(high, 1000)];
  }
  const { size, width, depth, heads } = found;
  return (
    `weights of the official SAM-Med3D code: the plan takes ${SETTINGS}, its sizes (${size}^3, width ${width}, depth ${depth}, ` +
    `${heads} heads) and data.window ${data.window.join('..')} HU; it was trained on 128^3 voxels of 1.5 mm (data.roi, data.spacing)`
  );
}
