// SPDX-License-Identifier: MIT
// The page: its frame, and which part of it is seen.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
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
  const [over, setOver] = useState(false);
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
      <Header />
      {stage === 'open' || !scan ? (
        <OpenPage />
      ) : (
        <main class="work">
          <Tools />
          <Views />
          <aside class="panel" aria-label={stage}>
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
      <Notices />
      <Busy />
      <Help />
    </div>
  );
}
