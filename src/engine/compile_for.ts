// SPDX-License-Identifier: MIT
// One step for several shapes: a program has one shape, so there is a program for each, made when it is first asked for.
import { callable, expectArguments, integer } from '../check.ts';
import type { Tensor } from './tensor.ts';
import { compile, type CompileOptions, type Example, type FeedOf, type Inputs, type Program } from './program.ts';
import type { Tree } from './tree.ts';

/** The program of sizes, made once for each. */
export interface ProgramsFor<S extends number[], I extends Example, O> extends Disposable {
  (...sizes: S): Promise<Program<O, FeedOf<I>>>;
  /** Disposes all programs. */
  dispose(): void;
}

/** TypeScript would work out the types of every example there can be. */
const untyped = compile as (step: unknown, example: unknown, options: CompileOptions) => Promise<unknown>;

/**
 * A step as a program for each size that is asked for. All share parameters and optimisers.
 * `const train = compileFor(step, (batch: number) => ({ x: spec([batch, 8]) }));  (await train(32)).run({ x })`
 */
export function compileFor<S extends number[], I extends Example, O extends Tree<Tensor>>(
  step: (input: Inputs<I>) => O,
  example: (...sizes: S) => I,
  options: CompileOptions = {},
): ProgramsFor<S, I, O> {
  expectArguments('compileFor', { step: callable, example: callable }, [step, example]);
  const made = new Map<string, Promise<Program<O, FeedOf<I>>>>();
  const programFor = (...sizes: S): Promise<Program<O, FeedOf<I>>> => {
    for (const size of sizes) integer(0)('compileFor', 'a size', size);
    const key = sizes.join();
    let program = made.get(key);
    if (!program) {
      program = untyped(step, example(...sizes), options) as Promise<Program<O, FeedOf<I>>>;
      program.catch(() => made.delete(key)); // another try may have more memory
      made.set(key, program);
    }
    return program;
  };
  const dispose = (): void => {
    for (const program of made.values()) {
      program.then(
        (p) => {
          p.dispose();
        },
        () => undefined,
      );
    }
    made.clear();
  };
  return Object.assign(programFor, { dispose, [Symbol.dispose]: dispose });
}
