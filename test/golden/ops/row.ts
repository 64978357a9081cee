// SPDX-License-Identifier: MIT
// Runs one row of a case table: forward and gradients against PyTorch float64 (between guard bytes), replay against eager to the
// bit (over memory full of NaN), fused against eager, and a central difference in f32.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { backward } from '../../../src/engine/autograd.ts';
import { fromF16, numel, spec, toF16, type DType, type HostArray, type Spec } from '../../../src/engine/dtype.ts';
import { compile, evaluate } from '../../../src/engine/program.ts';
import { tensor, type Tensor } from '../../../src/engine/tensor.ts';
import type { Device } from '../../../src/gpu/device.ts';
import { parseSafetensors } from '../../../src/files/safetensors.ts';
import { add, cast, mul } from '../../../src/ops/pointwise.ts';
import { sum } from '../../../src/ops/reduce.ts';
import { direction, inputValues, sampled, type NamedCase } from '../../cases/case.ts';
import { guarded } from '../../engine/guards.ts';
import { poison } from '../../engine/poison.ts';

export type Goldens = ReadonlyMap<string, ArrayLike<number>>;

export function readGoldens(family: string): Goldens {
  const { tensors } = parseSafetensors(readFileSync(new URL(`${family}.safetensors`, import.meta.url)));
  return new Map([...tensors].map(([name, t]) => [name, t.data as ArrayLike<number>]));
}

/** Outputs and gradients of one run: y0, y1, ..., g<input>. */
type Result = Record<string, Tensor>;
type Values = Record<string, HostArray>;

const floats = (d: DType): boolean => d === 'f32' || d === 'f16';
const plain = (t: Spec, v: HostArray): ArrayLike<number> => (t.dtype === 'f16' ? Float32Array.from(v as Uint16Array, fromF16) : v);

export class Row {
  readonly c: NamedCase;
  private readonly specs: Spec[];
  private readonly wanted: readonly number[];
  private readonly host: HostArray[];
  /** Shapes of the outputs: known after the first run. */
  private outputs: Spec[] = [];
  private weights: Tensor[] = [];

  constructor(c: NamedCase) {
    this.c = c;
    this.specs = c.inputs.map((i) => spec(i.shape, i.dtype ?? (c.half && !i.wide ? 'f16' : 'f32')));
    this.wanted = c.grad ?? this.specs.flatMap((s, i) => (floats(s.dtype) ? [i] : []));
    this.host = this.specs.map((s, i) => {
      const v = inputValues(c, i);
      return s.dtype === 'f16'
        ? Uint16Array.from(v, toF16)
        : s.dtype === 'f32'
          ? v
          : s.dtype === 'i32'
            ? Int32Array.from(v)
            : Uint32Array.from(v);
    });
  }

  /** The whole proof of one row. */
  async prove(device: Device, goldens: Goldens): Promise<void> {
    const eager = await guarded(() => this.eager());
    this.compare(goldens, eager);
    await this.replays(device, eager);
    if (this.wanted.length > 0 && !this.c.half && !this.c.jumps) await this.differences(eager);
    for (const t of this.weights) t.dispose();
  }

  private call(inputs: readonly Tensor[]): readonly Tensor[] {
    const out = this.c.call(...inputs);
    return Array.isArray(out) ? (out as Tensor[]) : [out as Tensor];
  }

  private forward(inputs: readonly Tensor[]): readonly Tensor[] {
    return evaluate(() => ({ ys: this.call(inputs) })).ys;
  }

  /** Outputs, and gradients of sum(output * direction) over the outputs that can have one. */
  private step(inputs: readonly Tensor[]): Result {
    const ys = this.call(inputs);
    const result: Result = Object.fromEntries(ys.map((y, i) => [`y${i}`, y]));
    if (this.wanted.length === 0) return result;
    const terms = ys.flatMap((y, i) => (y.node && floats(y.dtype) ? [sum(mul(cast(y, 'f32'), this.weights[i]))] : []));
    const found = backward(
      terms.reduce(add),
      this.wanted.map((i) => inputs[i]),
    );
    for (const i of this.wanted) result[`g${i}`] = found.get(inputs[i])!;
    return result;
  }

  /** One run, node by node, with fresh memory. */
  async eager(): Promise<Values> {
    const upload = (): Tensor[] => this.specs.map((s, i) => tensor(this.host[i], s));
    const first = upload();
    const ys = this.forward(first);
    this.outputs = ys.map(({ shape, dtype }) => ({ shape, dtype }));
    this.weights = this.outputs.map((s, i) => tensor(direction(this.c, i, numel(s.shape)), { shape: s.shape }));
    for (const t of ys) t.dispose();
    const inputs = upload();
    const out = evaluate(() => this.step(inputs));
    const values = await read(out);
    for (const t of [...first, ...inputs, ...Object.values(out)]) t.dispose();
    return values;
  }

