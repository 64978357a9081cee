// SPDX-License-Identifier: MIT
// Mouse, pen and fingers on a slice. The first button uses the tool, the second drags the window, the middle one or Shift shifts; the wheel
// goes through slices, with Ctrl it zooms; two fingers zoom and shift. The hand that holds a pen does nothing.
import type { Plane } from '../../axes.ts';
import type { Point } from '../annotate/brush.ts';
import { toSlice } from '../view/frame.ts';
import { frameFor } from './slice_canvas.ts';
import { isDrawn } from './state.ts';
import type { Studio } from './studio.ts';

/** `PointerEvent.button` of the end of a pen that erases. */
const PEN_ERASER = 5;

type Doing = 'draw' | 'cross' | 'window' | 'pan' | 'pinch' | null;

/** @param hover where the pointer is on the slice, for the brush's ring @returns takes the listeners away */
export function listen(canvas: HTMLCanvasElement, plane: Plane, studio: Studio, hover: (at: Point | null) => void): () => void {
  const pointers = new Map<number, Point>();
  let pen: number | undefined;
  let doing: Doing = null;
  let last: Point = [0, 0];
  let wheel = 0;

  const place = (e: MouseEvent): Point => {
    const box = canvas.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top];
  };
  const onSlice = (at: Point): Point => toSlice(frameFor(studio.store.get(), plane, canvas), at);
  const extent = (): [number, number] => [canvas.clientWidth, canvas.clientHeight];

  const begin = (e: PointerEvent, at: Point): Doing => {
    const { tool } = studio.store.get();
    if (e.button === 2 || tool === 'window') return 'window';
    if (e.button === 1 || e.shiftKey) return 'pan';
    if (tool === 'look' || !isDrawn(plane)) {
      studio.look.point(plane, onSlice(at));
      return 'cross';
    }
    return studio.draw.down(plane, onSlice(at), e.button === PEN_ERASER) ? 'draw' : null;
  };
  const down = (e: PointerEvent): void => {
    if (!studio.store.get().scan || (pen !== undefined && e.pointerId !== pen)) return;
    if (e.pointerType === 'pen') {
      if (doing === 'draw') studio.draw.cancel(); // the hand came first
      pointers.clear();
      pen = e.pointerId;
    }
    const at = place(e);
    pointers.set(e.pointerId, at);
    canvas.setPointerCapture(e.pointerId);
    canvas.focus();
    if (e.pointerType === 'touch' && pointers.size === 2) {
      if (doing === 'draw') studio.draw.cancel();
      doing = 'pinch';
    } else if (pointers.size === 1) doing = begin(e, at);
    last = at;
  };
  const move = (e: PointerEvent): void => {
    if (!studio.store.get().scan || (pointers.size > 0 && !pointers.has(e.pointerId))) return;
    const at = place(e);
    if (doing === 'pinch') return pinch(e.pointerId, at);
    const point = onSlice(at);
    hover(point);
    studio.look.hover(plane, point);
    const [dx, dy] = [at[0] - last[0], at[1] - last[1]];
    if (doing === 'draw') for (const each of drawnAlong(e)) studio.draw.move(onSlice(place(each)));
    else if (doing === 'cross') studio.look.point(plane, point);
    else if (doing === 'window') studio.look.dragWindow(dx, dy);
    else if (doing === 'pan') studio.look.pan(plane, dx, dy);
    last = at;
  };
  /** Two fingers: what was under each stays under it. */
  const pinch = (id: number, at: Point): void => {
    const before = pointers.get(id),
      other = [...pointers].find(([key]) => key !== id)?.[1];
    if (!before || !other) return;
    const apart = (p: Point): number => Math.max(10, Math.hypot(p[0] - other[0], p[1] - other[1]));
    const middle = (p: Point): Point => [(p[0] + other[0]) / 2, (p[1] + other[1]) / 2];
    studio.look.zoom(plane, apart(at) / apart(before), middle(before), extent());
    studio.look.pan(plane, middle(at)[0] - middle(before)[0], middle(at)[1] - middle(before)[1]);
    pointers.set(id, at);
  };
  const up = (e: PointerEvent): void => {
    if (!pointers.delete(e.pointerId)) return;
    if (e.pointerId === pen) pen = undefined;
    if (doing === 'draw') {
      if (e.type === 'pointercancel') studio.draw.cancel();
      else studio.draw.up();
    }
    if (pointers.size === 0) doing = null;
  };
  const leave = (): void => {
    hover(null);
    studio.look.hover(plane, null);
  };
  const turn = (e: WheelEvent): void => {
    e.preventDefault();
    if (e.ctrlKey || e.metaKey) return studio.look.zoom(plane, Math.exp(-e.deltaY / 300), place(e), extent());
    // A notch of a wheel is a slice; a touchpad's small steps add up to one.
    wheel += e.deltaMode === 1 ? e.deltaY * 40 : e.deltaY;
    const steps = Math.trunc(wheel / 40) || (Math.abs(e.deltaY) >= 40 ? Math.sign(e.deltaY) : 0);
    if (!steps) return;
    wheel = 0;
    studio.look.step(plane, -Math.max(-3, Math.min(3, steps > 0 ? Math.ceil(steps / 3) : Math.floor(steps / 3))));
  };
  const finish = (e: MouseEvent): void => {
    e.preventDefault();
    if (studio.store.get().polygon) studio.draw.closePolygon();
  };
  const noMenu = (e: Event): void => e.preventDefault();

  const listeners: [string, (e: never) => void][] = [
    ['pointerdown', down],
    ['pointermove', move],
    ['pointerup', up],
    ['pointercancel', up],
    ['pointerleave', leave],
    ['dblclick', finish],
    ['contextmenu', noMenu],
    ['wheel', turn],
  ];
  for (const [name, listener] of listeners) canvas.addEventListener(name, listener as EventListener, { passive: false });
  return () => {
    for (const [name, listener] of listeners) canvas.removeEventListener(name, listener as EventListener);
  };
}

/** Places that the pointer passed between two frames, so that a fast curve stays a curve. */
function drawnAlong(e: PointerEvent): readonly PointerEvent[] {
  const passed = e.getCoalescedEvents?.() ?? [];
  return passed.length > 0 ? passed : [e];
}
