// SPDX-License-Identifier: MIT
// Slices on their way to the worker: the newest state of each, one message at a time, tried again with the next where it failed.
import type { SlicePlane } from '../../axes.ts';
import type { SliceEdit } from '../protocol.ts';
import type { Studio } from './studio.ts';

interface Waiting {
  /** Of the scan. */
  readonly name: string;
  readonly edit: SliceEdit;
}

export class Saver {
  private waiting = new Map<string, Waiting>();
  private running: Promise<void> | null = null;

  constructor(private readonly studio: Studio) {}

  save(plane: SlicePlane, index: number): void {
    const { scan } = this.studio.store.get();
    if (!scan) return;
    const { name } = scan.info,
      key = `${plane} ${index} ${name}`;
    const labels = scan.drawing.sliceOf(plane, index).data;
    this.waiting.delete(key); // the order of slices is that of their last change: planes share voxels
    this.waiting.set(key, { name, edit: { plane, index, labels, annotated: scan.drawing.isAnnotated(plane, index) } });
    this.running ??= this.run();
    this.count(0);
  }

  /** Resolves when all is stored, or could not be: then false, and it was told why. What failed before is tried again. */
  async idle(): Promise<boolean> {
    if (this.waiting.size > 0) this.running ??= this.run();
    await this.running;
    return this.waiting.size === 0;
  }

  private async run(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 100)); // a stroke is often followed by another
    while (this.waiting.size > 0) {
      const [{ name }] = this.waiting.values();
      const batch = [...this.waiting].filter(([, w]) => w.name === name);
      for (const [key] of batch) this.waiting.delete(key);
      this.count(batch.length);
      const edits = batch.map(([, { edit }]) => edit);
      const stuck = !(await this.studio.told(() => this.studio.worker.annotate(name, edits)));
      this.studio.store.set({ stuck });
      if (!stuck) continue;
      this.waiting = new Map([...batch.filter(([key]) => !this.waiting.has(key)), ...this.waiting]);
      break;
    }
    this.running = null;
    this.count(0);
  }

  private count(under: number): void {
    this.studio.store.set({ unsaved: this.waiting.size + under });
  }
}
