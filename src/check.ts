// SPDX-License-Identifier: MIT
// What a caller may hand to a public function, as kinds of values. TypeScript says the same to those who use it; here it is said at run
// time, once, before anything else happens.
import { DTypeError, ShapeError, VoxelgradError } from './errors.ts';

/** Throws what is wrong with a value: `where` is the function, `what` the argument. */
export type Kind = (where: string, what: string, value: unknown) => void;
export type Kinds = Readonly<Record<string, Kind>>;

/** A value as a message shows it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value))
    return `[${value
      .slice(0, 8)
      .map((v) => (Array.isArray(v) ? '[...]' : shown(v)))
      .join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const { shape, dtype } = value as { shape?: unknown; dtype?: unknown };
  const name = Object.getPrototypeOf(value)?.constructor?.name as string | undefined;
  return Array.isArray(shape) && typeof dtype === 'string'
    ? `a tensor [${shape}] ${dtype}`
    : name && name !== 'Object'
      ? `a ${name}`
      : 'an object';
}

/** Holes too, which `every` passes over. */
const all = (list: readonly unknown[], fits: (v: unknown) => boolean): boolean => list.findIndex((v) => !fits(v)) < 0;

const wrong = (where: string, what: string, value: unknown, expected: string): string =>
  `${where}: got ${what} ${shown(value)}, expected ${expected}.`;
const range = (least: number, most: number): string =>
  most < Infinity ? ` from ${least} to ${most}` : least > -Infinity ? ` of at least ${least}` : '';
const isInteger = (v: unknown, least: number, most: number): boolean =>
  Number.isSafeInteger(v) && (v as number) >= least && (v as number) <= most;

/** @throws ShapeError */
export const integer =
  (least = -Infinity, most = Infinity): Kind =>
  (where, what, v) => {
    if (!isInteger(v, least, most)) throw new ShapeError(wrong(where, what, v, `an integer${range(least, most)}`));
  };
/** Not NaN. @throws ShapeError */
export const number =
  (least = -Infinity, most = Infinity): Kind =>
  (where, what, v) => {
    if (!(typeof v === 'number' && v >= least && v <= most)) throw new ShapeError(wrong(where, what, v, `a number${range(least, most)}`));
  };
/** Any number: the value of an element. @throws ShapeError */
export const scalar: Kind = (where, what, v) => {
  if (typeof v !== 'number') throw new ShapeError(wrong(where, what, v, 'a number'));
};
/** Sizes of a tensor, as many as there are axes. @throws ShapeError */
export const shape: Kind = (where, what, v) => {
  if (
    !Array.isArray(v) ||
    !all(v, (d) => isInteger(d, 0, Infinity)) ||
    !Number.isSafeInteger(v.reduce((a: number, b: number) => a * b, 1))
  ) {
    throw new ShapeError(wrong(where, what, v, 'a list of integers of at least 0'));
  }
};
/** @throws ShapeError */
export const integers =
  (least = -Infinity): Kind =>
  (where, what, v) => {
    if (!Array.isArray(v) || !all(v, (d) => isInteger(d, least, Infinity)))
      throw new ShapeError(wrong(where, what, v, `a list of integers${range(least, Infinity)}`));
  };
/** One integer for all axes, or a list. @throws ShapeError */
export const perAxis =
  (least = -Infinity): Kind =>
  (where, what, v) => {
    if (!all(Array.isArray(v) ? v : [v], (d) => isInteger(d, least, Infinity)))
      throw new ShapeError(wrong(where, what, v, `an integer${range(least, Infinity)}, or a list`));
  };
const DTYPES = ['f32', 'f16', 'i32', 'u32'];
/** @throws DTypeError */
export const dtype: Kind = (where, what, v) => {
  if (!DTYPES.includes(v as string)) throw new DTypeError(wrong(where, what, v, DTYPES.join(', ')));
};
const usage =
  (expected: string, fits: (v: unknown) => boolean): Kind =>
  (where, what, v) => {
    if (!fits(v)) throw new VoxelgradError('USAGE', wrong(where, what, v, expected));
  };
/** @throws VoxelgradError USAGE, and those below */
export const oneOf = (...names: readonly string[]): Kind =>
  usage(names.map((n) => JSON.stringify(n)).join(' or '), (v) => names.includes(v as string));
export const flag: Kind = usage('true or false', (v) => typeof v === 'boolean');
export const text: Kind = usage('a string', (v) => typeof v === 'string');
export const callable: Kind = usage('a function', (v) => typeof v === 'function');
export const iterable: Kind = usage(
  'a list',
  (v) => typeof v === 'object' && typeof (v as Iterable<unknown> | null)?.[Symbol.iterator] === 'function',
);
export const instance = (expected: string, of: abstract new (...args: never[]) => unknown): Kind => usage(expected, (v) => v instanceof of);
/** An array of numbers, typed or not. */
export const values: Kind = usage('an array of numbers', (v) =>
  Array.isArray(v) ? all(v, (x) => typeof x === 'number') : ArrayBuffer.isView(v) && 'BYTES_PER_ELEMENT' in v && !/Big/.test(shown(v)),
);

/** The kind, or nothing. */
export const maybe =
  (kind: Kind): Kind =>
  (where, what, v) => {
    if (v !== undefined) kind(where, what, v);
  };
export const orNull =
  (kind: Kind): Kind =>
  (where, what, v) => {
    if (v !== undefined && v !== null) kind(where, what, v);
  };
export const listOf =
  (kind: Kind): Kind =>
  (where, what, v) => {
    if (!Array.isArray(v)) throw new VoxelgradError('USAGE', wrong(where, what, v, 'a list'));
    v.forEach((x, i) => {
      kind(where, `${what}[${i}]`, x);
    });
  };
/** Options by name; one that is not known is as wrong as a wrong value, unless `others` may ride along. */
export const fields =
  (kinds: Kinds, others = false): Kind =>
  (where, what, v) => {
    if (typeof v !== 'object' || v === null || Array.isArray(v))
      throw new VoxelgradError('USAGE', wrong(where, what, v, `an object with ${Object.keys(kinds).join(', ')}`));
    const unknown = Object.keys(v).find((key) => !Object.hasOwn(kinds, key));
    if (unknown !== undefined && !others)
      throw new VoxelgradError('USAGE', `${where}: got an option ${unknown}, expected ${Object.keys(kinds).join(', ')}.`);
    for (const [key, kind] of Object.entries(kinds)) kind(where, key, (v as Record<string, unknown>)[key]);
  };

/** Checks each argument by its kind; the kinds are in the order of the arguments. */
export function expectArguments(where: string, kinds: Kinds, given: readonly unknown[]): void {
  Object.entries(kinds).forEach(([what, kind], i) => {
    kind(where, what, given[i]);
  });
}
