// Reads the goldens of test/golden/sanet and holds a module of ours against one: the rules are in its NAMES.md.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { Philox } from '../../src/random/philox.ts';
import { backward } from '../../src/engine/autograd.ts';
import { numel } from '../../src/engine/dtype.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { Module } from '../../src/nn/module.ts';
import { parseSafetensors, type HostTensor } from '../../src/files/safetensors.ts';
import { add, mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';

interface Drawn {
  shape: number[];
  op: number;
  offset: number;
  scale: number;
}
interface Check {
  key: string;
  shape: number[];
  norm?: number;
  dot?: number;
  op?: number;
  f32?: number;
  zero?: boolean;
}
export interface GoldenCase {
  name: string;
  seed: number;
  config: Record<string, never>;
  params: (Drawn & { name: string })[];
  inputs: Record<string, Drawn & { kind: 'normal' | 'choice'; clip: number[] | null; grad: boolean; values?: number[] }>;
  checks: Check[];
}

const folder = new URL('../golden/sanet/', import.meta.url);

export class Goldens {
  readonly cases: GoldenCase[];
  readonly values: ReadonlyMap<string, HostTensor>;
  constructor(name: string) {
    this.cases = (JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as GoldenCase[]).filter((c) => c.checks);
    this.values = parseSafetensors(readFileSync(new URL(`${name}.safetensors`, folder)), name).tensors;
  }
  get(name: string): GoldenCase {
    const found = this.cases.find((c) => c.name === name);
    if (!found) throw new Error(`no golden case ${name}`);
    return found;
  }
}

const normals = (seed: number, op: number, n: number): Float64Array => Float64Array.from(new Philox(seed, 'init').normal(0, op, n));

export function draw(seed: number, { shape, op, offset, scale }: Drawn): Float32Array {
  return Float32Array.from(normals(seed, op, numel(shape)), (v) => offset + scale * v);
}

/** [N, C, ...] of PyTorch to [N, ..., C] and back. */
export function channelsLast(values: ArrayLike<number>, [n, c, ...space]: readonly number[], back = false): Float32Array {
  const s = numel(space);
  const out = new Float32Array(values.length);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < c; j++) {
      for (let k = 0; k < s; k++) {
        const torch = (i * c + j) * s + k;
        const ours = (i * s + k) * c + j;
        if (back) out[torch] = values[ours]!;
        else out[ours] = values[torch]!;
      }
    }
  }
  return out;
}

/** How a named array of the goldens lies in our tensors. */
export type Layout = 'same' | 'channels';
export type LayoutOf = (key: string, shape: readonly number[]) => Layout;
/** Maps (rank 4 and 5) are channels-last here; tokens and vectors are as they are. */
export const maps: LayoutOf = (_, shape) => (shape.length >= 4 ? 'channels' : 'same');

export function input(c: GoldenCase, name: string, layout: LayoutOf = maps): Tensor {
  const spec = c.inputs[name];
  const u = (): Float32Array => new Philox(c.seed, 'init').uniform(0, spec.op, numel(spec.shape));
  let values =
    spec.kind === 'normal' ? draw(c.seed, spec) : Float32Array.from(u(), (x) => spec.values![Math.floor(x * spec.values!.length)]);
  if (spec.clip) values = values.map((v) => Math.min(Math.fround(spec.clip![1]), Math.max(Math.fround(spec.clip![0]), v)));
  const { shape } = spec;
  if (layout(name, shape) === 'same') return tensor(values, { shape });
  return tensor(channelsLast(values, shape), { shape: [shape[0], ...shape.slice(2), shape[1]] });
}

/** Gives every parameter of `module` the values of the goldens, by name. */
export function setParameters(c: GoldenCase, module: Module, rename: (name: string) => string = (n) => n): void {
  module.initialise(1);
  const own = new Map(module.namedParameters());
  for (const p of c.params) {
    const target = own.get(rename(p.name));
    if (!target) throw new Error(`${c.name}: no parameter ${p.name}; have ${[...own.keys()].join(', ')}`);
    if (target.torchShape.join() !== p.shape.join())
      throw new Error(`${c.name}: ${p.name} has shape [${target.torchShape}], golden [${p.shape}]`);
    target.setTorchValues(draw(c.seed, p));
  }
}

export interface Bounds {
  output: number;
  gradient: number;
  zero: number;
}
const BOUNDS: Bounds = { output: 1e-9, gradient: 1e-8, zero: 1e-4 };

