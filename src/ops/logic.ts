// SPDX-License-Identifier: MIT
// Truth values: what is not 0 is true, NaN too, in every dtype. Results are u32, 1 or 0, and have no gradient.
import type { Tensor } from '../engine/tensor.ts';
import { equalScalar, greaterScalar } from './pointwise.ts';
import { countNonzero, type ReduceOptions } from './reduce.ts';
import { one, row, two } from './row.ts';

// By the bits of floats: compilers may assume that there is no NaN.
const truth = (x: 'a' | 'b') => ({ float: `((bitcast<u32>(${x}) & 0x7fffffffu) != 0u)`, integer: `(${x} != E(0))` });
const [a, b] = [truth('a'), truth('b')];
const both = (operator: string) => ({
  float: `select(E(0), E(1), ${a.float} ${operator} ${b.float})`,
  integer: `select(E(0), E(1), ${a.integer} ${operator} ${b.integer})`,
});

/** 1 where a and b are not 0, else 0; they broadcast and are of one dtype. */
export const logicalAnd = two(row('logical_and', 2, both('&&'), null, 'u32'));
/** 1 where a or b is not 0, else 0. */
export const logicalOr = two(row('logical_or', 2, both('||'), null, 'u32'));
/** 1 where one of a and b alone is not 0, else 0. */
export const logicalXor = two(row('logical_xor', 2, both('!='), null, 'u32'));
/** 1 where x is 0, else 0. */
export const logicalNot = one(
  row('logical_not', 1, { float: `select(E(1), E(0), ${a.float})`, integer: `select(E(1), E(0), ${a.integer})` }, null, 'u32'),
);

/** 1 where an element along `axes` (default: all) is not 0, else 0; of nothing 0. x [...] of any dtype. @throws ShapeError for bad axes */
export const any = (x: Tensor, options?: ReduceOptions): Tensor => greaterScalar(countNonzero(logicalNot(logicalNot(x)), options), 0);
/** 1 where all elements along `axes` (default: all) are not 0, else 0; of nothing 1. @throws ShapeError for axes that x has not */
export const all = (x: Tensor, options?: ReduceOptions): Tensor => equalScalar(countNonzero(logicalNot(x), options), 0);
