// SPDX-License-Identifier: MIT
// Numbers on the command line: what is no number, or out of range, is a usage error that says the range.
import { InvalidArgumentError } from 'commander';

export function number(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high)) throw new InvalidArgumentError(`Expected a number from ${low} to ${high}.`);
    return value;
  };
}

export function integer(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = number(low, high)(text);
    if (!Number.isInteger(value)) throw new InvalidArgumentError('Expected a whole number.');
    return value;
  };
}
