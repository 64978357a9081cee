// SPDX-License-Identifier: MIT
// What stands before every public function of tensors: arguments are checked by kind, eager intermediate results go when it returns.
import { expectArguments, instance, listOf, orNull, type Kind, type Kinds } from '../check.ts';
import { scope } from './scope.ts';
import { Tensor } from './tensor.ts';

export const aTensor: Kind = instance('a tensor', Tensor);
export const noneOrTensor: Kind = orNull(aTensor);
export const someTensors: Kind = listOf(aTensor);

/** `f` behind the kinds of its arguments, in their order. */
export function door<Args extends unknown[], R>(name: string, kinds: Kinds, f: (...args: Args) => R): (...args: Args) => R {
  return (...args) => {
    expectArguments(name, kinds, args);
    return scope(() => f(...args));
  };
}
