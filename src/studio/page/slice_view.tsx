// SPDX-License-Identifier: MIT
// A plane on the page: its canvas, and the letters around it.
import type { Plane } from '../../axes.ts';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Point } from '../annotate/brush.ts';
import { axisOf } from '../annotate/planes.ts';
import { LETTERS } from '../view/frame.ts';
import { Layers } from './layers.ts';
import { drawSlice } from './slice_canvas.ts';
import { listen } from './slice_pointer.ts';
import { useSelect, useStudio } from './store.ts';

export function SliceView({ plane }: { readonly plane: Plane }): JSX.Element {
  const studio = useStudio();
  const canvas = useRef<HTMLCanvasElement>(null);
  const tool = useSelect((s) => s.tool);
  const index = useSelect((s) => s.cross[axisOf(plane)]);
  const count = useSelect((s) => s.scan?.drawing.size[axisOf(plane)] ?? 0);
  useEffect(() => {
    const here = canvas.current!;
    const own = new Layers();
    let pointer: Point | null = null,
      frame = 0;
    const draw = (): void => {
      frame = 0;
      if (here.clientWidth > 0) drawSlice(here, studio.store.get(), plane, own, studio.train.maskOf(plane), pointer);
    };
    // However much changes between two frames, it is drawn once.
    const soon = (): void => {
      frame ||= requestAnimationFrame(draw);
    };
    const size = new ResizeObserver(soon);
    size.observe(here);
    let seen: readonly unknown[] = [];
    const changed = (): void => {
      const { scan, cross, window, zoom, shown, tool, radius, value, polygon, drawn, session, sliceMasks, caseMask, main } =
        studio.store.get();
      const now = [scan, cross, window, zoom[plane], shown, tool, radius, value, polygon, drawn, session, sliceMasks, caseMask, main];
      if (now.every((v, i) => v === seen[i])) return;
      seen = now;
      soon();
    };
    const stop = [
      studio.store.subscribe(changed),
      listen(here, plane, studio, (at) => {
        pointer = at;
        soon();
      }),
    ];
    soon();
    return () => {
      cancelAnimationFrame(frame);
      size.disconnect();
      stop.forEach((each) => each());
    };
  }, [studio, plane]);
  const { left, right, top, bottom } = LETTERS[plane];
  return (
    <>
      <canvas
        ref={canvas}
        tabIndex={0}
        data-plane={plane}
        class={`slice tool-${tool}`}
        aria-label={`${plane} slice ${index + 1} of ${count}`}
      />
      <span class="letter left">{left}</span>
      <span class="letter right">{right}</span>
      <span class="letter top-letter">{top}</span>
      <span class="letter bottom">{bottom}</span>
      <span class="count">
        {index + 1} / {count}
      </span>
    </>
  );
}