/** Runs `forward` and compares outputs, gradients and running statistics. Returns the gradients' errors. */
export async function compare(
  goldens: Goldens,
  c: GoldenCase,
  module: Module,
  inputs: Record<string, Tensor>,
  forward: () => Record<string, Tensor>,
  options: {
    bounds?: Partial<Bounds>;
    layout?: LayoutOf;
    rename?: (name: string) => string;
    convert?: (key: string, values: Float32Array) => Float32Array;
  } = {},
): Promise<number[]> {
  const { layout = maps, rename = (n: string) => n } = options;
  const bounds = { ...BOUNDS, ...options.bounds };
  const params = new Map(module.namedParameters());
  const outChecks = c.checks.filter((k) => k.key.startsWith('out/'));
  const wanted = [...params.values()].filter((p) => p.trainable);
  const leaves = Object.entries(inputs).filter(([name]) => c.inputs[name]?.grad);
  const result = evaluate(() => {
    const outputs = forward();
    const terms = outChecks.map((check, i) => {
      const direction = Float32Array.from(normals(c.seed, 20000 + i, numel(check.shape)));
      const out = outputs[check.key.slice(4)];
      const own = options.convert
        ? options.convert(`direction/${check.key.slice(4)}`, direction)
        : layout(check.key, check.shape) === 'same'
          ? direction
          : channelsLast(direction, check.shape);
      return sum(mul(out, tensor(own, { shape: out.shape })));
    });
    const grads = backward(terms.reduce(add), [...wanted, ...leaves.map(([, t]) => t)]);
    return {
      outputs,
      grads: Object.fromEntries(
        [...grads].map(([t, g]) => [
          leaves.find(([, l]) => l === t)?.[0] ? `dinput/${leaves.find(([, l]) => l === t)![0]}` : `dparam/${t.name}`,
          g,
        ]),
      ),
    };
  });
  const errors: number[] = [];
  for (const check of c.checks) {
    const [kind, ...rest] = check.key.split('/');
    const name = rest.join('/');
    let values: Float32Array;
    if (kind === 'out') {
      values = (await result.outputs[name].data()) as Float32Array;
      values = options.convert
        ? options.convert(`out/${name}`, values)
        : layout(check.key, check.shape) === 'same'
          ? values
          : channelsLast(values, check.shape, true);
    } else if (kind === 'dinput') {
      values = (await result.grads[check.key].data()) as Float32Array;
      if (layout(name, check.shape) === 'channels') values = channelsLast(values, check.shape, true);
    } else if (kind === 'dparam') {
      const g = result.grads[`dparam/${rename(name)}`];
      expect(g, `${c.name}: gradient of ${name}`).toBeDefined();
      values = params.get(rename(name))!.toTorch((await g.data()) as Float32Array);
    } else {
      values = await params.get(rename(name))!.torchValues();
    }
    const error = compareCheck(goldens, c, check, values, bounds, kind === 'dparam' || kind === 'dinput');
    if (kind !== 'out' && kind !== 'buffer') errors.push(error);
  }
  return errors;
}

function compareCheck(goldens: Goldens, c: GoldenCase, check: Check, values: Float32Array, bounds: Bounds, gradient: boolean): number {
  const n = values.length;
  expect(n, `${c.name} ${check.key}`).toBe(numel(check.shape));
  const golden = goldens.values.get(`${c.name}/${check.key}`)!.data as Float32Array;
  const at = (i: number): number => (golden.length === n ? i : Math.floor((i * n) / 64) + ((37 * i) % Math.floor(n / 64)));
  if (check.zero) {
    const worst = Math.max(...values.map(Math.abs));
    expect(worst, `${c.name} ${check.key} is zero`).toBeLessThan(bounds.zero);
    return 0;
  }
  let error = 0;
  let size = 0;
  golden.forEach((g, i) => {
    error += (values[at(i)] - g) ** 2;
    size += g * g;
  });
  const nmse = error / Math.max(size, 1e-30);
  const bound = gradient ? bounds.gradient : bounds.output;
  expect(nmse, `${c.name} ${check.key}: normalised mean square error`).toBeLessThan(bound);
  if (check.norm !== undefined && check.dot !== undefined) {
    const norm = Math.sqrt(values.reduce((s, v) => s + v * v, 0));
    const direction = normals(c.seed, check.op!, n);
    const dot = values.reduce((s, v, i) => s + v * Math.fround(direction[i]), 0);
    const tolerance = Math.sqrt(bound) * 3;
    expect(Math.abs(norm - check.norm) / check.norm, `${c.name} ${check.key}: norm`).toBeLessThan(tolerance);
    expect(Math.abs(dot - check.dot) / check.norm, `${c.name} ${check.key}: projection`).toBeLessThan(tolerance * 3);
  }
  return nmse;
}
