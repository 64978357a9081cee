// SPDX-License-Identifier: MIT
// An iteration that is one program a volume: a single volume updates the networks in the same program, several gather gradients first.
import { compile, type CompileOptions, type Example, type Feed, type Program } from '../engine/program.ts';
import type { Step, StepResult } from './method.ts';
import type { StepContext } from './step_context.ts';

/** TypeScript cannot infer the inputs of an example that it does not know. */
const compileOf = <X>() =>
  compile as unknown as (step: (x: X) => StepResult, example: Example, options: CompileOptions) => Promise<Program<StepResult>>;

/** `train` sees the inputs of one volume, `X` as `example` has them, which counts `share` in its iteration, and tells `context` what is learnt from it. */
export async function compileVolumeStep<X, F extends Feed>(
  context: StepContext,
  batch: number,
  example: Example,
  options: CompileOptions,
  train: (x: X, share: number) => void,
): Promise<Step<F>> {
  context.volumes = batch;
  const { reduction } = context;
  if (reduction) reduction.passes = () => batch;
  const alone = batch === 1 && !reduction;
  const program = await compileOf<X>()(
    (x) => {
      if (alone) return context.whole(() => train(x, 1));
      train(x, 1 / batch);
      return {};
    },
    example,
    options,
  );
  const update = alone ? null : await context.compileUpdate(options);
  return {
    programs: [{ name: 'step', runs: batch, program }, ...(update ? [{ name: 'update', runs: 1, program: update }] : [])],
    run(volumes, scheduled) {
      context.scheduled = scheduled;
      let result: StepResult = {};
      for (const [b, feed] of volumes.entries()) {
        context.volume = b;
        result = program.run(feed);
      }
      return update ? context.update(update) : result;
    },
    dispose() {
      program.dispose();
      update?.dispose();
      context[Symbol.dispose]();
    },
  };
}
