// SPDX-License-Identifier: MIT
// Training: begun, how it gets on, paused and ended; what is made of its masks.
import type { JSX } from 'preact';
import type { Training } from '../protocol.ts';
import { Begin } from './begin_panel.tsx';
import { Curves } from './curves.tsx';
import { duration, percent } from './format.ts';
import { Icon } from './icons.tsx';
import { useSelect, useStudio } from './store.ts';
import { paceOf } from './trainer.ts';

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

function Under({ training }: { readonly training: Training }): JSX.Element {
  const { train } = useStudio();
  const pace = useSelect((s) => s.pace) ?? paceOf(training);
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
        {left !== null && `, about ${duration(left)} left`}
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
      {(mask ?? whole)?.doubts.map((doubt) => (
        <p key={doubt} class="callout doubt">
          {doubt}
        </p>
      ))}
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
