// SPDX-License-Identifier: MIT
// The page's hands: the state, the worker, and what both need of one another. Components call these and hold no state of their own.
import type { Failure, StudioEvent, StudioWorker } from '../protocol.ts';
import { Drawer } from './drawer.ts';
import { Looker } from './looker.ts';
import { Opener } from './opener.ts';
import { FIRST_STATE } from './state.ts';
import { Store } from './store.ts';
import { Taker } from './taker.ts';
import { Trainer } from './trainer.ts';

/** The worker as comlink gives it; a test gives an object. */
export type Worker = { readonly [K in keyof StudioWorker]: StudioWorker[K] };

const WORKS = {
  open: 'Opening files',
  read: 'Reading scans',
  compile: 'Compiling kernels',
  predict: 'Making the mask',
  export: 'Writing the file',
} as const;

export class Studio {
  readonly store = new Store(FIRST_STATE);
  readonly look = new Looker(this);
  readonly draw = new Drawer(this);
  readonly open = new Opener(this);
  readonly train = new Trainer(this);
  readonly take = new Taker(this);
  private notices = 0;

  constructor(readonly worker: Worker) {}

  /** Runs a piece of work that the page waits for; what goes wrong is told, and undefined comes back. */
  async busy<T>(text: string, work: () => Promise<T>): Promise<T | undefined> {
    this.store.set({ busy: { text } });
    try {
      return await this.told(work);
    } finally {
      this.store.set({ busy: null });
    }
  }

  /** As `busy`, behind the person's back. */
  async told<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (failure) {
      this.tell(failure as Failure);
      return undefined;
    }
  }

  tell({ message, hint }: Pick<Failure, 'message' | 'hint'>, kind: 'error' | 'info' = 'error'): void {
    const { notices } = this.store.get();
    if (notices.some((n) => n.message === message)) return;
    this.store.set({ notices: [...notices, { id: ++this.notices, kind, message, ...(hint && { hint }) }].slice(-4) });
  }
  dismiss(id: number): void {
    this.store.set({ notices: this.store.get().notices.filter((n) => n.id !== id) });
  }

  hear(event: StudioEvent): void {
    const { busy, timing } = this.store.get();
    if (event.kind === 'progress') {
      if (event.work === 'estimate') this.store.set({ timing: timing && { ...timing, done: event.done, total: event.total } });
      else if (busy) this.store.set({ busy: { text: WORKS[event.work], done: event.done, total: event.total } });
    } else if (event.kind === 'remark') this.tell(event, 'info');
    else this.train.hear(event);
  }
}
