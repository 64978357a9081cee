// SPDX-License-Identifier: MIT
// Tensors of a pattern, made on the host: sequences, ones, the identity; and triangles of tensors. Inside a traced step they are constants.
import { dtype as aDType, expectArguments, fields, integer, maybe, number, scalar, shape as aShape } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel, type DType } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { full, tensor, type Tensor } from '../engine/tensor.ts';
import { greaterEqual, where } from './pointwise.ts';

interface Made {
  /** Default f32. */
  dtype?: DType;
}
const MADE = { dtype: maybe(aDType) };

/** A tensor [...shape] of ones. @throws ShapeError, LimitError past the device's memory */
export const ones = (shape: readonly number[], options: Made = {}): Tensor => {
  expectArguments('ones', { shape: aShape, options: fields(MADE) }, [shape, options]);
  return full(shape, 1, options);
};

/**
 * start, start + step, ... up to but without `end`: [ceil((end - start) / step)]. `arange(5)` counts from 0 to 4. The dtype is f32 unless
 * given, where PyTorch takes integers for integers. @throws ShapeError for a step of 0 or one that leads away from `end`
 */
export function arange(start: number, end?: number, options: Made & { step?: number } = {}): Tensor {
  expectArguments(
    'arange',
    { start: number(-MOST, MOST), end: maybe(number(-MOST, MOST)), options: fields({ ...MADE, step: maybe(number(-MOST, MOST)) }) },
    [start, end, options],
  );
  const { step = 1, dtype = 'f32' } = options;
  const [from, to] = end === undefined ? [0, start] : [start, end];
  const n = Math.ceil((to - from) / step);
  if (step === 0 || n < 0) throw new ShapeError(`arange: got step ${step} from ${from} to ${to}, expected one that leads there.`);
  return tensor(
    Array.from({ length: n }, (_, i) => from + i * step),
    { dtype },
  );
}
const MOST = Number.MAX_VALUE; // finite

/** `steps` numbers from `start` to `end`, both among them: [steps]. @throws ShapeError */
export function linspace(start: number, end: number, steps: number, options: Made = {}): Tensor {
  expectArguments('linspace', { start: scalar, end: scalar, steps: integer(0), options: fields(MADE) }, [start, end, steps, options]);
  const by = (end - start) / (steps - 1);
  // from either end to the middle, so that both are met exactly
  const at = (i: number): number => (steps === 1 ? start : 2 * i < steps ? start + i * by : end - (steps - 1 - i) * by);
  return tensor(
    Array.from({ length: steps }, (_, i) => at(i)),
    options,
  );
}

/** The identity [n, m] (m: n unless given): 1 where row and column are the same, else 0. @throws ShapeError */
export function eye(n: number, m?: number, options: Made = {}): Tensor {
  expectArguments('eye', { n: integer(0), m: maybe(integer(0)), options: fields(MADE) }, [n, m, options]);
  const columns = m ?? n;
  const values = new Float64Array(numel([n, columns]));
  for (let i = 0; i < Math.min(n, columns); i++) values[i * columns + i] = 1;
  return tensor(values, { ...options, shape: [n, columns] });
}

const triangle = (name: string, kept: (row: Tensor, column: Tensor) => Tensor) =>
  door(
    name,
    { x: aTensor, options: maybe(fields({ diagonal: maybe(integer()) })) },
    (x: Tensor, { diagonal = 0 }: { diagonal?: number } = {}): Tensor => {
      if (x.shape.length < 2) throw new ShapeError(`${name}: got [${x.shape}], expected at least two axes.`);
      const [rows, columns] = x.shape.slice(-2);
      const row = tensor(
        Array.from({ length: rows }, (_, i) => i + diagonal),
        { shape: [rows, 1], dtype: 'i32' },
      );
      return where(kept(row, arange(columns, undefined, { dtype: 'i32' })), x, full([], 0, { dtype: x.dtype }));
    },
  );

/** x [..., n, m] on and below the `diagonal` (0: the main one; positive: above it), else 0. @throws ShapeError for less than two axes */
export const tril = triangle('tril', (row, column) => greaterEqual(row, column));
/** x [..., n, m] on and above the `diagonal`, 0 elsewhere. @throws ShapeError for less than two axes */
export const triu = triangle('triu', (row, column) => greaterEqual(column, row));
