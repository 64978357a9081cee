// SPDX-License-Identifier: MIT
// Files to take away. The browser's own download saves them; the page keeps what was said of each.
import type { ExportChoice } from '../protocol.ts';
import type { Studio } from './studio.ts';

export class Taker {
  constructor(private readonly studio: Studio) {}

  refresh = async (): Promise<void> => {
    const { store, worker } = this.studio;
    await this.studio.draw.saved();
    await this.studio.told(async () => store.set({ training: await worker.training() }));
  };

  file = async (choice: ExportChoice): Promise<void> => {
    const { store, worker, train } = this.studio;
    if (!(await this.studio.draw.saved())) return;
    if (choice.what === 'mask' && !this.fresh()) await train.predict();
    if (choice.what === 'mask' && !store.get().caseMask) return; // it was said why
    const file = await this.studio.busy('Writing the file', () => worker.exportFile(choice));
    if (!file) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(file.blob);
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    store.set({ taken: [file, ...store.get().taken.filter((f) => f.name !== file.name)].slice(0, 8) });
  };

  /** The kept mask is of the newest weights. */
  fresh(): boolean {
    const { caseMask, training } = this.studio.store.get();
    return !!caseMask && caseMask.run === training?.run && caseMask.iteration === training.done;
  }
}
