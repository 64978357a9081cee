// SPDX-License-Identifier: MIT
// Proof of a row of special values: outputs and gradients against PyTorch, node by node and as a fused program. A value is right where it
// is PyTorch's in float64, rounded, or PyTorch's in its own type, but for a few units in the last place. Zeros are equal whatever their
// sign. Numbers below 2^-126 may be 0, as inputs and as results: the device flushes them (docs/precision.md).
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { backward } from '../../../src/engine/autograd.ts';
import { fromF16, spec, toF16, toHost, type DType, type HostArray, type Spec } from '../../../src/engine/dtype.ts';
import { compile, evaluate } from '../../../src/engine/program.ts';
import { tensor, type Tensor } from '../../../src/engine/tensor.ts';
import { parseSafetensors } from '../../../src/files/safetensors.ts';
import { add, cast, mul } from '../../../src/ops/pointwise.ts';
import { sum } from '../../../src/ops/reduce.ts';
import { TINY, UPSTREAM, type NamedSpecial } from './form.ts';

type Goldens = ReadonlyMap<string, ArrayLike<number>>;
type Values = Record<string, ArrayLike<number>>;

export function readGoldens(family: string): Goldens {
  const { tensors } = parseSafetensors(readFileSync(new URL(`${family}.safetensors`, import.meta.url)));
  return new Map([...tensors].map(([name, t]) => [name, t.data as ArrayLike<number>]));
}

/** Results as small as this come from intermediate ones that may be flushed. */
const SMALL = TINY * 128;

const floats = (d: DType): boolean => d === 'f32' || d === 'f16';

export async function prove(row: NamedSpecial, goldens: Goldens): Promise<void> {
  const specs = row.inputs.map(({ shape, dtype = 'f32' }) => spec(shape, row.half && dtype === 'f32' ? 'f16' : dtype));
  const host = row.inputs.map(({ values }, i) => toHost(specs[i].dtype, values));
  const wanted = row.grad ?? specs.flatMap((s, i) => (floats(s.dtype) ? [i] : []));
  const names = specs.map((_, i) => `x${i}`);
  const step = (inputs: readonly Tensor[], upstream: Tensor): Record<string, Tensor> => {
    const ys: Tensor[] = [row.call(...inputs)].flat();
    const terms = wanted.length === 0 ? [] : ys.filter((y) => y.node && floats(y.dtype)).map((y) => sum(mul(cast(y, 'f32'), upstream)));
    const found =
      terms.length === 0
        ? null
        : backward(
            terms.reduce(add),
            wanted.map((i) => inputs[i]),
          );
    return Object.fromEntries([...ys.map((y, i) => [`y${i}`, y]), ...(found ? wanted.map((i) => [`g${i}`, found.get(inputs[i])!]) : [])]);
  };
  using fused = await compile(
    (given: Record<string, Tensor>) =>
      step(
        names.map((n) => given[n]),
        given.upstream,
      ),
    { ...Object.fromEntries(names.map((n, i) => [n, specs[i]])), upstream: spec([1]) },
  );
  const wrong: string[] = [];
  for (const [k, upstream] of (wanted.length === 0 ? UPSTREAM.slice(0, 1) : UPSTREAM).entries()) {
    const inputs = host.map((v, i) => tensor(v, specs[i]));
    const runs = {
      eager: await read(evaluate(() => step(inputs, tensor([upstream])))),
      fused: await read(fused.run({ ...Object.fromEntries(names.map((n, i) => [n, host[i]])), upstream: Float32Array.of(upstream) })),
    };
    for (const [how, values] of Object.entries(runs)) {
      for (const [key, got] of Object.entries(values)) {
        if (key[0] === 'y' && k > 0) continue;
        const at = `${row.id}/${key}${key[0] === 'g' ? `.${k}` : ''}`;
        wrong.push(
          ...differences(row, at, key[0] as 'y' | 'g', got, goldens).map(
            (text) => `${how} ${key}${key[0] === 'g' ? ` for dy ${upstream}` : ''}: ${text}`,
          ),
        );
      }
    }
  }
  const shown = [...new Set(wrong)];
  expect(shown.length, `${row.id}\n${shown.slice(0, 40).join('\n')}\n`).toBe(0);
}

