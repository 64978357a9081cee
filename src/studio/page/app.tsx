// SPDX-License-Identifier: MIT
// The page: its frame, and which part of it is seen.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ClassesPanel } from './classes_panel.tsx';
import { DisplayPanel } from './display_panel.tsx';
import { dropped } from './dropped.ts';
import { Header } from './header.tsx';
import { Help } from './help.tsx';
import { listenToKeys } from './keys.ts';
import { Busy, Notices } from './notices.tsx';
import { OpenPage } from './open_page.tsx';
import { SlicePanel } from './slice_panel.tsx';
import { useSelect, useStudio } from './store.ts';
import { TakePanel } from './take_panel.tsx';
import { Tools } from './tools.tsx';
import { TrainPanel } from './train_panel.tsx';
import { Views } from './views.tsx';

export function App(): JSX.Element {
  const studio = useStudio();
  const stage = useSelect((s) => s.stage);
  const scan = useSelect((s) => s.scan);
  const begun = useSelect((s) => s.training?.status === 'running' || s.training?.status === 'paused');
  const [over, setOver] = useState(false);
  const waits = useSelect((s) => !!s.busy);
  const all = useRef<HTMLDivElement>(null);
  const focused = useRef<HTMLElement | null>(null);
  // What waits cannot be pressed. Then the keyboard is where it was, or on the slice where that is gone: then, or at any time later.
  useLayoutEffect(() => {
    if (waits) return undefined;
    const keep = (): void => {
      if (document.activeElement && document.activeElement !== document.body) return;
      const at = focused.current?.isConnected ? focused.current : document.querySelector<HTMLElement>('.view.main canvas');
      at?.focus({ preventScroll: true });
    };
    keep();
    const gone = new MutationObserver(() => focused.current?.isConnected === false && keep());
    gone.observe(all.current!, { childList: true, subtree: true });
    return () => gone.disconnect();
  }, [waits]);
  useEffect(() => listenToKeys(studio), [studio]);
  const drop = async (e: DragEvent): Promise<void> => {
    e.preventDefault();
    setOver(false);
    if (!e.dataTransfer) return;
    const files = await dropped(e.dataTransfer);
    if (files.length > 0) await studio.open.files(files);
  };
  return (
    <div
      class={over ? 'app over' : 'app'}
      onDragOver={(e) => {
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={(e) => e.relatedTarget === null && setOver(false)}
      onDrop={(e) => void drop(e)}
    >
      <div class="all" ref={all} inert={waits} onFocusIn={(e) => void (focused.current = e.target as HTMLElement)}>
        <Header />
        {stage === 'open' || !scan ? (
          <OpenPage />
        ) : (
          <main class="work" data-stage={stage}>
            <Tools />
            <Views />
            {/* Another step, or a run that begins, is read from the top. */}
            <aside key={`${stage} ${begun}`} class="panel" aria-label={stage}>
              {stage === 'annotate' && (
                <>
                  <SlicePanel />
                  <ClassesPanel />
                </>
              )}
              {stage === 'train' && <TrainPanel />}
              {stage === 'take' && <TakePanel />}
              <DisplayPanel />
            </aside>
          </main>
        )}
      </div>
      <Notices />
      <Busy />
      <Help />
    </div>
  );
}
