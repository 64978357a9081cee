// SPDX-License-Identifier: MIT
// Every key, by what it is for.
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { KEYS } from './keys.ts';
import { useSelect, useStudio } from './store.ts';

export function Help(): JSX.Element {
  const { store } = useStudio();
  const help = useSelect((s) => s.help);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (help) dialog.current?.showModal();
    else dialog.current?.close();
  }, [help]);
  return (
    <dialog ref={dialog} class="help" aria-label="Keys" onClose={() => store.set({ help: false })}>
      <h2>
        Keys
        <button onClick={() => store.set({ help: false })}>Close</button>
      </h2>
      <div class="help-groups">
        {(['Look', 'Draw', 'Slice', 'Page'] as const).map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {KEYS.filter((k) => k.group === group).map((k) => (
                <div key={k.shown}>
                  <dt>
                    <kbd>{k.shown}</kbd>
                  </dt>
                  <dd>{k.what}</dd>
                </div>
              ))}
            </dl>
            {group === 'Page' && (
              <p class="soft">
                Wheel: slices. Ctrl and wheel, or two fingers: zoom. Second button: drag the window. Shift or middle button: shift the
                picture. Double click: close the polygon.
              </p>
            )}
          </section>
        ))}
      </div>
    </dialog>
  );
}
