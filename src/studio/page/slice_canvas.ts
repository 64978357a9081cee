// SPDX-License-Identifier: MIT
// One plane drawn on its canvas: the scan, what was drawn, the networks' mask, a suggestion, cross-hairs, scale bar.
import type { Plane } from '../../axes.ts';
import type { Point } from '../annotate/brush.ts';
import { slice, type Bitmap } from '../annotate/planes.ts';
import { frameOf, onPlane, scaleBar, toScreen, type Frame } from '../view/frame.ts';
import { colourOf, edges, tints, type Colour } from '../view/paint.ts';
import { greySlice, type Layers, type Lines } from './layers.ts';
import { indexOf, isDrawn, type State } from './state.ts';

export const coloursOf = (s: State): (Colour | undefined)[] =>
  (s.session?.classes ?? []).map((c, i) => (i > 0 ? colourOf(c.colour) : undefined));

export function frameFor({ scan, zoom }: State, plane: Plane, canvas: HTMLCanvasElement): Frame {
  return frameOf(scan!.drawing.size, scan!.drawing.spacing, plane, [canvas.clientWidth, canvas.clientHeight], zoom[plane]);
}

/** @param mask the networks' mask of this slice @param pointer where the brush would draw, if it is over this plane */
export function drawSlice(
  canvas: HTMLCanvasElement,
  state: State,
  plane: Plane,
  own: Layers,
  mask: Uint8Array | undefined,
  pointer: Point | null,
): void {
  const { scan, shown, window } = state;
  const ctx = canvas.getContext('2d')!;
  const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.fillStyle = '#000';
  ctx.fillRect(0, 0, width, height);
  if (!scan) return;
  const index = indexOf(state, plane);
  const frame = frameFor(state, plane, canvas);
  const colours = coloursOf(state);
  const picture = (image: HTMLCanvasElement, smooth: boolean): void => {
    const [sx, sy] = [frame.spacing[0] * frame.scale, frame.spacing[1] * frame.scale];
    const [x, y] = toScreen(frame, [-0.5, -0.5]);
    ctx.save();
    ctx.translate(x, y);
    ctx.scale(-sx, -sy);
    ctx.imageSmoothingEnabled = smooth;
    ctx.drawImage(image, 0, 0);
    ctx.restore();
  };
  picture(greySlice(own.grey, scan, plane, index, window), frame.scale * Math.min(...frame.spacing) < 16);
  const drawn = slice(scan.drawing.labels, scan.drawing.size, plane, index);
  const size: [number, number] = [drawn.width, drawn.height];
  if (shown.mask && mask) {
    const bitmap: Bitmap = { width: drawn.width, height: drawn.height, data: mask };
    if (shown.style === 'fill')
      picture(
        own.mask.paint(size, [mask, shown.opacity, state.session], (rgba) => tints(bitmap, colours, shown.opacity * 0.6, rgba)),
        false,
      );
    outline(
      ctx,
      frame,
      own.maskEdges.of([mask], () => linesOf(bitmap)),
      colours,
      1.5,
      [6, 4],
    );
  }
  if (shown.drawn) {
    if (shown.style === 'fill')
      picture(
        own.drawn.paint(size, [state.drawn, scan, plane, index, shown.opacity, state.session], (rgba) =>
          tints(drawn, colours, shown.opacity, rgba),
        ),
        false,
      );
    const lines = own.drawnEdges.of([state.drawn, scan, plane, index], () => linesOf(drawn));
    outline(ctx, frame, lines, colours, 2, []);
  }
  if (shown.suggestion && isDrawn(plane) && plane === state.main) {
    const { drawing } = scan;
    const suggestion = own.suggestion.of([drawing, drawing.revision, index], () => drawing.suggestion(plane, index));
    if (suggestion)
      outline(
        ctx,
        frame,
        own.suggestionEdges.of([suggestion], () => linesOf({ ...drawn, data: suggestion })),
        colours,
        2,
        [2, 5],
      );
  }
  crossHairs(ctx, state, plane, frame, [width, height]);
  polygonOf(ctx, state, plane, frame, colours);
  if (pointer && (state.tool === 'brush' || state.tool === 'eraser') && isDrawn(plane)) brushRing(ctx, state, frame, pointer);
  bar(ctx, frame, width, height);
}

