// SPDX-License-Identifier: MIT
// The worker's side of the protocol: the open session, one piece of GPU work at a time, and failures in plain words.
import type { Plane, SlicePlane } from '../../axes.ts';
import { transfer } from 'comlink';
import { VoxelgradError } from '../../errors.ts';
import { openDevice } from '../../gpu/device.ts';
import type * as protocol from '../protocol.ts';
import { annotate, caseInfo, drawnOn, voxelsOf } from './cases.ts';
import { estimate, reportOf } from './estimate.ts';
import { exportFile } from './exports.ts';
import { addFiles, addSample, removeCase, sessionName, type Incoming } from './incoming.ts';
import { Masks } from './masks.ts';
import { Queue } from './queue.ts';
import { newRecord } from './record.ts';
import { servedFiles, servedList } from './served.ts';
import { importedSession } from './session_file.ts';
import { listSessions, removeSession, SessionStore } from './session_store.ts';
import { Trainer } from './trainer.ts';

interface Open {
  readonly store: SessionStore;
  readonly trainer: Trainer;
  readonly masks: Masks;
}

const usage = (message: string, hint?: string): VoxelgradError => new VoxelgradError('USAGE', message, hint);

export class Studio implements protocol.StudioWorker {
  private readonly gpu = new Queue();
  /** Opening, closing and bringing in: one after another. */
  private readonly doors = new Queue();
  private at: Open | undefined;
  /** Calls the last timing off. */
  private timing = new AbortController();
  private report: protocol.DeviceReport | undefined;
  private hear: ((event: protocol.StudioEvent) => void) | undefined;
  private readonly emit = (event: protocol.StudioEvent): void => {
    this.hear?.(event);
    if (event.kind === 'training' && event.status !== 'running') this.at?.masks.forget();
  };

  async listen(listener: (event: protocol.StudioEvent) => void): Promise<void> {
    this.hear = listener;
  }

  // Device and space

  device(): Promise<protocol.DeviceReport> {
    return this.gpu.run(async () => {
      if (!this.report) {
        this.refuseWhileTraining('device');
        using device = await openDevice();
        this.report = reportOf(device);
      }
      return this.report;
    });
  }

  async storage(): Promise<protocol.StorageReport> {
    const { usage: used = 0, quota = 0 } = await navigator.storage.estimate();
    return { used, quota, persisted: await navigator.storage.persisted() };
  }

  estimate(preset: protocol.StudioPreset): Promise<protocol.Estimate | null> {
    return this.gpu.run(async () => {
      if (this.at?.trainer.isRunning) return null;
      this.at?.masks.release();
      this.timing = new AbortController();
      return estimate(preset, this.at?.store.record ?? newRecord('none'), this.emit, this.timing.signal);
    });
  }

  // Sessions

  sessions(): Promise<readonly protocol.SessionInfo[]> {
    return listSessions(this.at?.store.id);
  }

  createSession(name: string): Promise<protocol.Session> {
    return this.doors.run(async () => {
      const store = await SessionStore.create(name); // first: where there is no room for it, what is open stays
      await this.leave();
      return this.enter(store);
    });
  }

  openSession(id: string): Promise<protocol.Session> {
    return this.doors.run(async () => {
      if (this.at?.store.id === id) return this.session();
      const store = await SessionStore.open(id); // first: where another tab has it, this one keeps what it has
      await this.leave();
      return this.enter(store);
    });
  }

  closeSession(): Promise<void> {
    return this.doors.run(() => this.leave());
  }

  async renameSession(name: string): Promise<void> {
    await this.open.store.save({ name });
  }

  async removeSession(id: string): Promise<void> {
    if (this.at?.store.id === id) await this.closeSession();
    await removeSession(id);
  }

  importSession(file: Blob, name: string): Promise<protocol.SessionInfo> {
    return this.doors.run(async () => {
      const id = await importedSession(file, name);
      return (await this.sessions()).find((each) => each.id === id)!;
    });
  }

  async session(): Promise<protocol.Session> {
    const { store, trainer } = this.open,
      { name, classes, cases } = store.record;
    return { id: store.id, name, classes, cases: cases.map(caseInfo), training: await trainer.training() };
  }

  // Cases

  addFiles(files: readonly protocol.PathFile[]): Promise<protocol.Opened> {
    return this.bringIn(sessionName(files), (store) =>
      addFiles(store, files, (done, total) => {
        this.emit({ kind: 'progress', work: 'open', done, total });
      }),
    );
  }

  addPhantom(): Promise<protocol.Opened> {
    return this.bringIn('sample', addSample);
  }

  served(): Promise<readonly protocol.ServedFile[] | null> {
    return servedList();
  }

  async addServed(paths: readonly string[]): Promise<protocol.Opened> {
    return this.addFiles(await servedFiles(paths));
  }

  async removeCase(name: string): Promise<protocol.Session> {
    this.refuseWhileTraining('removeCase');
    await removeCase(this.open.store, name);
    return this.session();
  }

