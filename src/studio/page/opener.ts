// SPDX-License-Identifier: MIT
// Scans and sessions: opened, gone back to, thrown away.
import type { Triple } from '../../axes.ts';
import { Drawing } from '../annotate/drawing.ts';
import { colourOf, type Opened, type PathFile, type Session } from '../protocol.ts';
import { FITTED } from '../view/frame.ts';
import { windowFor } from '../view/windows.ts';
import type { Studio } from './studio.ts';

export class Opener {
  constructor(private readonly studio: Studio) {}

  /** What there is to go on with. */
  refresh = async (): Promise<void> => {
    const { worker, store } = this.studio;
    await this.studio.draw.saved();
    await this.studio.told(async () => {
      const [open, sessions, served] = [store.get().session && (await worker.session()), await worker.sessions(), await worker.served()];
      const same = open?.id === store.get().session?.id; // another one may have been opened meanwhile
      store.set({ sessions, served, ...(same && { session: open }) });
    });
  };

  files = (files: readonly PathFile[]): Promise<void> => {
    const session = files.length === 1 && /\.zip$/i.test(files[0].path) ? files[0] : undefined;
    return session ? this.imported(session) : this.added(() => this.studio.worker.addFiles(files));
  };
  phantom = (): Promise<void> => this.added(() => this.studio.worker.addPhantom());
  served = (paths: readonly string[]): Promise<void> => this.added(() => this.studio.worker.addServed(paths));

  /** Goes on with a session that this browser keeps. */
  session = async (id: string): Promise<void> => {
    if (!(await this.studio.draw.saved())) return;
    const session = await this.studio.busy('Opening the session', () => this.studio.worker.openSession(id));
    if (session) await this.entered(session);
  };
  close = async (): Promise<void> => {
    const { store, worker } = this.studio;
    if (!(await this.studio.draw.saved())) return;
    await this.studio.busy('Closing the session', () => worker.closeSession());
    store.set({ session: null, scan: null, training: null, caseMask: null, sliceMasks: {}, proposal: null, taken: [], stage: 'open' });
    await this.refresh();
  };
  remove = async (id: string): Promise<void> => {
    await this.studio.busy('Throwing the session away', () => this.studio.worker.removeSession(id));
    await this.refresh();
  };

  /** Another scan of the session. */
  scan = async (name: string): Promise<void> => {
    const { store, worker, draw, train } = this.studio;
    if (!(await draw.saved())) return;
    await this.studio.busy('Reading the scan', async () => {
      const [session, voxels, labels, mask] = await Promise.all([
        worker.session(),
        worker.voxels(name),
        worker.annotation(name),
        worker.mask(name),
      ]);
      const info = session.cases.find((c) => c.name === name)!;
      const size: Triple = [...info.size],
        spacing: Triple = [...info.spacing];
      const before = store.get();
      store.set({
        session,
        scan: { info, voxels, drawing: new Drawing(size, spacing, labels, info.annotated) },
        cross: size.map((n) => n >> 1) as Triple,
        zoom: { transverse: FITTED, coronal: FITTED, sagittal: FITTED },
        window: before.scan ? before.window : windowFor(voxels),
        drawn: before.drawn + 1,
        polygon: null,
        sliceMasks: {},
        caseMask: mask?.run === session.training.run ? mask : null, // else it is of networks that knew less
        proposal: null,
        stage: before.stage === 'open' ? 'annotate' : before.stage,
      });
      for (const message of info.remarks) this.studio.tell({ message }, 'info');
    });
    train.lookedAt();
  };

  /** Adds a class, or changes names and colours. */
  classes = async (change: (classes: Session['classes']) => Session['classes']): Promise<void> => {
    const { store, worker } = this.studio;
    const session = await this.studio.told(() => worker.setClasses(change(store.get().session!.classes)));
    const before = store.get();
    const more = session && session.classes.length !== before.session!.classes.length; // other plans than those that were timed
    if (session) store.set({ session, drawn: before.drawn + 1, ...(more && { estimates: {} }) });
  };
  addClass = (): Promise<void> =>
    this.classes((classes) => [...classes, { name: `class ${classes.length}`, colour: colourOf(classes.length) }]);

  private async imported({ path, file }: PathFile): Promise<void> {
    if (!(await this.studio.draw.saved())) return;
    const info = await this.studio.busy('Reading the session', () => this.studio.worker.importSession(file, path.replace(/\.zip$/i, '')));
    if (info) await this.session(info.id);
  }

  private async added(add: () => Promise<Opened>): Promise<void> {
    if (!(await this.studio.draw.saved())) return;
    const opened = await this.studio.busy('Opening', add);
    if (!opened) return;
    for (const problem of opened.problems) this.studio.tell(problem);
    if (opened.added.length > 0) await this.entered(opened.session, opened.added[0]);
  }

  private async entered(session: Session, name = session.cases[0]?.name): Promise<void> {
    const { store } = this.studio,
      { value, session: before } = store.get();
    // Of another session: its classes may be fewer. What was timed was timed for other scans.
    const own = before?.id === session.id ? {} : { picked: null, pace: null, taken: [] };
    store.set({ session, training: session.training, value: Math.min(value, session.classes.length - 1), estimates: {}, ...own });
    if (name) await this.scan(name);
  }
}