  private compare(goldens: Goldens, got: Values): void {
    for (const [key, v] of Object.entries(got)) {
      const at = Number(key.slice(1));
      const of = key[0] === 'y' ? this.outputs[at] : this.specs[at];
      const want = goldens.get(`${this.c.id}/${key}`);
      expect(want, `${this.c.id}/${key}: no golden; run test/golden/ops/make.py`).toBeDefined();
      const values = plain(of, v);
      if (!floats(of.dtype)) {
        expect(Array.from(values), key).toEqual(Array.from(want!));
        continue;
      }
      const bound = this.c.tolerance?.nmse ?? (this.c.half ? 1e-6 : 1e-7);
      const dot = goldens.get(`${this.c.id}/${key}.dot`);
      if (!dot) {
        close(key, values, want!, bound);
        continue;
      }
      const seed = key[0] === 'y' ? at : 100 + at;
      close(
        key,
        Array.from(sampled(this.c, seed, values.length), (i) => values[i]),
        want!,
        bound,
      );
      const weights = direction(this.c, seed, values.length);
      const product = weights.reduce((s, w, i) => s + w * values[i], 0);
      // An error of the allowed power in every entry, signs by chance, moves the product by this much.
      expect(Math.abs(product - dot[0]), `${key}: product with the direction`).toBeLessThanOrEqual(4 * Math.sqrt(bound) * dot[1] + 1e-30);
    }
  }

  private async replays(device: Device, eager: Values): Promise<void> {
    const example = Object.fromEntries(this.specs.map((s, i) => [`x${i}`, s]));
    const feed = Object.fromEntries(this.host.map((h, i) => [`x${i}`, h]));
    for (const fuse of [false, true]) {
      using p = await compile((input: Record<string, Tensor>) => this.step(this.specs.map((_, i) => input[`x${i}`])), example, { fuse });
      for (let run = 0; run < (fuse ? 1 : 2); run++) {
        poison(device);
        const out = p.run(feed);
        const values = await read(out);
        for (const [key, v] of Object.entries(values)) {
          if (!fuse) {
            expect(same(v, eager[key]), `${key}: replay ${run} differs from eager`).toBe(true);
            continue;
          }
          const of = key[0] === 'y' ? this.outputs[Number(key.slice(1))] : this.specs[Number(key.slice(1))];
          close(`${key} fused`, plain(of, v), plain(of, eager[key]), 1e-6);
        }
        for (const t of Object.values(out)) t.write(nan(t));
      }
    }
  }

  private async differences(eager: Values): Promise<void> {
    const { step = 2e-3 } = this.c;
    const directions = this.wanted.map((i) => direction(this.c, 200 + i, this.host[i].length));
    const slope = directions.reduce((s, d, k) => s + d.reduce((t, w, i) => t + w * eager[`g${this.wanted[k]}`][i], 0), 0);
    let size = 0;
    const loss = async (h: number): Promise<number> => {
      const inputs = this.specs.map((s, i) => {
        const k = this.wanted.indexOf(i);
        return tensor(k < 0 ? this.host[i] : (this.host[i] as Float32Array).map((v, j) => v + h * directions[k][j]), s);
      });
      const ys = this.forward(inputs);
      let total = 0;
      for (const [i, y] of ys.entries()) {
        if (!floats(y.dtype) || inputs.includes(y)) continue;
        const w = direction(this.c, i, y.size);
        const v = await y.data();
        for (let k = 0; k < v.length; k++) {
          total += w[k] * v[k];
          size += Math.abs(w[k] * v[k]);
        }
      }
      for (const t of [...inputs, ...ys]) t.dispose();
      return total;
    };
    const difference = ((await loss(step)) - (await loss(-step))) / (2 * step);
    const power = Math.sqrt(directions.reduce((s, d, k) => s + d.reduce((t, w, i) => t + (w * eager[`g${this.wanted[k]}`][i]) ** 2, 0), 0));
    const noise = (size * 2 ** -24) / step; // rounding of f32 outputs
    expect(Math.abs(slope - difference), `slope ${slope}, difference ${difference}`).toBeLessThanOrEqual(
      1e-2 * Math.max(Math.abs(slope), power) + noise,
    );
  }
}

const same = (a: HostArray, b: HostArray): boolean => {
  const bytes = (v: HostArray): Buffer => Buffer.from(v.buffer, v.byteOffset, v.byteLength);
  return bytes(a).equals(bytes(b));
};

async function read(out: Result): Promise<Values> {
  const entries = Object.entries(out);
  const values = await Promise.all(entries.map(([, t]) => t.data()));
  return Object.fromEntries(entries.map(([key], i) => [key, values[i]]));
}

const nan = (t: Tensor): HostArray =>
  t.dtype === 'f16'
    ? new Uint16Array(t.size).fill(0x7e00)
    : t.dtype === 'f32'
      ? new Float32Array(t.size).fill(NaN)
      : t.dtype === 'i32'
        ? new Int32Array(t.size).fill(0x7fc00000)
        : new Uint32Array(t.size).fill(0x7fc00000);

/** Normalised mean square error within `bound`, and no entry off by more than the same error all in one place. */
function close(what: string, got: ArrayLike<number>, want: ArrayLike<number>, bound: number): void {
  expect(got.length, what).toBe(want.length);
  let error = 0,
    power = 0,
    worst = 0,
    largest = 0;
  for (let i = 0; i < want.length; i++) {
    const e = Math.abs(got[i] - want[i]);
    error += e * e;
    power += want[i] ** 2;
    worst = e <= worst ? worst : e; // NaN goes through
    largest = Math.max(largest, Math.abs(want[i]));
  }
  expect(error, `${what}: squared error of ${want.length} values with power ${power}`).toBeLessThanOrEqual(bound * power);
  expect(worst, `${what}: largest error, largest value ${largest}`).toBeLessThanOrEqual(8 * Math.sqrt(bound) * largest);
}
