// SPDX-License-Identifier: MIT
// The page begins: first what the browser lacks, then the worker, then everything else.
import { proxy, wrap } from 'comlink';
import { render } from 'preact';
import { offered } from '../../gpu/offered.ts';
import type { StudioWorker } from '../protocol.ts';
import { App } from './app.tsx';
import { StudioContext } from './store.ts';
import { Studio } from './studio.ts';
import { Unsupported } from './unsupported.tsx';

const root = document.getElementById('page')!;

async function begin(): Promise<void> {
  const verdict = await offered();
  root.textContent = '';
  if (verdict !== 'ready') return render(<Unsupported verdict={verdict} />, root);
  const studio = new Studio(wrap<StudioWorker>(new Worker('worker.js', { type: 'module' })));
  const online = (): void => studio.store.set({ online: navigator.onLine });
  addEventListener('online', online);
  addEventListener('offline', online);
  online();
  addEventListener('beforeunload', (e) => {
    if (studio.store.get().unsaved > 0) e.preventDefault();
  });
  render(
    <StudioContext.Provider value={studio}>
      <App />
    </StudioContext.Provider>,
    root,
  );
  await studio.told(async () => {
    await studio.worker.listen(proxy((event) => studio.hear(event)));
    studio.store.set({ device: await studio.worker.device() });
  });
  // The page for visits without a network.
  await navigator.serviceWorker?.register('sw.js').catch(() => undefined);
  // Drawing and training are kept where a browser may clear them when space is short, unless it is asked not to.
  await navigator.storage?.persist?.().catch(() => false);
}

void begin();
