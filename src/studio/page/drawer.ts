// SPDX-License-Identifier: MIT
// Drawing on the scan: what each tool does when it is put down, moved and lifted, and the actions on whole slices.
import type { SlicePlane } from '../../axes.ts';
import { stroke, type Brush, type Point } from '../annotate/brush.ts';
import { fillAll, fillPolygon, flood } from '../annotate/fill.ts';
import type { Ground } from '../annotate/gate.ts';
import type { Step } from '../annotate/history.ts';
import { slice, spacingOf, type Bitmap } from '../annotate/planes.ts';
import { Saver } from './saver.ts';
import { drawnPlane, indexOf, type Scan, type State } from './state.ts';
import type { Studio } from './studio.ts';

/** A stroke under way, with the tool that began it. */
interface Stroke {
  readonly tool: 'brush' | 'eraser';
  readonly brush: Brush;
  readonly plane: SlicePlane;
  readonly index: number;
  readonly before: Uint8Array;
  readonly bitmap: Bitmap;
  readonly ground: Ground;
  last: Point;
}

export class Drawer {
  private readonly saver: Saver;
  private stroke: Stroke | null = null;

  constructor(private readonly studio: Studio) {
    this.saver = new Saver(studio);
  }
  private get state(): State {
    return this.studio.store.get();
  }
  private set(change: Partial<State>): void {
    this.studio.store.set(change);
  }
  /** Whether all that is drawn is stored, when that is known. Nothing that reads what is stored may begin before it is. */
  saved = (): Promise<boolean> => this.saver.idle();

  /** The tool, or the end of a pen that erases, touches the slice. @returns whether it does anything there by being drawn along */
  down(plane: SlicePlane, at: Point, erases = false): boolean {
    const { scan, value, radius, polygon } = this.state,
      tool = erases ? 'eraser' : this.state.tool;
    if (!scan) return false;
    const index = indexOf(this.state, plane);
    if (tool === 'brush' || tool === 'eraser') {
      const bitmap = scan.drawing.sliceOf(plane, index),
        brush = { radius, value: tool === 'eraser' ? 0 : value, spacing: spacingOf(scan.drawing.spacing, plane) };
      this.stroke = { tool, brush, plane, index, bitmap, before: bitmap.data.slice(), ground: this.ground(scan, plane, index), last: at };
      this.move(at);
      return true;
    }
    if (tool === 'flood') {
      const { gate } = this.state;
      this.edit('fill within HU', plane, (bitmap) => flood(bitmap, at, value, this.ground(scan, plane, index).hu, gate));
    } else if (tool === 'polygon') {
      const points = polygon?.plane === plane && polygon.index === index ? polygon.points : [];
      this.set({ polygon: { plane, index, points: [...points, at] } });
    }
    return false;
  }

  move(at: Point): void {
    const { stroke: now } = this;
    const { scan, drawn } = this.state;
    if (!now || !scan) return;
    stroke(now.bitmap, now.last, at, now.brush, now.ground);
    now.last = at;
    scan.drawing.show(now, now.bitmap.data);
    this.set({ drawn: drawn + 1 });
  }

  /** A stroke ends; nothing where none is under way. */
  up(): void {
    const { stroke: now } = this;
    const { scan } = this.state;
    this.stroke = null;
    if (now && scan?.drawing.change(now.tool, now, now.bitmap.data, undefined, now.before)) this.changed(now.plane, now.index);
  }
  /** Two fingers came down: what one of them had drawn was not meant. */
  cancel(): void {
    const { stroke: now } = this;
    this.stroke = null;
    if (!now) return;
    this.state.scan?.drawing.show(now, now.before);
    this.set({ drawn: this.state.drawn + 1 });
  }

  closePolygon = (): void => {
    const { polygon, value } = this.state;
    if (!polygon) return;
    this.set({ polygon: null });
    if (polygon.points.length < 3) return;
    this.edit('polygon', polygon.plane, (bitmap, ground) => fillPolygon(bitmap, polygon.points, value, ground));
  };
  dropPolygon = (): void => this.set({ polygon: null });

