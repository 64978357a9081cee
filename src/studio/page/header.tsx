// SPDX-License-Identifier: MIT
// The top of the page: the way through it, the scan, whether all is saved, and what this is not for.
import type { JSX } from 'preact';
import { Icon, type IconName } from './icons.tsx';
import { useSelect, useStudio } from './store.ts';
import type { Stage } from './state.ts';

const STAGES: readonly (readonly [Stage, string, IconName])[] = [
  ['open', 'Open', 'open'],
  ['annotate', 'Annotate', 'brush'],
  ['train', 'Train', 'train'],
  ['take', 'Take away', 'take'],
];

export function Header(): JSX.Element {
  const studio = useStudio();
  const stage = useSelect((s) => s.stage);
  const scan = useSelect((s) => s.scan);
  const session = useSelect((s) => s.session);
  const unsaved = useSelect((s) => s.unsaved);
  const stuck = useSelect((s) => s.stuck);
  const online = useSelect((s) => s.online);
  const running = useSelect((s) => s.training?.status === 'running');
  return (
    <header class="top">
      <span class="brand">
        voxelgrad <b>studio</b>
      </span>
      <nav aria-label="Steps">
        {STAGES.map(([name, text, icon]) => (
          <button
            key={name}
            class="stage"
            aria-current={stage === name ? 'step' : undefined}
            disabled={name !== 'open' && !scan}
            onClick={() => studio.look.stage(name)}
          >
            <Icon name={icon} />
            <span>{text}</span>
            {name === 'train' && running && <i class="live" title="Training runs" />}
          </button>
        ))}
      </nav>
      <span class="where">
        {session && session.cases.length > 1 && stage !== 'open' ? (
          <select aria-label="Scan" value={scan?.info.name} onChange={(e) => void studio.open.scan(e.currentTarget.value)}>
            {session.cases.map((c) => (
              <option key={c.name}>{c.name}</option>
            ))}
          </select>
        ) : (
          scan && <span class="scan-name">{scan.info.name}</span>
        )}
        {scan && (
          <span class={stuck ? 'saved offline' : 'saved'} role="status">
            {stuck ? 'Not saved' : unsaved > 0 ? 'Saving…' : 'Saved here'}
          </span>
        )}
        {!online && (
          <span class="offline" title="Everything works without a network: nothing of this page needs one.">
            Offline
          </span>
        )}
      </span>
      <button class="quiet" title="Keys (?)" aria-label="Keys" onClick={() => studio.store.set({ help: true })}>
        <Icon name="help" />
      </button>
      <strong class="warning">Not for clinical use</strong>
    </header>
  );
}
