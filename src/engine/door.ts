// SPDX-License-Identifier: MIT
// What stands before every public function of tensors: its arguments are checked by kind, and eager intermediate results go when it returns.
import { expectArguments, instance, type Kind, type Kinds } from '../check.ts';
import { scope } from './scope.ts';
import { Tensor } from './tensor.ts';

export const aTensor: Kind = instance('a tensor', Tensor);

/** `f` behind the kinds of its arguments, in their order. */
export function door<Args extends unknown[], R>(name: string, kinds: Kinds, f: (...args: Args) => R): (...args: Args) => R {
  return (...args) => {
    expectArguments(name, kinds, args);
    return scope(() => f(...args));
  };
}