async function read(out: Record<string, Tensor>): Promise<Values> {
  return Object.fromEntries(await Promise.all(Object.entries(out).map(async ([key, t]) => [key, plain(t, await t.data())] as const)));
}
const plain = (t: Spec, v: HostArray): ArrayLike<number> => (t.dtype === 'f16' ? Float32Array.from(v as Uint16Array, fromF16) : v);

function differences(row: NamedSpecial, key: string, of: 'y' | 'g', got: ArrayLike<number>, goldens: Goldens): string[] {
  const exact = goldens.get(key);
  if (!exact) return [`${key}: no golden; run test/golden/specials/make.py`];
  if (got.length !== exact.length) return [`${got.length} elements, expected ${exact.length}`];
  const own = goldens.get(`${key}.own`) ?? exact;
  const slope = of === 'g' ? goldens.get(key.replace(/\d+$/, '0'))! : null;
  const units = (of === 'y' ? row.ulp?.y : row.ulp?.g) ?? (of === 'y' ? 4 : 8);
  const within = (of === 'y' ? row.within?.y : row.within?.g) ?? 0;
  const elementwise = row.inputs.every(({ values }) => values.length === exact.length);
  const inputs = row.inputs.map(({ values }) => values.map((x) => (row.half ? fromF16(toF16(x)) : Math.fround(x))));
  const flushed = elementwise ? flushes(inputs) : new Map<number, number>();
  const whole = exact instanceof Int32Array;
  const out: string[] = [];
  for (let i = 0; i < exact.length; i++) {
    const x = inputs.map((v) => v[i]);
    if (elementwise && row.except && (row.except.of ?? of) === of && row.except.at(...x)) continue;
    // A slope that is flushed or rounded to 0 times an infinite dy is NaN.
    if (
      slope &&
      Math.abs(slope[i]) < Math.max(SMALL, within) &&
      (slope[i] !== 0 || within > 0 || Math.abs(exact[i]) === Infinity) &&
      !Number.isFinite(exact[i]) &&
      !Number.isFinite(got[i])
    )
      continue;
    const ulp = typeof units === 'number' ? units : units(...x);
    const places = [i, ...(flushed.has(i) ? [flushed.get(i)!] : [])];
    if (
      !places.some((p) =>
        whole ? (got[i] | 0) === exact[p] : [exact, own].some((want) => admits(got[i], want[p], ulp, within, row.half, row.ulp?.least)),
      )
    ) {
      out.push(
        `${elementwise ? `at (${x.map((v) => (Object.is(v, -0) ? '-0' : v)).join(', ')})` : `element ${i}`} ${got[i]}, expected ` +
          `${exact[i]}${Object.is(own[i], exact[i]) ? '' : ` or ${own[i]}`}`,
      );
    }
  }
  return out;
}

/** Where an element with inputs below the least normal number has its twin with zeros for them. */
function flushes(inputs: readonly (readonly number[])[]): Map<number, number> {
  // oxlint-disable-next-line oxc/erasing-op -- keeps the sign
  const flush = (x: number): number => (Math.abs(x) < TINY ? x * 0 : x);
  const keyOf = (x: readonly number[]): string => x.map((v) => (Object.is(v, -0) ? '-0' : String(v))).join();
  const all = inputs[0].map((_, i) => inputs.map((v) => v[i]));
  const at = new Map(all.map((x, i) => [keyOf(x), i]));
  return new Map(
    all.flatMap((x, i) => {
      const twin = at.get(keyOf(x.map(flush)));
      return twin === undefined || twin === i ? [] : [[i, twin] as const];
    }),
  );
}

/** Whether `got` is `want` but for `ulp` units in the last place of the type that holds it, or for `within`. */
function admits(got: number, want: number, ulp: number, within: number, half: boolean, least = 0): boolean {
  if (!Number.isFinite(want)) return Object.is(got, want);
  if (got === want) return true;
  const [digits, normal] = half ? [10, -14] : [23, -126];
  const size = Math.max(Math.abs(want), 2 ** normal, least);
  return (
    Math.abs(got - want) <= Math.max(within, ulp * 2 ** (Math.floor(Math.log2(size)) - digits)) ||
    (Math.abs(want) < TINY && Math.abs(got) < TINY) ||
    (Math.abs(want) < SMALL && got === 0)
  );
}
