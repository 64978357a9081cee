// SPDX-License-Identifier: MIT
// What trains next: which networks, how long they take on this device, and the order to begin.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { STUDIO_PRESETS, type Estimate, type StudioPreset, type Training } from '../protocol.ts';
import { bytes, duration } from './format.ts';
import { Icon } from './icons.tsx';
import { isTaught } from './state.ts';
import { useSelect, useStudio } from './store.ts';
import { fitting, LONGEST, paceOf } from './trainer.ts';

const ABOUT: Readonly<Record<StudioPreset | 'same', string>> = {
  demo: 'Small networks, minutes: to see whether it learns.',
  tiny: 'Smaller networks than the paper’s, for a laptop.',
  base: 'The networks of the paper, for a GPU of its own.',
  same: 'The same networks, from what they have learnt.',
};

export function Begin({ finished }: { readonly finished: Training | null }): JSX.Element {
  const studio = useStudio();
  const estimates = useSelect((s) => s.estimates);
  const idle = useSelect((s) => s.timing === null);
  const picked = useSelect((s) => s.picked);
  const taught = useSelect(isTaught);
  const device = useSelect((s) => s.device);
  const [asked, ask] = useState<number | null>(null);
  const [plan, bring] = useState<Plan>(null);
  // Before anybody presses Train, it is known what that begins, and for how long.
  useEffect(() => {
    if (!finished) void studio.train.fit();
  }, [studio, !finished, estimates, idle]);
  const preset = picked ?? (finished ? 'same' : fitting(estimates));
  const estimate = plan || preset === 'same' ? undefined : estimates[preset];
  const pace = plan || estimate?.unfit ? null : preset === 'same' ? paceOf(finished!) : (estimate?.secondsPerIteration ?? null);
  const iterations = asked ?? (plan ? 0 : preset === 'same' ? finished!.total : (estimate?.iterations ?? 0));
  const choices = [...(finished ? (['same'] as const) : []), ...STUDIO_PRESETS];
  return (
    <section class="group">
      <h2>Train</h2>
      {finished && (
        <p class="callout">
          Run {finished.run} is finished after {finished.done} iterations.
        </p>
      )}
      <div class="choices" role="group" aria-label="What is trained">
        {choices.map((name) => (
          <button
            key={name}
            aria-pressed={!plan && preset === name}
            onClick={() => {
              ask(null);
              bring(null);
              studio.store.set({ picked: name });
            }}
          >
            {name === 'same' ? `as run ${finished!.run}` : name}
          </button>
        ))}
      </div>
      {/* Nothing above these changes its height by itself: who aims at one of them hits it. What is known follows below. */}
      <label class="field">
        Iterations
        <input
          type="number"
          min="1"
          value={iterations || ''}
          placeholder={plan ? 'the plan’s' : 'the preset’s'}
          onInput={(e) =>
            ask(Number.isFinite(e.currentTarget.valueAsNumber) ? Math.max(1, Math.round(e.currentTarget.valueAsNumber)) : null)
          }
        />
      </label>
      <button
        class="primary action go"
        disabled={!taught || estimate?.unfit?.code === 'LIMIT'} // what else went wrong may not go wrong again
        onClick={() => void studio.train.start({ preset, ...(iterations && { iterations }), ...(plan && { plan: plan.content }) })}
      >
        <Icon name="play" /> <span>Train</span>
      </button>
      {!taught && <p class="soft">Annotate a few slices first: about one in three teaches best.</p>}
      <PlanFile plan={plan} bring={bring} />
      <p class="soft">
        {plan ? `The plan ${plan.name}.` : ABOUT[preset]}
        {!picked &&
          idle &&
          estimate &&
          estimate.seconds <= LONGEST &&
          !estimate.unfit &&
          ' The largest that ends within half an hour here.'}
      </p>
      {device && (
        <p class="soft">
          On {device.adapter}
          {device.software && ': no GPU, so this machine’s processor computes. It is slow; “demo” is cut to two small networks for it'}.
        </p>
      )}
      {!plan && preset !== 'same' && <Time preset={preset} estimate={estimate} />}
      {pace !== null && iterations > 0 && (
        <p>
          About <b>{duration(pace * iterations)}</b> for {iterations} iterations: {pace.toPrecision(2)} s each
          {estimate
            ? ` if nothing else runs here, and ${bytes(estimate.bytes)} of ${device?.software ? '' : 'GPU '}memory`
            : ' in the last run'}
          .
        </p>
      )}
    </section>
  );
}

/** What one iteration of a preset takes here: being timed, why it does not fit, or an offer to time it. */
function Time({ preset, estimate }: { readonly preset: StudioPreset; readonly estimate: Estimate | undefined }): JSX.Element | null {
  const studio = useStudio();
  const timing = useSelect((s) => s.timing);
  if (timing)
    return (
      <p role="status">
        Timing one iteration of “{timing.preset}” on this device…{' '}
        {timing.preset !== preset || <progress max={timing.total} value={timing.done} />}
      </p>
    );
  if (estimate && !estimate.unfit) return null;
  return (
    <>
      {estimate?.unfit && <p class="callout error">{`${estimate.unfit.message} ${estimate.unfit.hint ?? ''}`}</p>}
      <button onClick={() => void studio.train.time(preset)}>
        Time one iteration of “{preset}”{estimate && ' again'}
      </button>
    </>
  );
}

type Plan = { readonly name: string; readonly content: unknown } | null;

/** A plan of `voxelgrad plan` in place of a preset. */
function PlanFile({ plan, bring }: { readonly plan: Plan; readonly bring: (plan: Plan) => void }): JSX.Element {
  const studio = useStudio();
  const chosen = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    try {
      bring({ name: file.name, content: JSON.parse(await file.text()) });
    } catch {
      studio.tell({ message: `${file.name}: is not JSON.`, hint: 'Choose a plan that voxelgrad plan wrote.' });
    }
  };
  return (
    <details open={!!plan}>
      <summary>{plan ? `Plan: ${plan.name}` : 'A plan of your own'}</summary>
      <input type="file" accept=".json,application/json" aria-label="Plan file" onChange={(e) => void chosen(e.currentTarget.files?.[0])} />
    </details>
  );
}