  fillSlice = (): void => {
    const { value } = this.state;
    this.edit('fill the slice', drawnPlane(this.state), (bitmap, ground) => fillAll(bitmap, value, ground));
  };
  /** The slice is as if nobody had looked at it. */
  clearSlice = (): void => {
    const { scan } = this.state,
      plane = drawnPlane(this.state);
    if (scan)
      this.replace('clear the slice', plane, new Uint8Array(scan.drawing.sliceOf(plane, indexOf(this.state, plane)).data.length), false);
  };

  /** "Nothing here", or what is drawn is all there is; pressed again, the slice is not annotated any more. */
  markSlice = (): void => {
    const plane = drawnPlane(this.state);
    const marked = this.state.scan?.drawing.isAnnotated(plane, indexOf(this.state, plane));
    this.edit(marked ? 'not annotated' : 'annotated', plane, () => {}, !marked);
  };

  copyNeighbour = (): void => {
    const { scan } = this.state;
    const plane = drawnPlane(this.state);
    const from = scan?.drawing.neighbour(plane, indexOf(this.state, plane));
    if (from === undefined) return this.studio.tell({ message: 'There is no other annotated slice in this plane to copy from.' }, 'info');
    this.replace(`copy of slice ${from + 1}`, plane, scan!.drawing.sliceOf(plane, from).data);
  };
  acceptSuggestion = (): void => {
    const plane = drawnPlane(this.state);
    const suggestion = this.state.scan?.drawing.suggestion(plane, indexOf(this.state, plane));
    if (!suggestion)
      return this.studio.tell({ message: 'A suggestion lies between two annotated slices of a plane; this slice does not.' }, 'info');
    this.replace('suggestion', plane, suggestion);
  };
  /** The networks' mask of the slice, to be mended. */
  acceptMask = (): void => {
    const plane = drawnPlane(this.state);
    const mask = this.studio.train.maskOf(plane);
    if (!mask) return this.studio.tell({ message: 'There is no mask of this slice yet: train first.' }, 'info');
    this.replace('mask of the networks', plane, mask);
  };

  undo = (): void => {
    this.up();
    this.replayed(this.state.scan?.drawing.undo());
  };
  redo = (): void => {
    this.up();
    this.replayed(this.state.scan?.drawing.redo());
  };

  private ground({ voxels, drawing }: Scan, plane: SlicePlane, index: number): Ground {
    const { gated, gate } = this.state;
    return { hu: slice<Int16Array | Float32Array>(voxels.data, drawing.size, plane, index).data, gate: gated ? gate : null };
  }

  /** Other labels for the slice, but where annotated slices of the other plane go through it: they say what is there. */
  private replace(name: string, plane: SlicePlane, labels: Uint8Array, marked = true): void {
    const { drawing } = this.state.scan!,
      after = drawing.over(plane, indexOf(this.state, plane), labels);
    if (after.some((v, i) => v !== labels[i]))
      this.studio.tell(
        { message: `What annotated ${plane === 'transverse' ? 'coronal' : 'transverse'} slices say of this slice stays.` },
        'info',
      );
    this.edit(name, plane, ({ data }) => data.set(after), marked);
  }

  /** @param marked whether the slice is annotated then; left out, it is if anything was painted */
  private edit(name: string, plane: SlicePlane, work: (bitmap: Bitmap, ground: Ground) => void, marked?: boolean): void {
    const { scan } = this.state;
    if (!scan) return;
    this.up(); // a key pressed during a stroke: the stroke is whole first
    const index = indexOf(this.state, plane);
    const bitmap = scan.drawing.sliceOf(plane, index);
    work(bitmap, this.ground(scan, plane, index));
    if (scan.drawing.change(name, { plane, index }, bitmap.data, marked)) this.changed(plane, index);
  }

  private replayed(step: Step | undefined): void {
    if (!step) return;
    if (this.state.main !== step.plane) this.studio.look.enlarge(step.plane);
    this.studio.look.to(step.plane, step.index);
    this.changed(step.plane, step.index);
  }

  private changed(plane: SlicePlane, index: number): void {
    this.set({ drawn: this.state.drawn + 1 });
    this.saver.save(plane, index);
  }
}
