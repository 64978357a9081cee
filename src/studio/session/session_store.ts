// SPDX-License-Identifier: MIT
// Sessions in the origin's private file system, a folder each: session.json, `data` (a data set as nnU-Net lays it out), `labels` (what is
// being drawn, a byte a voxel), `runs/N`, `masks`, `dicom`. One tab holds a session at a time.
import { VoxelgradError } from '../../errors.ts';
import { drawn, PageFolder } from '../../io/browser/folder.ts';
import { PageRun } from '../../io/browser/run.ts';
import type { SessionInfo } from '../protocol.ts';
import { newRecord, parseRecord, SESSION_FILE, type CaseRecord, type SessionRecord } from './record.ts';
import { runFacts } from './run_facts.ts';

const SESSIONS = 'voxelgrad-studio';

/** @throws VoxelgradError where the browser keeps nothing for the page, as Firefox in a private window */
async function sessionsFolder(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory().catch((cause: unknown) => {
    throw new VoxelgradError(
      'DATA',
      `session: this browser keeps no files for the page, got ${String(cause)}.`,
      'Use a window that is not private, and allow this site to store data (cookies) in the settings of the browser.',
      { cause },
    );
  });
  return root.getDirectoryHandle(SESSIONS, { create: true });
}

async function folderOf(id: string): Promise<PageFolder> {
  if (!/^[0-9a-f]{8}$/.test(id))
    throw new VoxelgradError('USAGE', `session: got the id ${JSON.stringify(id)}, expected one of sessions().`);
  const folder = await (await sessionsFolder()).getDirectoryHandle(id).catch((cause: unknown) => {
    throw new VoxelgradError('DATA', `session ${id}: is not there any more.`, 'Another tab may have removed it.', { cause });
  });
  return new PageFolder('session', folder);
}

/** Held by this tab until the function that it gives is called. @throws VoxelgradError BUSY */
function hold(id: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(`${SESSIONS}/${id}`, { ifAvailable: true }, (lock) => {
        if (!lock) throw new VoxelgradError('BUSY', 'session: another tab has it open.', 'Close it there, or go on there.');
        return new Promise<void>((release) => {
          resolve(release);
        });
      })
      .catch(reject);
  });
}

/** An open session: its folder, and its record, which is in the file what it is here. */
export class SessionStore {
  readonly id: string;
  readonly files: PageFolder;
  record: SessionRecord;
  private readonly release: () => void;
  private saving: Promise<void> = Promise.resolve();

  private constructor(id: string, files: PageFolder, record: SessionRecord, release: () => void) {
    this.id = id;
    this.files = files;
    this.record = record;
    this.release = release;
  }

  static async create(name: string): Promise<SessionStore> {
    const all = await sessionsFolder(), // first: where nothing is kept, locks are refused with less to say
      id = drawn(),
      release = await hold(id);
    try {
      const files = new PageFolder('session', await all.getDirectoryHandle(id, { create: true }));
      const store = new SessionStore(id, files, newRecord(name), release);
      await store.save({});
      return store;
    } catch (error) {
      release();
      await removeSession(id).catch(() => undefined);
      throw error;
    }
  }

  static async open(id: string): Promise<SessionStore> {
    const files = await folderOf(id),
      release = await hold(id);
    try {
      await files.removeLeftovers();
      return new SessionStore(id, files, parseRecord(await files.read(SESSION_FILE), 'session.json'), release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Changes the record, in the file first: what could not be saved has not happened. One after another. */
  save(change: Partial<SessionRecord> | ((before: SessionRecord) => Partial<SessionRecord>)): Promise<void> {
    const next = this.saving.then(async () => {
      const after = { ...this.record, ...(typeof change === 'function' ? change(this.record) : change), changed: Date.now() };
      await this.files.write(SESSION_FILE, `${JSON.stringify(after, null, 1)}\n`);
      this.record = after;
    });
    this.saving = next.catch(() => undefined);
    return next;
  }

  saveCase(name: string, change: (before: CaseRecord) => Partial<CaseRecord>): Promise<void> {
    return this.save(({ cases }) => ({ cases: cases.map((each) => (each.name === name ? { ...each, ...change(each) } : each)) }));
  }

  /** @throws VoxelgradError for a name that no case has */
  caseOf(name: string): CaseRecord {
    const found = this.record.cases.find((each) => each.name === name);
    if (!found) throw new VoxelgradError('USAGE', `session: no case named ${JSON.stringify(name)}.`);
    return found;
  }

  async run(number: number): Promise<PageRun> {
    return new PageRun(`run ${number}`, await this.files.directory(`runs/${number}`));
  }

  async close(): Promise<void> {
    await this.saving;
    this.release();
  }

  /** What could not be made goes again. */
  async discard(): Promise<void> {
    await this.close();
    await removeSession(this.id);
  }
}

export async function listSessions(open: string | undefined): Promise<SessionInfo[]> {
  const all = await sessionsFolder();
  const held = new Set((await navigator.locks.query()).held?.map(({ name }) => name));
  const found: SessionInfo[] = [];
  for await (const id of (all as unknown as { keys(): AsyncIterable<string> }).keys()) {
    try {
      const files = await folderOf(id);
      const { name, created, changed, cases, runs } = parseRecord(await files.read(SESSION_FILE), 'session.json');
      const bytes = (await files.list()).reduce((sum, { file }) => sum + file.size, 0);
      const run = await runFacts(files, runs);
      found.push({
        id,
        name,
        created,
        changed,
        bytes,
        cases: cases.length,
        ...(run && { run: { done: run.done, total: run.total, finished: run.finished } }),
        busy: id !== open && held.has(`${SESSIONS}/${id}`),
      });
    } catch {
      // A tab may be making or removing it now; what was left half made is removed by `removeSession` alone.
    }
  }
  return found.sort((a, b) => b.changed - a.changed);
}

export async function removeSession(id: string): Promise<void> {
  const release = await hold(id);
  try {
    await (await sessionsFolder()).removeEntry(id, { recursive: true });
  } finally {
    release();
  }
}
