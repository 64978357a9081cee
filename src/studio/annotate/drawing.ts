// SPDX-License-Identifier: MIT
// The annotation of one scan: classes drawn, and the slices that a person called annotated. Every change goes through `change`.
import type { SlicePlane, Triple } from '../../axes.ts';
import { between } from './interpolate.ts';
import { differences, History, restore, type Step } from './history.ts';
import { axisOf, putSlice, slice, spacingOf, type Bitmap } from './planes.ts';

/** A slice that changed: what has to be stored. */
export interface Changed {
  readonly plane: SlicePlane;
  readonly index: number;
}

export class Drawing {
  readonly history = new History();
  /** Counts changes: what was made of the drawing is out of date when it differs. A stroke under way does not count. */
  revision = 0;
  readonly annotated: Readonly<Record<SlicePlane, Set<number>>>;

  constructor(
    readonly size: Triple,
    readonly spacing: Triple,
    readonly labels: Uint8Array = new Uint8Array(size[0] * size[1] * size[2]),
    annotated: Readonly<Record<SlicePlane, readonly number[]>> = { transverse: [], coronal: [] },
  ) {
    this.annotated = { transverse: new Set(annotated.transverse), coronal: new Set(annotated.coronal) };
  }

  sliceOf(plane: SlicePlane, index: number): Bitmap {
    return slice(this.labels, this.size, plane, index);
  }

  isAnnotated = (plane: SlicePlane, index: number): boolean => this.annotated[plane].has(index);

  /** Share of the scan's voxels on annotated slices, each voxel counted once. */
  share(): number {
    const [D, H] = this.size,
      t = this.annotated.transverse.size / D,
      c = this.annotated.coronal.size / H;
    return t + c - t * c;
  }

  /** Shows a stroke under way: nothing is annotated or remembered until `change`. */
  show({ plane, index }: Changed, bitmap: Uint8Array): void {
    putSlice(this.labels, this.size, plane, index, bitmap);
  }

  /**
   * Puts a slice as it is after an action, and whether it counts as annotated from now on; left out, it does if anything changed: a tool
   * that found nothing to paint says nothing of the slice. `before` is the slice before a stroke that was shown meanwhile.
   * @returns false if nothing changed
   */
  change(name: string, { plane, index }: Changed, after: Uint8Array, said?: boolean, before = this.sliceOf(plane, index).data): boolean {
    const runs = differences(before, after);
    const was = this.isAnnotated(plane, index),
      marked = said ?? (was || runs.start.length > 0);
    if (runs.start.length === 0 && was === marked) return false;
    this.history.push({ name, plane, index, marked: [was, marked], runs });
    putSlice(this.labels, this.size, plane, index, after);
    this.mark(plane, index, marked);
    return true;
  }

  /** A slice with other labels, but for the rows that annotated slices of the other plane go through: those stay what a person said. */
  over(plane: SlicePlane, index: number, labels: Uint8Array): Uint8Array {
    const { data, width } = this.sliceOf(plane, index);
    const out = labels.slice();
    for (const row of this.annotated[plane === 'transverse' ? 'coronal' : 'transverse'])
      out.set(data.subarray(row * width, (row + 1) * width), row * width);
    return out;
  }

  /** @returns the step taken back or done again, for the view to go there */
  undo(): Step | undefined {
    return this.replay(this.history.undo(), 'before');
  }
  redo(): Step | undefined {
    return this.replay(this.history.redo(), 'after');
  }

  /** The nearest other annotated slice; of two as near, the lower one. */
  neighbour(plane: SlicePlane, index: number): number | undefined {
    return [...this.annotated[plane]]
      .filter((k) => k !== index)
      .sort((a, b) => Math.abs(a - index) - Math.abs(b - index) || a - b)
      .at(0);
  }

  /** What lies between the annotated slices around this one, by their shapes; undefined where it is annotated or not between two. */
  suggestion(plane: SlicePlane, index: number): Uint8Array | undefined {
    if (this.isAnnotated(plane, index)) return undefined;
    const known = [...this.annotated[plane]];
    const below = Math.max(...known.filter((k) => k < index)),
      above = Math.min(...known.filter((k) => k > index));
    if (!Number.isFinite(below) || !Number.isFinite(above)) return undefined;
    const t = (index - below) / (above - below);
    return this.over(plane, index, between(this.sliceOf(plane, below), this.sliceOf(plane, above), t, spacingOf(this.spacing, plane)));
  }

  /** Number of slices of a plane. */
  count = (plane: SlicePlane): number => this.size[axisOf(plane)];

  private replay(step: Step | undefined, side: 'before' | 'after'): Step | undefined {
    if (!step) return undefined;
    const { data } = this.sliceOf(step.plane, step.index);
    restore(step.runs, data, side);
    putSlice(this.labels, this.size, step.plane, step.index, data);
    this.mark(step.plane, step.index, step.marked[side === 'before' ? 0 : 1]);
    return step;
  }

  private mark(plane: SlicePlane, index: number, marked: boolean): void {
    this.revision++;
    if (marked) this.annotated[plane].add(index);
    else this.annotated[plane].delete(index);
  }
}
