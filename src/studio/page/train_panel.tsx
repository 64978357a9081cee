// SPDX-License-Identifier: MIT
// Training: what it will take, its order to begin, pause and end, and how it gets on.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { STUDIO_PRESETS, type Estimate, type StudioPreset, type Training } from '../protocol.ts';
import { Curves } from './curves.tsx';
import { bytes, duration, percent } from './format.ts';
import { Icon } from './icons.tsx';
import { useSelect, useStudio } from './store.ts';

const ABOUT: Readonly<Record<StudioPreset, string>> = {
  demo: 'Small networks, minutes: to see whether it learns.',
  tiny: 'Smaller networks than the paper’s, for a laptop.',
  base: 'The networks of the paper, for a GPU of its own.',
};

export function TrainPanel(): JSX.Element {
  const training = useSelect((s) => s.training);
  const begun = training && (training.status === 'running' || training.status === 'paused');
  return (
    <>
      {training?.status === 'finished' && <Correct />}
      {begun ? <Under training={training} /> : <Begin finished={training?.status === 'finished' ? training : null} />}
      {training && training.log.length > 0 && (
        <section class="group">
          <h2>Curves</h2>
          <Curves log={training.log} total={training.total} />
        </section>
      )}
      {begun && <Correct />}
    </>
  );
}

function Begin({ finished }: { readonly finished: Training | null }): JSX.Element {
  const studio = useStudio();
  const estimates = useSelect((s) => s.estimates);
  const share = useSelect((s) => (s.drawn >= 0 ? (s.scan?.drawing.share() ?? 0) : 0));
  const device = useSelect((s) => s.device);
  const [preset, choose] = useState<StudioPreset>('demo');
  const [asked, ask] = useState<number | null>(null);
  const [plan, bring] = useState<{ readonly name: string; readonly content: unknown } | null>(null);
  const estimate = plan ? undefined : estimates[preset];
  const iterations = asked ?? estimate?.iterations ?? 0;
  return (
    <section class="group">
      <h2>Train</h2>
      {finished && (
        <p class="callout">
          Run {finished.run} is finished after {finished.done} iterations. The next one begins from its weights.
        </p>
      )}
      {device && (
        <p class="soft">
          On {device.adapter}
          {device.software && ': no GPU, so this machine’s processor computes. It is slow; “demo” is cut to two small networks for it.'}
        </p>
      )}
      <div class="choices" role="group" aria-label="Preset">
        {STUDIO_PRESETS.map((name) => (
          <button key={name} aria-pressed={!plan && preset === name} onClick={() => (choose(name), ask(null), bring(null))}>
            <b>{name}</b>
            <span class="soft">{ABOUT[name]}</span>
            {estimates[name] && <span>{estimateText(estimates[name])}</span>}
          </button>
        ))}
      </div>
      {!plan && <button onClick={() => void studio.train.estimate(preset)}>Time one iteration of “{preset}”</button>}
      <PlanFile plan={plan} bring={bring} />
      <label class="field">
        Iterations
        <input
          type="number"
          min="1"
          value={iterations || ''}
          placeholder="the preset’s"
          onInput={(e) =>
            ask(Number.isFinite(e.currentTarget.valueAsNumber) ? Math.max(1, Math.round(e.currentTarget.valueAsNumber)) : null)
          }
        />
      </label>
      {estimate && !estimate.unfit && (
        <p>
          About <b>{duration(estimate.secondsPerIteration * iterations)}</b> for {iterations} iterations, if nothing else uses the GPU.
        </p>
      )}
      <button
        class="primary action"
        disabled={share === 0 || !!estimate?.unfit}
        onClick={() => void studio.train.start({ preset, ...(iterations && { iterations }), ...(plan && { plan: plan.content }) })}
      >
        <Icon name="play" /> <span>Train</span>
      </button>
      {share === 0 && <p class="soft">Annotate a few slices first: about one in three teaches best.</p>}
    </section>
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

const estimateText = (e: Estimate): string =>
  e.unfit
    ? e.unfit.message
    : `${e.secondsPerIteration.toPrecision(2)} s an iteration, ${duration(e.seconds)} in all, ${bytes(e.bytes)} of GPU memory`;

function Under({ training }: { readonly training: Training }): JSX.Element {
  const { train } = useStudio();
  const pace = useSelect((s) => s.pace);
  const running = training.status === 'running';
  const left = pace === null ? null : pace * (training.total - training.done);
  return (
    <section class="group">
      <h2>
        Run {training.run}
        <span class={running ? 'mark yes' : 'mark'}>{running ? 'training' : 'paused'}</span>
      </h2>
      <p class="big">
        {training.done} <span class="soft">of {training.total} iterations</span>
      </p>
      <progress max={training.total} value={training.done} aria-label="Iterations done" />
      <p class="soft">
        {pace === null ? 'The first iterations compile kernels.' : `${pace.toPrecision(2)} s an iteration`}
        {left !== null && running && `, about ${duration(left)} left`}
      </p>
      {training.failure && (
        <p class="callout error">
          {training.failure.message} {training.failure.hint}
        </p>
      )}
      <div class="two">
        {running ? (
          <button class="action" onClick={() => void train.pause()}>
            <Icon name="pause" /> <span>Pause</span>
          </button>
        ) : (
          <button class="action primary" onClick={() => void train.goOn()}>
            <Icon name="play" /> <span>Go on</span>
          </button>
        )}
        <button class="action" onClick={() => void train.stop()}>
          <Icon name="stop" /> <span>Stop here</span>
        </button>
      </div>
      <p class="soft">Everything is kept in this browser: a closed tab goes on where it was.</p>
    </section>
  );
}

function Correct(): JSX.Element {
  const studio = useStudio();
  const mask = useSelect((s) => s.sliceMasks[s.main === 'space' ? 'transverse' : s.main]);
  const whole = useSelect((s) => s.caseMask);
  const running = useSelect((s) => s.training?.status === 'running');
  return (
    <section class="group">
      <h2>Correct and go on</h2>
      <p class="soft">
        {mask
          ? `Slice ${mask.index + 1} as after ${mask.iteration} iterations` +
            `${mask.agreement === null ? '' : `; the networks agree to ${percent(mask.agreement)}`}.`
          : running && 'The mask of the slice that you look at comes as the training gets on.'}
        {whole && ` Whole mask: after ${whole.iteration} iterations of run ${whole.run}. ${whole.votes ?? ''}`}
      </p>
      <button class="action" disabled={running} onClick={() => void studio.train.predict()}>
        <Icon name="mask" /> <span>Mask of the whole scan</span>
      </button>
      <button
        class="action"
        onClick={() => {
          studio.look.stage('annotate');
          void studio.train.propose();
        }}
      >
        <Icon name="next" /> <span>Next slice worth annotating</span>
      </button>
    </section>
  );
}