  async voxels(name: string): Promise<protocol.Voxels> {
    const found = await voxelsOf(this.open.store, name);
    return transfer(found, [found.data.buffer]);
  }

  async annotation(name: string): Promise<Uint8Array> {
    const labels = await drawnOn(this.open.store, name);
    return transfer(labels, [labels.buffer]);
  }

  async annotate(name: string, slices: readonly protocol.SliceEdit[]): Promise<protocol.CaseInfo> {
    return annotate(this.open.store, name, slices);
  }

  async setClasses(classes: readonly protocol.ClassInfo[]): Promise<protocol.Session> {
    const { store } = this.open,
      { classes: before, runs } = store.record;
    const names = classes.map(({ name }) => name.trim());
    if (names.length < 2 || names.some((name) => name === '' || name === 'ignore') || new Set(names).size < names.length)
      throw usage(
        `setClasses: got ${JSON.stringify(names)}, expected background and at least one other, all different, none called "ignore".`,
      );
    if (classes.length < before.length)
      throw usage(`setClasses: got ${classes.length} classes, expected the ${before.length} that are there.`);
    const renamed = classes.length !== before.length || before.some(({ name }, i) => name !== names[i]);
    if (renamed && runs.length > 0)
      throw usage('setClasses: a run was begun with the classes as they are.', 'Make a new session for others.');
    await store.save(({ dirty }) => ({
      classes: classes.map(({ colour, meaning }, i) => ({ name: names[i], colour, ...(meaning && { meaning }) })),
      dirty: dirty || renamed,
    }));
    return this.session();
  }

  // Training

  async training(): Promise<protocol.Training> {
    return this.open.trainer.training();
  }

  async start(choice: protocol.TrainChoice): Promise<protocol.Training> {
    const software = this.report?.software ?? (await this.device()).software;
    return this.begin(({ trainer }) => trainer.start(choice, software));
  }

  goOn(): Promise<protocol.Training> {
    return this.begin(({ trainer }) => trainer.goOn());
  }

  async pause(): Promise<protocol.Training> {
    return this.open.trainer.pause();
  }

  async stop(): Promise<protocol.Training> {
    return this.open.trainer.stop();
  }

  // Masks

  async sliceMask(name: string, view: Plane, index: number): Promise<protocol.SliceMask | null> {
    const { trainer, masks } = this.open;
    if (trainer.isRunning) return masks.later(name, view, index);
    return this.gpu.run(() => (trainer.isRunning ? masks.later(name, view, index) : masks.now(name, view, index)));
  }

  predict(name: string): Promise<protocol.CaseMask> {
    const { masks } = this.open;
    return this.gpu.run(() => {
      this.refuseWhileTraining('predict');
      return masks.predict(name);
    });
  }

  async mask(name: string): Promise<protocol.CaseMask | null> {
    return this.open.masks.mask(name);
  }

  async propose(name: string, plane: SlicePlane): Promise<{ readonly index: number; readonly agreement: number | null } | null> {
    return this.open.masks.propose(name, plane);
  }

  async exportFile(choice: protocol.ExportChoice): Promise<protocol.Export> {
    const { store, masks } = this.open;
    if (choice.what === 'session') this.refuseWhileTraining('export');
    return exportFile(store, masks, choice, (done, total) => {
      this.emit({ kind: 'progress', work: 'export', done, total });
    });
  }

  private get open(): Open {
    if (!this.at) throw usage('session: none is open.', 'Open one, or drop a scan.');
    return this.at;
  }

  private refuseWhileTraining(what: string): void {
    if (this.at?.trainer.isRunning) throw usage(`${what}: training is under way.`, 'Pause it first.');
  }

  /** Training takes the device when nothing else has it; what waits behind it then finds it running. */
  private begin(work: (open: Open) => Promise<protocol.Training>): Promise<protocol.Training> {
    const { open } = this;
    this.timing.abort();
    return this.gpu.run(() => {
      open.masks.release();
      return work(open);
    });
  }

  private enter(store: SessionStore): Promise<protocol.Session> {
    const masks = new Masks(store, this.emit);
    this.at = { store, masks, trainer: new Trainer(store, this.emit, (iteration, plan) => masks.visit(iteration, plan)) };
    return this.session();
  }

  private async leave(): Promise<void> {
    const { at } = this;
    if (!at) return;
    this.timing.abort();
    await at.trainer.pause();
    await this.gpu.run(async () => {
      at.masks.forget();
      at.masks.release();
    });
    this.at = undefined;
    await at.store.close();
  }

  private bringIn(name: string, work: (store: SessionStore) => Promise<Incoming>): Promise<protocol.Opened> {
    return this.doors.run(async () => {
      this.refuseWhileTraining('add');
      if (!this.at) await this.enter(await SessionStore.create(name || 'session'));
      const { added, problems } = await work(this.open.store);
      return { session: await this.session(), added, problems };
    });
  }
}
