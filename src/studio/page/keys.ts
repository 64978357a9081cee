// SPDX-License-Identifier: MIT
// The whole page by keyboard. One table: what listens and what the help shows.
import { frameOf, onPlane, toScreen } from '../view/frame.ts';
import { PRESETS } from '../view/windows.ts';
import { classCount, isDrawn, type State } from './state.ts';
import type { Studio } from './studio.ts';

export interface Key {
  /** As `KeyboardEvent.key`, letters small. */
  readonly keys: readonly string[];
  readonly shown: string;
  readonly what: string;
  readonly group: 'Look' | 'Draw' | 'Slice' | 'Page';
  readonly act: (studio: Studio, event: KeyboardEvent) => void;
}

const planeOf = ({ main }: State): 'transverse' | 'coronal' | 'sagittal' => (main === 'space' ? 'transverse' : main);
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const slices = (s: Studio, by: number): void => s.look.step(planeOf(s.store.get()), by);
const radius = (s: Studio, by: number): void => {
  const next = Math.round(10 * s.store.get().radius * by) / 10;
  s.store.set({ radius: Math.min(80, Math.max(0.5, next)) });
};
const zoom = (s: Studio, by: number): void => {
  const { scan, cross } = s.store.get();
  const plane = planeOf(s.store.get());
  const canvas = document.querySelector<HTMLCanvasElement>(`canvas[data-plane="${plane}"]`);
  if (!scan || !canvas) return;
  // About the cross-hairs, which come to the middle: by keys alone one gets everywhere in a zoomed picture.
  const extent = [canvas.clientWidth, canvas.clientHeight] as const,
    at = toScreen(frameOf(scan.drawing.size, scan.drawing.spacing, plane, extent, s.store.get().zoom[plane]), onPlane(cross, plane));
  s.look.zoom(plane, by, at, extent);
  if (s.store.get().zoom[plane].factor > 1) s.look.pan(plane, extent[0] / 2 - at[0], extent[1] / 2 - at[1]);
};

/** The tool where the cross-hairs are, as a click there. */
function use(studio: Studio): void {
  const state = studio.store.get();
  if (!isDrawn(state.main)) return;
  if (studio.draw.down(state.main, onPlane(state.cross, state.main))) studio.draw.up();
}

const key = (keys: string, shown: string, what: string, group: Key['group'], act: Key['act']): Key => ({
  keys: keys.split(' ').map((k) => (k === 'Space' ? ' ' : k)),
  shown,
  what,
  group,
  act,
});

