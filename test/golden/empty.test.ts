// SPDX-License-Identifier: MIT
// Empty inputs: every row of test/cases with each axis of each input 0 in turn, called eagerly, evaluated and compiled, forward and
// gradient, against what PyTorch makes of it (empty/make.py): its result, or a typed refusal.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { fromF16, numel, spec, type HostArray, type Spec } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { scope } from '../../src/engine/scope.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { VoxelgradError } from '../../src/errors.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { add, cast, mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { direction, inputValues, rows, type NamedCase } from '../cases/case.ts';
import { families } from '../cases/index.ts';

interface Seen {
  readonly shape: readonly number[];
  readonly values?: readonly (number | null)[];
}
type Outcome = string | { readonly y: readonly Seen[]; readonly g: readonly (Seen | null)[] };
const goldens = new Map(
  Object.entries(JSON.parse(readFileSync(new URL('empty/empty.json', import.meta.url), 'utf8')) as Record<string, Record<string, Outcome>>),
);

/** Where PyTorch gives a result and we refuse, by op. */
const REFUSED: Readonly<Record<string, string>> = {
  batchNorm: 'its vectors must have as many channels as x, an empty x too',
  conv2d: 'without channels PyTorch gives a map without the channels that the weight makes',
  conv3d: 'as conv2d',
  convTranspose2d: 'as conv2d',
  convTranspose3d: 'as conv2d',
  attention: 'q, k and v have one batch; PyTorch broadcasts it',
  relativeAttention: 'tables must fit the grid, an empty one too',
  gather: 'an index has the sizes of x but along the axis; PyTorch takes the start of x',
  windowAttention: 'a map without places has no windows, and a table has a column a head',
  reshape: 'rows are cut from a row count that the table fixes',
};
/** Where PyTorch's own gradient is NaN, by op. */
const ZERO_GRADIENT: Readonly<Record<string, string>> = { groupNorm: 'a sum over no elements is 0', instanceNorm: 'as groupNorm' };

/** Ops of the engine's own whose ranges are never empty, and a row whose expression fixes a size. */
const OUTSIDE = new Set(['clipFactor', 'update', 'judgeGradients', 'addScaled', 'assignScaled', 'clear', 'scatterAdd']);

const floats = (s: Spec): boolean => s.dtype === 'f32' || s.dtype === 'f16';
const LARGE = 64;

/** The row on inputs of other shapes; values are the first of its own. */
function variant(row: NamedCase, shapes: readonly (readonly number[])[]): { specs: Spec[]; host: HostArray[] } {
  const inputs = row.inputs.map((i, k) => ({ ...i, shape: shapes[k], ...(i.values && { values: i.values.slice(0, numel(shapes[k])) }) }));
  const specs = inputs.map((i) => spec(i.shape, i.dtype ?? 'f32'));
  return {
    specs,
    host: specs.map((s, k) => {
      const v = inputValues({ ...row, inputs }, k);
      return s.dtype === 'i32' ? Int32Array.from(v) : s.dtype === 'u32' ? Uint32Array.from(v) : v;
    }),
  };
}

interface Found {
  readonly y: Tensor[];
  readonly g: (Tensor | null)[];
}

/** Outputs, and gradients of sum(output * direction). */
function step(row: NamedCase, wanted: readonly number[], inputs: readonly Tensor[]): Found {
  const out = row.call(...inputs);
  const y = (Array.isArray(out) ? [...out] : [out]) as Tensor[];
  const terms = y.flatMap((t, i) => (floats(t) ? [sum(mul(cast(t, 'f32'), tensor(direction(row, i, t.size), { shape: t.shape })))] : []));
  if (wanted.length === 0 || terms.length === 0) return { y, g: [] };
  const grads = backward(
    terms.reduce(add),
    wanted.map((i) => inputs[i]),
  );
  return { y, g: wanted.map((i) => grads.get(inputs[i]) ?? null) };
}

async function seen(t: Tensor): Promise<Seen> {
  const data = await t.data();
  const all = [...(t.dtype === 'f16' ? Float32Array.from(data as Uint16Array, fromF16) : data)];
  const values = all.length <= LARGE ? all : [all.reduce((a, b) => a + b, 0), all.reduce((a, b) => a + Math.abs(b), 0)];
  return { shape: [...t.shape], ...(all.length > 0 && { values }) };
}

