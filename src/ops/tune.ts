// SPDX-License-Identifier: MIT
// Which tile computes a class of products soonest on this adapter: the contenders of gemm.ts side by side. Nothing here runs unless asked.
import { ShapeError } from '../errors.ts';
import { fromF16, numel, type DType } from '../engine/dtype.ts';
import { defineOp } from '../engine/op.ts';
import { compile } from '../engine/program.ts';
import { tensor, type Tensor } from '../engine/tensor.ts';
import { currentDevice, type Device } from '../gpu/device.ts';
import { chooseTile, contenders, lowerGemm, tileName } from './gemm.ts';
import { cast } from './pointwise.ts';

/** What was measured of a class; `tile` is the built-in one where no other was a twentieth faster. */
export interface Tuned {
  readonly shape: string;
  readonly tile: string;
  readonly ms: number;
  readonly builtIn: string;
  readonly builtInMs: number;
}

/** a [others, m, k] times b [others, k, n] with a tile of our choice. */
const product = defineOp({
  name: 'product',
  call: (a: Tensor, b: Tensor, attrs: { readonly tile: string }) => ({ inputs: [a, b], attrs }),
  infer: ([a, b]) => ({ shape: [a.shape[0], a.shape[1], b.shape[2]], dtype: a.dtype }),
  lower({ caps, scratch, inputs: [a, b], outputs: [y], attrs }) {
    const [others, m, k] = a.shape as [number, number, number];
    const n = b.shape[2];
    return lowerGemm(
      { caps: { ...caps, tiles: new Proxy({}, { get: () => attrs.tile }) }, scratch },
      { a, b, bias: null, y, m, n, k, aRow: k, aK: 1, bK: n, bCol: 1, batch: { sizes: [1, others], a: [0, m * k], b: [0, k * n] } },
    );
  },
});

/** Length of a reduction that is not cut: long enough that a tile's start and end weigh little. */
const K = 256;
const ROUNDS = 5;
const SAMPLE_MS = 4;
const GAIN = 0.95; // timings repeat to a twentieth
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Numbers in [-1, 1) without a pattern of the tiles' sizes. */
function operand(shape: readonly number[], dtype: DType): Tensor {
  const numbers = new Float32Array(numel(shape));
  for (let i = 0; i < numbers.length; i++) numbers[i] = ((i * 2654435761) % 2 ** 32) / 2 ** 31 - 1;
  const values = tensor(numbers, { shape });
  const typed = cast(values, dtype);
  values.dispose();
  return typed;
}

async function timed(device: Device, run: () => void, runs: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < runs; i++) run();
  await device.sync();
  return (performance.now() - start) / runs;
}

/** `f32 1024x64 1` or `f32 64x64 1 k2048` -> its parts. @throws ShapeError */
function parseShape(shape: string): { dtype: DType; m: number; n: number; others: number; k: number } {
  const found = /^(f32|f16) (\d+)x(\d+) (\d+)(?: k(\d+))?$/.exec(shape);
  if (!found) throw new ShapeError(`tuneShape: got "${shape}", expected a shape class like "f32 1024x64 1".`);
  const [m, n, others, k] = found.slice(2).map((size) => Number(size ?? 0)) as [number, number, number, number];
  return { dtype: found[1] as DType, m, n, others, k };
}

type Time = Pick<Tuned, 'tile' | 'ms'>;

/**
 * Times tiles on one shape class side by side, the built-in one first. One whose result differs from the built-in one's by more than
 * rounding is left out.
 * @throws ShapeError for what is no shape class
 */
export async function raceTiles(shape: string, tiles: typeof contenders): Promise<[Time, ...Time[]]> {
  const device = currentDevice();
  const { dtype, m, n, others, k: cut } = parseShape(shape);
  const k = cut || K;
  const a = operand([others, m, k], dtype);
  const b = operand([others, k, n], dtype);
  const builtIn = tileName(chooseTile({ ...device.caps, tiles: {} }, dtype, m, n, others));
  const names = new Set([builtIn, ...tiles(device.caps, dtype, m, n, others, cut).map(tileName)]);
  const rivals: { name: string; run: () => void; runs: number; ms: number[] }[] = [];
  const made: { dispose(): void }[] = [a, b];
  try {
    let expected: ArrayLike<number> | undefined;
    for (const tile of names) {
      const program = await compile((t: { a: Tensor; b: Tensor }) => ({ y: product(t.a, t.b, { tile }) }), { a, b });
      made.push(program);
      const values = await program.run().y.data();
      const got = dtype === 'f16' ? Float32Array.from(values, fromF16) : values;
      expected ??= got;
      // Sums of K products of numbers below 1; f16 keeps 11 bits of them.
      const tolerance = (dtype === 'f16' ? 2 ** -9 : 2 ** -20) * k;
      if (got.some((v, i) => !(Math.abs(v - expected![i]) <= tolerance))) continue;
      const run = (): void => {
        program.run();
      };
      rivals.push({ name: tile, run, runs: Math.max(1, Math.min(50, Math.ceil(SAMPLE_MS / (await timed(device, run, 1))))), ms: [] });
    }
    for (let round = 0; round < ROUNDS; round++) for (const rival of rivals) rival.ms.push(await timed(device, rival.run, rival.runs));
  } finally {
    for (const one of made) one.dispose();
  }
  return rivals.map(({ name, ms }) => ({ tile: name, ms: median(ms) })) as [Time, ...Time[]];
}

/** Compares the contenders on one shape class (`f32 1024x64 1`: rows, columns, products beside it). @throws ShapeError for no class */
export async function tuneShape(shape: string): Promise<Tuned> {
  const times = await raceTiles(shape, contenders);
  const [own] = times;
  const best = times.reduce((x, y) => (y.ms < x.ms ? y : x));
  const { tile, ms } = best.ms < GAIN * own.ms ? best : own;
  return { shape, tile, ms, builtIn: own.tile, builtInMs: own.ms };
}
