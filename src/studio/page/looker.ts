// SPDX-License-Identifier: MIT
// Moving about in the scan: slices, cross-hairs, zoom, window.
import type { Plane, Triple } from '../../axes.ts';
import { axesAlong, axisOf } from '../annotate/planes.ts';
import { FITTED, zoomedAt } from '../view/frame.ts';
import { dragged, type Window } from '../view/windows.ts';
import type { Point } from '../annotate/brush.ts';
import type { Studio } from './studio.ts';
import { indexOf, type Shown, type Stage, type State, type ToolName } from './state.ts';

const VIEWS = ['transverse', 'coronal', 'sagittal', 'space'] as const;

export class Looker {
  constructor(private readonly studio: Studio) {}
  private get state(): State {
    return this.studio.store.get();
  }
  private set(change: Partial<State>): void {
    this.studio.store.set(change);
  }

  stage = (stage: Stage): void => {
    this.set({ stage });
    if (stage === 'take') void this.studio.take.refresh();
    if (stage === 'open') void this.studio.open.refresh();
  };
  tool = (tool: ToolName): void => this.set({ tool, polygon: null });

  /** The cross-hairs, kept within the scan. */
  cross(to: Triple): void {
    const { scan, cross, polygon } = this.state;
    if (!scan) return;
    const next = to.map((v, a) => Math.min(scan.voxels.size[a] - 1, Math.max(0, Math.round(v)))) as Triple;
    if (next.every((v, a) => v === cross[a])) return;
    this.studio.draw.up(); // a stroke belongs to its slice
    const moved = polygon && next[axisOf(polygon.plane)] !== polygon.index;
    this.set({ cross: next, ...(moved && { polygon: null }) });
    this.studio.train.lookedAt();
  }
  to(plane: Plane, index: number): void {
    const next: Triple = [...this.state.cross];
    next[axisOf(plane)] = index;
    this.cross(next);
  }
  step = (plane: Plane, by: number): void => this.to(plane, indexOf(this.state, plane) + by);
  /** Moves the cross-hairs within a plane, by screen pixels of a slice: right and down. */
  nudge(plane: Plane, right: number, down: number): void {
    const [u, v] = axesAlong(plane);
    const next: Triple = [...this.state.cross];
    next[u] -= right;
    next[v] -= down;
    this.cross(next);
  }
  point(plane: Plane, [u, v]: Point): void {
    const [a, b] = axesAlong(plane);
    const next: Triple = [...this.state.cross];
    next[a] = u;
    next[b] = v;
    this.cross(next);
  }
  /** What lies under the pointer. */
  hover(plane: Plane, point: Point | null): void {
    const { scan, cross, under } = this.state;
    if (!scan || !point) {
      if (under) this.set({ under: null });
      return;
    }
    const [a, b] = axesAlong(plane);
    const voxel: Triple = [...cross];
    [voxel[a], voxel[b]] = [Math.round(point[0]), Math.round(point[1])];
    const { size, data } = scan.voxels;
    const inside = voxel.every((v, axis) => v >= 0 && v < size[axis]);
    this.set({ under: inside ? { hu: data[(voxel[0] * size[1] + voxel[1]) * size[2] + voxel[2]], voxel } : null });
  }

  enlarge = (main: State['main']): void => {
    this.set({ main, layout: 'one', polygon: null });
    this.studio.train.lookedAt();
  };
  nextView = (): void => this.enlarge(VIEWS[(VIEWS.indexOf(this.state.main) + 1) % VIEWS.length]);
  layout = (): void => this.set({ layout: this.state.layout === 'one' ? 'four' : 'one' });

  window = (window: Window): void => this.set({ window });
  dragWindow = (dx: number, dy: number): void => this.set({ window: dragged(this.state.window, dx, dy) });
  zoom(plane: Plane, by: number, at: Point, canvas: readonly [number, number]): void {
    this.set({ zoom: { ...this.state.zoom, [plane]: zoomedAt(this.state.zoom[plane], by, at, canvas) } });
  }
  pan(plane: Plane, dx: number, dy: number): void {
    const { factor, shift } = this.state.zoom[plane];
    this.set({ zoom: { ...this.state.zoom, [plane]: { factor, shift: [shift[0] + dx, shift[1] + dy] } } });
  }
  fit = (): void => this.set({ zoom: { transverse: FITTED, coronal: FITTED, sagittal: FITTED } });
  show = (change: Partial<Shown>): void => this.set({ shown: { ...this.state.shown, ...change } });
}
