// SPDX-License-Identifier: MIT
// An iteration that is one program: its volumes side by side update the networks in the same program; where memory is short, fewer at a
// time gather gradients first.
import { compile, type CompileOptions, type Example, type Feed, type Program } from '../engine/program.ts';
import type { Spec } from '../engine/dtype.ts';
import { joinFeeds } from './feeds.ts';
import type { Step, StepResult, Together } from './method.ts';
import type { StepContext } from './step_context.ts';
import { activationBytes, compileLargest, divisors, sizesOf } from './together.ts';

/** TypeScript cannot infer the inputs of an example that it does not know. */
const compileOf = <X>() =>
  compile as unknown as (step: (x: X) => StepResult, example: Example, options: CompileOptions) => Promise<Program<StepResult>>;

/** Shapes of one volume by name, of its planes in a record of their own. */
export type VolumeExample = { readonly [name: string]: Spec | VolumeExample };

export const stacked = (example: VolumeExample, n: number): VolumeExample =>
  Object.fromEntries(
    Object.entries(example).map(([name, value]) => [
      name,
      'dtype' in value ? { ...(value as Spec), shape: [n, ...(value as Spec).shape] } : stacked(value, n),
    ]),
  );

export interface VolumeStepOptions extends CompileOptions {
  /** Volumes of an iteration. */
  readonly batch: number;
  /** They cannot be told apart: statistics run over all of them. */
  readonly inseparable?: boolean;
  /** How many runs took at once before they noted it. Default 1. */
  readonly unrecorded?: number;
  readonly together?: Together | undefined;
  readonly activations?: number | undefined;
}

/**
 * `train` sees the inputs of some volumes, `X` as `example` has them with an axis for the volumes before, which count `share` in their
 * iteration, and tells `context` what is learnt from them.
 */
export async function compileVolumeStep<X, F extends Feed>(
  context: StepContext,
  example: VolumeExample,
  { batch, inseparable = false, unrecorded, together, activations = activationBytes(), ...options }: VolumeStepOptions,
  train: (x: X, share: number) => void,
): Promise<Step<F>> {
  context.volumes = batch;
  const { reduction } = context;
  // Statistics over all volumes move once; those of each volume as often as there are volumes, side by side or not.
  if (reduction) reduction.passes = () => (inseparable ? 1 : batch);
  const sizes = sizesOf(together, 'step', inseparable ? [batch] : divisors(batch), unrecorded);
  const { size, program } = await compileLargest(sizes, activations, (n, limit) =>
    compileOf<X>()(
      (x) => {
        if (n === batch)
          return context.whole(() => {
            train(x, 1);
          });
        train(x, n / batch);
        return {};
      },
      stacked(example, n) as Example,
      { ...options, ...limit },
    ),
  );
  const update = size === batch && !reduction ? null : await context.compileUpdate(options);
  return {
    programs: [
      { name: 'step', runs: batch / size, together: size, program },
      ...(update ? [{ name: 'update', runs: 1, together: 1, program: update }] : []),
    ],
    run(volumes, scheduled) {
      context.scheduled = scheduled;
      let result: StepResult = {};
      for (let first = 0; first < batch; first += size) {
        context.volume = first;
        result = program.run(joinFeeds(volumes.slice(first, first + size)));
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
