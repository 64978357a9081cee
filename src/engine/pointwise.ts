// SPDX-License-Identifier: MIT
// How an element-by-element expression becomes a dispatch: broadcasting rule, index form, expression text.
// Rows of the op table are in ops/pointwise.ts; fusion (engine/fuse.ts) composes their expressions.
import { ShapeError } from '../errors.ts';
import { pointwise, pointwise_pair, pointwise_quads, pointwise_quads_pair, pointwise_strided } from '../gen/pointwise.ts';
import { numel, type DType, type Spec } from './dtype.ts';
import { defineOp, dispatch, grid1d, type Dispatch, type LowerContext, type Ref } from './op.ts';
import type { Tensor } from './tensor.ts';

export interface Expression {
  /** WGSL over a, b, c, d (the inputs) and p0..p7 (the constants). */
  readonly expr: string;
  readonly consts: readonly number[];
  /** A second result, of the same and of the first one, r, where every input is read `byForm`. */
  readonly second?: string;
}

export const MAX_INPUTS = 4;
export const MAX_CONSTS = 8;
const NAMES = ['a', 'b', 'c', 'd'] as const;

/** NumPy's broadcasting rule. @throws ShapeError naming the shapes. */
export function broadcast(name: string, inputs: readonly (Spec | null)[]): number[] {
  const shapes = inputs.filter((s): s is Spec => s !== null).map((s) => s.shape);
  const rank = Math.max(...shapes.map((s) => s.length));
  const out = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    shape.forEach((d, i) => {
      const at = rank - shape.length + i;
      if (d === 1 || d === out[at]) return;
      if (out[at] !== 1) throw new ShapeError(`${name}: shapes do not broadcast, got ${shapes.map((s) => `[${s}]`).join(' and ')}.`);
      out[at] = d;
    });
  }
  return out;
}

/** Dispatch of an expression over the context's inputs into its first output. */
export function lowerPointwise(c: Pick<LowerContext<unknown>, 'caps' | 'inputs' | 'outputs'>, e: Expression): Dispatch[] {
  const out = c.outputs[0]!;
  const inputs = c.inputs.filter((r): r is Ref => r !== null);
  const n = numel(out.shape);
  const params: Record<string, number> = { n };
  for (let i = 0; i < MAX_CONSTS; i++) params[`p${i}`] = e.consts[i] ?? 0;
  const readBy: Record<string, number> = {};
  const all = NAMES.map((_, i) => inputs[i] ?? inputs[0]) as [Ref, Ref, Ref, Ref];
  const forms = all.map(({ shape }) => divMod(shape, out.shape));
  const simple = forms.every((f) => f !== null);
  const quads = n % 4 === 0 && forms.every((f) => f !== null && (inVectors(f) || inSplats(f)));
  NAMES.forEach((name, i) => {
    const [div, mod] = forms[i] ?? [1, 1];
    params[`${name}_div`] = quads ? Math.max(1, div / 4) : div;
    params[`${name}_mod`] = quads && inVectors([div, mod]) ? mod / 4 : mod;
    readBy[`${name.toUpperCase()}_FORM`] = form(div, mod, n);
  });
  strided(inputs, out.shape, params, !simple);
  const [a, b, cc, d] = all;
  const dtypes = inputs.map((r) => r.dtype);
  const named = (expr: string): string => expr.replace(/\bp(\d)\b/g, 'params.p$1');
  const spec = { E: evaluationType(dtypes, out.dtype), R: out.dtype, r: named(e.expr), ...(e.second && { s: named(e.second) }) };
  const { 1: second } = c.outputs;
  const WG = c.caps.software ? 64 : 128;
  if (quads) {
    const given = Object.fromEntries(
      NAMES.map((name, i) => [`${name.toUpperCase()}Q`, inVectors(forms[i]!) ? `vec4<${all[i].dtype}>` : all[i].dtype]),
    );
    const bindings = { a_quads: a, b_quads: b, c_quads: cc, d_quads: d, y_quads: out };
    const grid = grid1d(Math.ceil(n / 4 / WG));
    const options = { spec: { ...spec, ...given }, overrides: { ...readBy, WG } };
    if (!second) return [dispatch(pointwise_quads, bindings, params as never, grid, options)];
    return [dispatch(pointwise_quads_pair, { ...bindings, second_quads: second }, params as never, grid, options)];
  }
  const types = Object.fromEntries(NAMES.map((name, i) => [name.toUpperCase(), all[i].dtype]));
  const bindings = { a_in: a, b_in: b, c_in: cc, d_in: d, y: out };
  const grid = grid1d(Math.ceil(n / WG));
  const options = { spec: { ...types, ...spec }, overrides: { ...(simple && readBy), WG } };
  if (!second) return [dispatch(simple ? pointwise : pointwise_strided, bindings, params as never, grid, options)];
  return [dispatch(pointwise_pair, { ...bindings, second }, params as never, grid, options)];
}