const zeroed = (g: Seen): Seen => ({ ...g, ...(g.values && { values: g.values.map((v) => v ?? 0) }) });

function agree(where: string, got: Seen, want: Seen): void {
  expect(got.shape, where).toEqual(want.shape);
  want.values?.forEach((w, i) => {
    const v = got.values![i]!;
    if (w === null) expect(v, `${where}[${i}]`).toBeNaN();
    else if (v !== w)
      expect(Math.abs(v - w), `${where}[${i}]: got ${v}, expected ${w}`).toBeLessThanOrEqual(2e-4 * Math.max(1, Math.abs(w)));
  });
}

/** What one way of running makes of it, or the error that refuses it. */
async function outcome(run: () => Promise<Found & { dispose?(): void }>): Promise<{ y: Seen[]; g: (Seen | null)[] } | VoxelgradError> {
  try {
    const { y, g, dispose } = await run();
    const found = { y: await Promise.all(y.map(seen)), g: await Promise.all(g.map(async (t) => t && seen(t))) };
    dispose?.();
    return found;
  } catch (e) {
    if (e instanceof VoxelgradError && ['SHAPE', 'DTYPE'].includes(e.code)) return e;
    throw e;
  }
}

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const lists = Object.entries(families).map(([name, family]) => ({
  name,
  list: rows(family)
    .filter((r) => !OUTSIDE.has(r.op))
    .filter((r) => !r.half && r.inputs.reduce((n, i) => n + numel(i.shape), 0) <= 20000 && r.inputs.some((i) => i.shape.length > 0)),
}));
describe.each(lists.filter(({ list }) => list.length > 0))('$name', ({ list }) => {
  it.each(list)('$id', async (row) => {
    const golden = goldens.get(row.id);
    expect(golden, `${row.id}: run test/golden/empty/make.py`).toBeDefined();
    const before = device.memory().live;
    for (const [key, want] of Object.entries(golden!)) {
      const { specs, host } = variant(row, JSON.parse(key) as number[][]);
      const wanted = row.grad ?? specs.flatMap((s, i) => (floats(s) ? [i] : []));
      const inputs = specs.map((s, i) => tensor(host[i], s));
      const ways: Record<string, () => Promise<Found & { dispose?(): void }>> = {
        eager: () => {
          const y = scope((): Tensor[] => [row.call(...inputs)].flat());
          return Promise.resolve({
            y,
            g: [],
            dispose: () => {
              for (const t of y) if (!inputs.includes(t)) t.dispose();
            },
          });
        },
        evaluated: () => {
          const found = evaluate(() => step(row, wanted, inputs) as never) as unknown as Found;
          return Promise.resolve({
            ...found,
            dispose: () => {
              for (const t of [...found.y, ...found.g]) if (t && !inputs.includes(t)) t.dispose();
            },
          });
        },
        compiled: async () => {
          const program = await compile(
            (x: Record<string, Tensor>) =>
              step(
                row,
                wanted,
                specs.map((_s, i) => x[i]),
              ) as never,
            Object.fromEntries(specs.entries()) as Record<string, Spec>,
          );
          return {
            ...(program.run(Object.fromEntries(host.entries())) as unknown as Found),
            dispose: () => {
              program.dispose();
            },
          };
        },
      };
      for (const [way, run] of Object.entries(ways)) {
        const where = `${key} ${way}`;
        const got = await outcome(run);
        if (typeof want === 'string')
          expect(
            got instanceof VoxelgradError || got.y.every((y) => !y.values),
            `${where}: PyTorch refuses it (${want}), got ${JSON.stringify(got)}`,
          ).toBe(true);
        else if (got instanceof VoxelgradError) expect(REFUSED, `${where}: ${got.message}`).toHaveProperty(row.op);
        else {
          want.y.forEach((y, i) => {
            agree(`${where} output ${i}`, got.y[i], y);
          });
          if (way !== 'eager')
            want.g.forEach((g, i) => {
              if (g) agree(`${where} gradient ${i}`, got.g[i]!, row.op in ZERO_GRADIENT ? zeroed(g) : g);
            });
        }
      }
      for (const t of inputs) t.dispose();
    }
    await device.sync();
    expect(device.memory().live, 'bytes left on the device').toBe(before);
  });
});