export const KEYS: readonly Key[] = [
  key('PageUp .', 'PgUp  .', 'Next slice', 'Look', (s) => slices(s, 1)),
  key('PageDown ,', 'PgDn  ,', 'Previous slice', 'Look', (s) => slices(s, -1)),
  key('ArrowLeft ArrowRight ArrowUp ArrowDown', 'Arrows', 'Move the cross-hairs, with Shift by ten', 'Look', (s, e) => {
    const [dx, dy] = ARROWS[e.key],
      by = e.shiftKey ? 10 : 1;
    s.look.nudge(planeOf(s.store.get()), dx * by, dy * by);
  }),
  key('+ =', '+', 'Zoom in, about the cross-hairs', 'Look', (s) => zoom(s, 1.25)),
  key('-', '−', 'Zoom out', 'Look', (s) => zoom(s, 0.8)),
  key('0', '0', 'Fit', 'Look', (s) => s.look.fit()),
  key('v', 'V', 'Next plane large', 'Look', (s) => s.look.nextView()),
  key('g', 'G', 'Four views alike, or one large', 'Look', (s) => s.look.layout()),
  key('h', 'H', 'Hide and show the drawing', 'Look', (s) => s.look.show({ drawn: !s.store.get().shown.drawn })),
  key('m', 'M', 'Hide and show the networks’ mask', 'Look', (s) => s.look.show({ mask: !s.store.get().shown.mask })),
  key('o', 'O', 'Outline or fill', 'Look', (s) => s.look.show({ style: s.store.get().shown.style === 'fill' ? 'outline' : 'fill' })),
  key('w', 'W', 'Next window preset', 'Look', (s) => {
    const all = Object.values(PRESETS),
      { window } = s.store.get();
    s.look.window(all[(all.findIndex((w) => w.level === window.level && w.width === window.width) + 1) % all.length]);
  }),
  key('l', 'L', 'Look: cross-hairs', 'Draw', (s) => s.look.tool('look')),
  key('b', 'B', 'Brush', 'Draw', (s) => s.look.tool('brush')),
  key('e', 'E', 'Eraser', 'Draw', (s) => s.look.tool('eraser')),
  key('p', 'P', 'Polygon', 'Draw', (s) => s.look.tool('polygon')),
  key('f', 'F', 'Fill within HU', 'Draw', (s) => s.look.tool('flood')),
  key('[', '[', 'Smaller brush', 'Draw', (s) => radius(s, 0.8)),
  key(']', ']', 'Larger brush', 'Draw', (s) => radius(s, 1.25)),
  key('Space', 'Space', 'Use the tool at the cross-hairs', 'Draw', use),
  key('Enter', 'Enter', 'Close the polygon', 'Draw', (s) => s.draw.closePolygon()),
  key('Escape', 'Esc', 'Drop the polygon', 'Draw', (s) => s.draw.dropPolygon()),
  key('1 2 3 4 5 6 7 8 9', '1–9', 'Class to draw', 'Draw', (s, e) => {
    if (Number(e.key) <= classCount(s.store.get())) s.store.set({ value: Number(e.key) });
  }),
  key('t', 'T', 'HU gate on and off', 'Draw', (s) => s.store.set({ gated: !s.store.get().gated })),
  key('z', 'Z', 'Undo (Shift: redo)', 'Draw', (s, e) => (e.shiftKey ? s.draw.redo() : s.draw.undo())),
  key('y', 'Y', 'Redo', 'Draw', (s) => s.draw.redo()),
  key('n', 'N', 'Nothing here: annotated as it is (again: not)', 'Slice', (s) => s.draw.markSlice()),
  key('c', 'C', 'Copy the nearest annotated slice', 'Slice', (s) => s.draw.copyNeighbour()),
  key('i', 'I', 'Take the suggestion over', 'Slice', (s) => s.draw.acceptSuggestion()),
  key('u', 'U', 'Take the networks’ mask over, to mend it', 'Slice', (s) => s.draw.acceptMask()),
  key('a', 'A', 'Fill the slice', 'Slice', (s) => s.draw.fillSlice()),
  key('Delete Backspace', 'Del', 'Clear the slice, not annotated', 'Slice', (s) => s.draw.clearSlice()),
  key('x', 'X', 'Next slice worth annotating', 'Slice', (s) => void s.train.propose()),
  key('?', '?', 'This list', 'Page', (s) => s.store.set({ help: true })),
];

/** Listens to the page. @returns stops */
export function listenToKeys(studio: Studio): () => void {
  const press = (e: KeyboardEvent): void => {
    const target = e.target as HTMLElement,
      { scan, busy, help } = studio.store.get();
    if (e.altKey || !scan || busy || help) return; // an open dialog has its own keys
    const slides = target.matches('input[type=range]') && /^(Arrow|Page|Home|End)/.test(e.key);
    const writing = slides || target.matches('input:not([type=checkbox]):not([type=radio]):not([type=range]), select, textarea');
    const pressing = (e.key === ' ' || e.key === 'Enter') && target.matches('button, a, summary, input');
    const named = e.key.length === 1 ? e.key.toLowerCase() : e.key;
    const command = (e.ctrlKey || e.metaKey) && (named === 'z' || named === 'y');
    if (writing || pressing || ((e.ctrlKey || e.metaKey) && !command)) return;
    const found = KEYS.find((k) => k.keys.includes(named));
    if (!found) return;
    e.preventDefault();
    found.act(studio, e);
  };
  addEventListener('keydown', press);
  return () => removeEventListener('keydown', press);
}
