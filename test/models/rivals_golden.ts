// Reads a golden of test/golden/rivals and holds a network of ours against it: logits, and gradients of sum(logits * direction). Rules in
// its golden.py.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { parseSafetensors } from '../../src/files/safetensors.ts';
import type { Module } from '../../src/nn/module.ts';
import { mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { channelsLast, draw } from './golden.ts';

type Network = Module & { forward(x: Tensor): Tensor };
/** PyTorch's names to ours: every pattern that fits is replaced, in this order. */
export type Names = readonly (readonly [RegExp, string | ((match: string, index: string) => string)])[];
interface Facts {
  shape: number[];
  output: number[];
  seed: number;
  /** How far the oracle itself is from float64 when it computes in float32. */
  f32: { logits: number; input: number; gradients: number; median: number };
  parameters: [name: string, shape: number[], offset: number, scale: number][];
}

const folder = new URL('../golden/rivals/', import.meta.url);
const [INPUT, DIRECTION, GRADIENT, INPUT_GRADIENT, SAMPLES] = [10_000, 20_000, 30_000, 40_000, 512];
const norm = (v: ArrayLike<number>): number =>
  Math.sqrt(Array.prototype.reduce.call(v, (s, x) => (s as number) + (x as number) ** 2, 0) as number);
const withoutOnes = (shape: readonly number[]): string => shape.filter((n) => n !== 1).join(' x ');

/** Values at the places that the golden holds, in PyTorch's order. */
function sampled(values: Float32Array): Float32Array {
  const n = values.length;
  if (n <= SAMPLES) return values;
  return Float32Array.from({ length: SAMPLES }, (_, j) => values[Math.floor((j * n) / SAMPLES) + ((37 * j) % Math.floor(n / SAMPLES))]);
}

function distance(values: Float32Array, golden: ArrayLike<number>): number {
  return norm(values.map((v, i) => v - golden[i])) / norm(golden);
}

export interface Found {
  logits: number;
  input: number;
  gradients: number;
  median: number;
  worst: string;
  evaluation?: number;
  f32: Facts['f32'];
}

/** The golden of a network, and the network with its weights. */
function setUp(name: string, net: Network, names: Names) {
  const { tensors, metadata } = parseSafetensors(readFileSync(new URL(`${name}.safetensors`, folder)), name);
  const { shape, output, seed, f32, parameters } = JSON.parse(metadata.facts) as Facts;
  const golden = (key: string): ArrayLike<number> | undefined => tensors.get(key)?.data as Float64Array | undefined;
  const drawn = (of: readonly number[], op: number): Float32Array => draw(seed, { shape: [...of], op, offset: 0, scale: 1 });

  net.initialise(1);
  const own = new Map([...net.namedParameters()].filter(([, p]) => p.trainable));
  const theirs = parameters.map(([torch, itsShape, offset, scale], op) => {
    const ours = names.reduce((n, [from, to]) => n.replace(from, to as string), torch);
    const p = own.get(ours);
    if (!p) throw new Error(`${name}: ${torch} would be ${ours}; left are ${[...own.keys()].join(', ')}`);
    expect(withoutOnes(p.torchShape), `${name}: shape of ${torch}`).toBe(withoutOnes(itsShape));
    own.delete(ours);
    p.setTorchValues(draw(seed, { shape: itsShape, op, offset, scale }));
    return [torch, p] as const;
  });
  expect([...own.keys()], 'parameters that the oracle does not have').toEqual([]);

  const place = (values: Float32Array, [n, c, ...space]: readonly number[]): Tensor =>
    tensor(channelsLast(values, [n, c, ...space]), { shape: [n, ...space, c] });
  const torchLogits = async (t: Tensor): Promise<Float32Array> => {
    expect(t.shape).toEqual([output[0], ...output.slice(2), output[1]]);
    return sampled(channelsLast(await t.data(), output, true));
  };
  const [x, direction] = [place(drawn(shape, INPUT), shape), place(drawn(output, DIRECTION), output)];
  return { golden, f32, shape, theirs, drawn, torchLogits, x, direction };
}

/** Relative distance of our logits to the oracle's float64, in L2, and that of the oracle's own float32. */
export async function compareForward(name: string, net: Network, names: Names): Promise<{ logits: number; f32: number }> {
  const { golden, f32, torchLogits, x } = setUp(name, net, names);
  return { logits: distance(await torchLogits(evaluate(() => net.forward(x))), golden('logits')!), f32: f32.logits };
}

/**
 * Relative distances of ours to the oracle's float64: of logits in L2, of gradients in a product with a drawn direction and in the norm.
 */
export async function compareRival(name: string, net: Network, names: Names): Promise<Found> {
  const { golden, f32, shape, theirs, drawn, torchLogits, x, direction: towards } = setUp(name, net, names);
  const { logits, grads } = evaluate(() => {
    const logits = net.forward(x);
    return { logits, grads: [...backward(sum(mul(logits, towards)), [x, ...theirs.map(([, p]) => p)]).values()] };
  });
  const table = golden('gradients')!;
  const all = norm(theirs.map((_, i) => table[2 * i + 1]));
  const gradient = (values: Float32Array, op: number, [dot, length]: readonly number[]): number => {
    if (length < 1e-9 * all) return norm(values) / all; // zero in exact arithmetic
    const direction = drawn([values.length], op);
    return Math.max(Math.abs(values.reduce((s, v, i) => s + v * direction[i], 0) - dot), Math.abs(norm(values) - length)) / length;
  };
  const input = gradient(channelsLast(await grads[0].data(), shape, true), INPUT_GRADIENT, Array.from(golden('input')!));
  const gaps: [number, string][] = [];
  for (const [i, [torch, p]] of theirs.entries()) {
    gaps.push([gradient(p.toTorch((await grads[i + 1].data()) as Float32Array), GRADIENT + i, [table[2 * i], table[2 * i + 1]]), torch]);
  }
  gaps.sort(([a], [b]) => a - b);
  const found: Found = {
    logits: distance(await torchLogits(logits), golden('logits')!),
    input,
    gradients: gaps.at(-1)![0],
    worst: gaps.at(-1)![1],
    median: gaps[gaps.length >> 1][0],
    f32,
  };
  const inEvaluation = golden('eval');
  if (inEvaluation) {
    net.eval();
    found.evaluation = distance(await torchLogits(evaluate(() => net.forward(x))), inEvaluation);
  }
  return found;
}
