// SPDX-License-Identifier: MIT
// Predicted surfaces in 3D, coloured by their distance to the reference: a still picture of each, and beside it one to be turned.

import type { LabelMap } from '../metrics/mask.ts';
import { predictedSurface } from '../metrics/surface_mesh.ts';
import { dataUri } from './base64.ts';
import { figure, legend } from './figure.ts';
import { fixed } from './format.ts';
import { html, Html } from './html.ts';
import { distanceColour, farDistance, hex } from './palette.ts';
import { colouredSurface, packed, stillPicture } from './surface_picture.ts';
import { VIEWER } from './surface_viewer.ts';

export interface SurfaceCase {
  /** For example "sanet, best case". */
  title: string;
  /** The case's name and score. */
  note: string;
  reference: LabelMap;
  prediction: LabelMap;
}

/** Triangles of all surfaces of a page together, and of one: a triangle takes about 16 bytes of it. */
const MOST_ON_PAGE = 180_000,
  MOST = 12_000;
const SIDE = 280;

/** The figure; null without cases. `turning`: a page script will be there to turn them. */
export function distanceFigure(cases: readonly SurfaceCase[], tolerance: number, turning: boolean): Html | null {
  if (cases.length === 0) return null;
  const most = Math.max(1000, Math.min(MOST, Math.floor(MOST_ON_PAGE / cases.length)));
  const drawn = cases.map((each) => drawnCase(each, tolerance, most, turning));
  const fewer = drawn.some((each) => each.fewer),
    far = farDistance(tolerance),
    mm = (v: number): string => fixed(v, Number.isInteger(v) ? 0 : 1);
  const colour = (distance: number): string => hex(distanceColour(distance, tolerance));
  return html`${turning && html`<p class="small turned-hint">Drag to turn; arrow keys turn what is selected; a double click turns it back.</p>`}
  ${figure(
    html`<div class="turned">${drawn.map(({ picture }) => picture)}</div>`,
    html`<strong>The predicted surface by its distance to the reference</strong>, seen from the front and a little from above, the patient’s
      right on the left. Distances as in the metrics, at boundary voxels; the surface between them is
      smoothed.${fewer && ` Surfaces of more than ${most} triangles are drawn in at most as many.`}`,
    legend([
      { name: `within ${mm(tolerance)} mm`, colour: colour(0) },
      { name: `inside the reference (too small), beyond ${mm(tolerance)} mm`, colour: colour(-tolerance - 1e-3) },
      { name: `${mm(far)} mm and more`, colour: colour(-far) },
      { name: `outside (too large), beyond ${mm(tolerance)} mm`, colour: colour(tolerance + 1e-3) },
      { name: `${mm(far)} mm and more`, colour: colour(far) },
      { name: 'not scored: the volume ends there, or no reference', colour: colour(NaN) },
    ]),
  )}`;
}

function drawnCase(
  { title, note, reference, prediction }: SurfaceCase,
  tolerance: number,
  most: number,
  turning: boolean,
): { picture: Html; fewer: boolean } {
  const labels = [...new Set(prediction.data)].filter((label) => label > 0).sort((a, b) => a - b);
  const meshes = labels.flatMap(
    (label) => predictedSurface(reference, prediction, label, Math.max(100, Math.floor(most / labels.length))) ?? [],
  );
  const words = html`<p class="small"><strong>${title}</strong><br />${note}</p>`;
  if (meshes.length === 0)
    return {
      picture: html`<div class="surface">
        ${words}
        <p class="small">Nothing is predicted.</p>
      </div>`,
      fewer: false,
    };
  const surface = colouredSurface(meshes, tolerance);
  const still = dataUri(stillPicture(surface, SIDE));
  const { data, corners } = packed(surface);
  return {
    picture: html`<div class="surface">
      ${words}
      <div class="beside">
        <svg viewBox="0 0 ${SIDE} ${SIDE}" role="img" aria-label="${`${title}: surface by distance to the reference`}">
          <image width="${SIDE}" height="${SIDE}" href="${still}" /></svg
        >${turning && html`<canvas hidden tabindex="0" role="img" aria-label="${`${title}: surface to be turned`}" data-corners="${corners}" data-surface="${data}"></canvas>`}
      </div>
    </div>`,
    fewer: meshes.some((mesh) => mesh.triangles.length / 3 < mesh.whole),
  };
}

/** The scripts that turn surfaces: the drawing library's text, then ours; nothing where the page has none to turn. */
export function turningScripts(body: Html | null, library: string | undefined): Html | null {
  if (library === undefined || !body?.text.includes('data-surface=')) return null;
  return new Html([library, VIEWER].map((code) => `<script>${code.replaceAll('</script', '<\\/script')}</script>\n`).join(''));
}