/** Whether every input has a form of its own: what pairs need. */
export const byForm = (inputs: readonly Spec[], out: Spec): boolean => inputs.every(({ shape }) => divMod(shape, out.shape) !== null);

/** How pointwise.wgsl best reads an input of `mod` elements that each cover `div` of `n`: same, scalar, trailing, rows, any. */
function form(div: number, mod: number, n: number): number {
  if (mod === 1) return 1;
  if (div === 1) return mod === n ? 0 : 2;
  return div * mod === n ? 3 : 4;
}

/** Four neighbours of the result read four neighbours of the input, or all the same one. */
const inVectors = ([div, mod]: readonly [number, number]): boolean => div === 1 && mod % 4 === 0;
const inSplats = ([div, mod]: readonly [number, number]): boolean => mod === 1 || div % 4 === 0;

/** Integers are computed as integers where every input and the result are; else in f32. */
function evaluationType(inputs: readonly DType[], out: DType): string {
  const kinds = new Set(inputs);
  if (kinds.size === 1 && (kinds.has('i32') || kinds.has('u32')) && (out === 'i32' || out === 'u32')) return [...kinds][0];
  return 'f32';
}

/** (div, mod) such that element i of the result reads (i / div) % mod of a tensor of `shape`; null where that form does not fit. */
function divMod(shape: readonly number[], out: readonly number[]): [number, number] | null {
  const full = [...new Array<number>(out.length - shape.length).fill(1), ...shape];
  const own = full.map((d, i) => d === out[i]);
  const real = full.map((_, i) => i).filter((i) => out[i] !== 1 && own[i]);
  if (real.length === 0) return [1, 1];
  const first = real[0];
  const last = real.at(-1)!;
  for (let i = first; i <= last; i++) if (!own[i]) return null;
  let div = 1;
  for (let i = last + 1; i < out.length; i++) div *= out[i];
  return [div, numel(shape)];
}

/** Sizes and strides for the general kernel, neighbouring axes with one pattern merged. @throws ShapeError past six axes. */
function strided(inputs: readonly Ref[], out: readonly number[], params: Record<string, number>, needed: boolean): void {
  const sizes: number[] = [];
  const strides: number[][] = [];
  if (needed) {
    const steps = inputs.map((r) =>
      new Array<number>(out.length).fill(1).map((_, i) => {
        const at = i - (out.length - r.shape.length);
        return at < 0 || r.shape[at] === 1 ? 0 : numel(r.shape.slice(at + 1));
      }),
    );
    for (let i = out.length - 1; i >= 0; i--) {
      if (out[i] === 1) continue;
      const here = steps.map((s) => s[i]);
      const below = strides.at(-1);
      const size = sizes.at(-1);
      if (below && size !== undefined && here.every((s, k) => s === below[k] * size)) sizes[sizes.length - 1] = size * out[i];
      else {
        sizes.push(out[i]);
        strides.push(here);
      }
    }
    if (sizes.length > 6)
      throw new ShapeError(
        `pointwise: broadcasting over ${sizes.length} separate axes, expected at most 6.`,
        'Reshape or expand an input first.',
      );
  }
  for (let axis = 0; axis < 6; axis++) {
    if (axis < 5) params[`size${axis}`] = sizes[axis] ?? 1;
    NAMES.forEach((name, i) => {
      params[`${name}${axis}`] = strides[axis]?.[i < inputs.length ? i : 0] ?? 0;
    });
  }
}

/** a + b of one shape: how the reverse walk adds up the gradients of a tensor used more than once. */
export const accumulate = defineOp({
  name: 'accumulate',
  call: (a: Tensor, b: Tensor) => ({ inputs: [a, b], attrs: {} }),
  infer: ([a]) => a,
  lower: (c) => lowerPointwise(c, { expr: 'a + b', consts: [] }),
  pointwise: () => ({ expr: 'a + b', consts: [] }),
});
