// SPDX-License-Identifier: MIT
// What went wrong and what to do, in the words of the command line; what is being waited for.
import type { JSX } from 'preact';
import { Icon } from './icons.tsx';
import { useSelect, useStudio } from './store.ts';

export function Notices(): JSX.Element {
  const studio = useStudio();
  const notices = useSelect((s) => s.notices);
  return (
    <div class="notices" role="log" aria-live="polite">
      {notices.map((n) => (
        <div key={n.id} class={`notice ${n.kind}`}>
          <div>
            <p>{n.message}</p>
            {n.hint && <p class="soft">{n.hint}</p>}
          </div>
          <button class="quiet" aria-label="Dismiss" onClick={() => studio.dismiss(n.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}

export function Busy(): JSX.Element | null {
  const busy = useSelect((s) => s.busy);
  if (!busy) return null;
  const { text, done, total } = busy;
  return (
    <div class="busy" role="status">
      <div class="busy-box">
        <p>{text}…</p>
        <progress max={total || 1} {...(done !== undefined && total ? { value: done } : {})} />
        {done !== undefined && total ? (
          <p class="soft">
            {done} of {total}
          </p>
        ) : null}
      </div>
    </div>
  );
}
