// SPDX-License-Identifier: MIT
// The 3D view: the three slices, and surfaces of the networks' mask where there is one, else of the drawing.
import type { Plane } from '../../axes.ts';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { solidsOf, type Solid } from '../view/solid.ts';
import { FROM_THE_FRONT, openSpace } from '../view/space.ts';
import { greySlice, Layer } from './layers.ts';
import { coloursOf } from './slice_canvas.ts';
import { indexOf } from './state.ts';
import { useStudio } from './store.ts';

const PLANES: readonly Plane[] = ['transverse', 'coronal', 'sagittal'];
/** Degrees that a key turns. */
const TURNS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-5, 0],
  ArrowRight: [5, 0],
  ArrowUp: [0, -5],
  ArrowDown: [0, 5],
};
/** Milliseconds of rest before surfaces are made anew. */
const REST = 400;

export function SpaceView(): JSX.Element {
  const { store } = useStudio();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [there, setThere] = useState(true);
  useEffect(() => {
    const here = canvas.current!;
    const space = openSpace(here);
    if (!space) {
      setThere(false);
      return undefined;
    }
    const pictures = PLANES.map(() => new Layer());
    let angles = FROM_THE_FRONT,
      solids: readonly Solid[] = [],
      of: readonly unknown[] = [],
      frame = 0,
      rest: ReturnType<typeof setTimeout> | undefined;
    const draw = (): void => {
      frame = 0;
      const state = store.get(),
        { scan } = state;
      if (!scan || here.clientWidth === 0) return;
      const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
      const [w, h] = [Math.round(here.clientWidth * ratio), Math.round(here.clientHeight * ratio)];
      if (here.width !== w || here.height !== h) [here.width, here.height] = [w, h];
      const slices = PLANES.map((plane, i) => {
        const index = indexOf(state, plane);
        return { plane, index, picture: greySlice(pictures[i], scan, plane, index, state.window) };
      });
      space.draw({ size: scan.drawing.size, spacing: scan.drawing.spacing, slices, solids, colours: coloursOf(state) }, angles);
    };
    const soon = (): void => {
      frame ||= requestAnimationFrame(draw);
    };
    const build = (): void => {
      const { scan, caseMask, session, shown } = store.get();
      if (!scan) return;
      const classes = session!.classes.map((_, i) => i).slice(1);
      const labels =
        shown.mask && caseMask ? caseMask.labels : shown.drawn ? scan.drawing.labels : new Uint8Array(scan.drawing.labels.length);
      solids = solidsOf(labels, scan.drawing.size, scan.drawing.spacing, classes);
      soon();
    };
    const changed = (): void => {
      const { scan, caseMask, drawn, session, shown, cross, window, main, layout } = store.get();
      const now = [scan, caseMask, drawn, session, shown.mask, shown.drawn, cross, window, main, layout];
      const differs = (from: number, to: number): boolean => now.slice(from, to).some((v, i) => v !== of[from + i]);
      const [solid, moved] = [differs(0, 6), differs(6, now.length)];
      of = now;
      if (solid) {
        clearTimeout(rest);
        rest = setTimeout(build, REST);
      }
      if (moved) soon();
    };
    const turn = (right: number, down: number): void => {
      angles = { turned: angles.turned + right, raised: Math.max(-90, Math.min(90, angles.raised + down)) };
      soon();
    };
    const move = (e: PointerEvent): void => {
      if (e.buttons) turn(e.movementX * 0.5, e.movementY * 0.5);
    };
    const down = (e: PointerEvent): void => here.setPointerCapture(e.pointerId);
    const press = (e: KeyboardEvent): void => {
      const way = TURNS[e.key];
      if (!way) return;
      e.preventDefault();
      e.stopPropagation(); // elsewhere the arrows move the cross-hairs
      turn(way[0], way[1]);
    };
    here.addEventListener('keydown', press);
    here.addEventListener('pointerdown', down);
    here.addEventListener('pointermove', move);
    const size = new ResizeObserver(soon);
    size.observe(here);
    const stop = store.subscribe(changed);
    changed();
    return () => {
      stop();
      size.disconnect();
      clearTimeout(rest);
      cancelAnimationFrame(frame);
      here.removeEventListener('pointerdown', down);
      here.removeEventListener('pointermove', move);
      here.removeEventListener('keydown', press);
      space.close();
    };
  }, [store]);
  return (
    <>
      <canvas ref={canvas} class="space" tabIndex={0} aria-label="Slices and surfaces in space; drag, or press arrows, to turn" />
      {!there && <p class="instead">This browser offers no WebGL 2: no 3D view.</p>}
    </>
  );
}
