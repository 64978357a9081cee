// SPDX-License-Identifier: MIT
// Which tile computes a class of products soonest on this adapter: the contenders of gemm.ts side by side. Nothing here runs unless asked.
import { numel, type DType } from '../engine/dtype.ts';
import { defineOp } from '../engine/op.ts';
import { compile } from '../engine/program.ts';
import { tensor, type Tensor } from '../engine/tensor.ts';
import { currentDevice, type Device } from '../gpu/device.ts';
import { chooseTile, contenders, lowerGemm, tileName } from './gemm.ts';
import { cast } from './pointwise.ts';

/** What was measured of a class; `tile` is the built-in one where no other was a twentieth faster. */
export interface Tuned { readonly shape: string; readonly tile: string; readonly ms: number; readonly builtIn: string; readonly builtInMs: number }

interface Attrs { readonly tile: string; readonly shape: string }

/** a [others, m, k] times b [others, k, n] with a tile of our choice. */
const product = defineOp<[Tensor, Tensor, Attrs], Attrs>({
  name: 'product',
  call: (a, b, attrs) => ({ inputs: [a, b], attrs }),
  infer: ([a, b]) => ({ shape: [a!.shape[0]!, a!.shape[1]!, b!.shape[2]!], dtype: a!.dtype }),
  lower({ caps, scratch, inputs: [a, b], outputs: [y], attrs }) {
    const [others, m, k] = a!.shape as [number, number, number];
    const n = b!.shape[2]!;
    return lowerGemm({ caps: { ...caps, tiles: { [attrs.shape]: attrs.tile } }, scratch }, {
      a: a!, b: b!, bias: null, y: y!, m, n, k, aRow: k, aK: 1, bK: n, bCol: 1, batch: { sizes: [1, others], a: [0, m * k], b: [0, k * n] },
    });
  },
});

const K = 256; // long enough that a tile's start and end weigh little
const ROUNDS = 5;
const SAMPLE_MS = 4;
const GAIN = 0.95; // timings repeat to a twentieth
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Numbers in [-1, 1) without a pattern of the tiles' sizes. */
function operand(shape: readonly number[], dtype: DType): Tensor {
  const values = tensor(Float32Array.from({ length: numel(shape) }, (_, i) => ((i * 2654435761) % 2 ** 32) / 2 ** 31 - 1), { shape });
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

/** Compares the contenders on one shape class (`f32 1024x64 1`). A tile whose result differs from the built-in one's by more than rounding is left out. */
export async function tuneShape(shape: string): Promise<Tuned> {
  const device = currentDevice();
  const [, dtype, m, n, others] = /^(\w+) (\d+)x(\d+) (\d+)$/.exec(shape)!.map((part, i) => (i > 1 ? Number(part) : part)) as [string, DType, number, number, number];
  const a = operand([others, m, K], dtype);
  const b = operand([others, K, n], dtype);
  const builtIn = tileName(chooseTile({ ...device.caps, tiles: {} }, dtype, m, n, others));
  const names = [builtIn, ...contenders(device.caps, dtype).map(tileName).filter((name) => name !== builtIn)];
  const rivals: { name: string; run: () => void; runs: number; ms: number[] }[] = [];
  const made: { dispose(): void }[] = [a, b];
  let expected: Float32Array | undefined;
  for (const tile of names) {
    const program = await compile(({ a, b }: { a: Tensor; b: Tensor }) => ({ y: cast(product(a, b, { tile, shape }), 'f32') }), { a, b });
    made.push(program);
    const got = await program.run().y.data() as Float32Array;
    expected ??= got;
    // f16 sums of up to K products of numbers below 1 keep 11 bits.
    const tolerance = (dtype === 'f16' ? 2 ** -9 : 2 ** -20) * K;
    if (got.some((v, i) => !(Math.abs(v - expected![i]!) <= tolerance))) continue;
    const run = (): void => { program.run(); };
    rivals.push({ name: tile, run, runs: Math.max(1, Math.min(50, Math.ceil(SAMPLE_MS / await timed(device, run, 1)))), ms: [] });
  }
  for (let round = 0; round < ROUNDS; round++) for (const rival of rivals) rival.ms.push(await timed(device, rival.run, rival.runs));
  for (const one of made) one.dispose();
  const results = rivals.map(({ name, ms }) => ({ name, ms: median(ms) }));
  const own = results[0]!;
  const best = results.reduce((x, y) => (y.ms < x.ms ? y : x));
  const { name, ms } = best.ms < GAIN * own.ms ? best : own;
  return { shape, tile: name, ms, builtIn, builtInMs: own.ms };
}