/** Edges of every class in a slice. */
const linesOf = (bitmap: Bitmap): Lines => [...new Set(bitmap.data)].filter((v) => v > 0).map((value) => [value, edges(bitmap, value)]);

function outline(
  ctx: CanvasRenderingContext2D,
  frame: Frame,
  lines: Lines,
  colours: readonly (Colour | undefined)[],
  width: number,
  dash: readonly number[],
): void {
  // prettier-ignore
  ctx.save();
  ctx.lineWidth = width;
  ctx.setLineDash([...dash]);
  for (const [value, segments] of lines) {
    ctx.beginPath();
    for (let i = 0; i < segments.length; i += 4) {
      ctx.moveTo(...(toScreen(frame, [segments[i], segments[i + 1]]) as [number, number]));
      ctx.lineTo(...(toScreen(frame, [segments[i + 2], segments[i + 3]]) as [number, number]));
    }
    ctx.strokeStyle = `rgb(${(colours[value] ?? [255, 255, 255]).join(' ')})`;
    ctx.stroke();
  }
  ctx.restore();
}

/** Broken around the middle, so that they cover nothing that is looked at. */
function crossHairs(
  ctx: CanvasRenderingContext2D,
  { cross }: State,
  plane: Plane,
  frame: Frame,
  [width, height]: readonly [number, number],
): void {
  // prettier-ignore
  const [x, y] = toScreen(frame, onPlane(cross, plane)),
    gap = 14;
  ctx.strokeStyle = 'rgba(92, 200, 255, 0.65)';
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const [x1, y1, x2, y2] of [
    [0, y, x - gap, y],
    [x + gap, y, width, y],
    [x, 0, x, y - gap],
    [x, y + gap, x, height],
  ]) {
    // prettier-ignore
    ctx.moveTo(x1, y1);
    ctx.lineTo(x2, y2);
  }
  ctx.stroke();
}

function polygonOf(
  ctx: CanvasRenderingContext2D,
  { polygon, value }: State,
  plane: Plane,
  frame: Frame,
  colours: readonly (Colour | undefined)[],
): void {
  // prettier-ignore
  if (polygon?.plane !== plane) return;
  ctx.strokeStyle = ctx.fillStyle = `rgb(${(colours[value] ?? [255, 255, 255]).join(' ')})`;
  ctx.lineWidth = 2;
  ctx.beginPath();
  polygon.points.forEach((p, i) => ctx[i ? 'lineTo' : 'moveTo'](...(toScreen(frame, p) as [number, number])));
  ctx.stroke();
  for (const p of polygon.points) {
    const [x, y] = toScreen(frame, p);
    ctx.fillRect(x - 3, y - 3, 6, 6);
  }
}

function brushRing(ctx: CanvasRenderingContext2D, { radius, tool }: State, frame: Frame, [u, v]: Point): void {
  const [x, y] = toScreen(frame, [u, v]);
  ctx.strokeStyle = tool === 'eraser' ? '#ff8f85' : '#ffffff';
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.arc(x, y, Math.max(2, radius * frame.scale), 0, 2 * Math.PI);
  ctx.stroke();
}

function bar(ctx: CanvasRenderingContext2D, frame: Frame, width: number, height: number): void {
  const { mm, pixels } = scaleBar(frame.scale, Math.min(160, width / 3));
  const [right, y] = [width - 34, height - 14];
  ctx.strokeStyle = ctx.fillStyle = '#f2f6fa';
  ctx.lineWidth = 2;
  ctx.beginPath();
  for (const [x1, y1, x2, y2] of [
    [right - pixels, y, right, y],
    [right - pixels, y - 5, right - pixels, y + 1],
    [right, y - 5, right, y + 1],
  ]) {
    // prettier-ignore
    ctx.moveTo(x1, y1);
    ctx.lineTo(x2, y2);
  }
  ctx.stroke();
  ctx.font = '600 13px system-ui, sans-serif';
  ctx.textAlign = 'right';
  ctx.shadowColor = '#000';
  ctx.shadowBlur = 3;
  ctx.fillText(`${mm} mm`, right, y - 8);
  ctx.shadowBlur = 0;
}
