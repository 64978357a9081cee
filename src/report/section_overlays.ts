// SPDX-License-Identifier: MIT
// Part 5: the best, the median and the worst case in three planes, with nothing, with outlines, with errors.

import { encode } from 'fast-png';
import type { Summary } from '../metrics/summary.ts';
import { dataUri } from './base64.ts';
import { counted, fixed, percent } from './format.ts';
import { legend } from './figure.ts';
import { anchor, html, Html } from './html.ts';
import type { OverlayCase } from './input.ts';
import { placeOf, rankCases, type RankedCase } from './overlay_choice.ts';
import { caseViews, outline, type PlaneView } from './overlay_planes.ts';
import { PREDICTION, REFERENCE, WRONG_CLASS } from './palette.ts';

export function overlaySection(overlays: readonly OverlayCase[] | undefined, summary: Summary | undefined): Html | null {
  if (!overlays?.length) return null;
  const ranked = summary ? rankCases(summary) : [];
  const several = overlays.some(({ reference, prediction }) => reference.some((r, i) => r > 0 && prediction[i] > 0 && r !== prediction[i]));
  const rank = (name: string): number => ranked.findIndex((entry) => entry.case === name);
  const ordered = [...overlays].sort((a, b) => rank(a.case) - rank(b.case));
  return html` <p>
      Each case is cut where the reference is largest. Left: the image alone; middle: outlines; right: voxels in error. All panels of a case
      have the same
      scale.${overlays.some((o) => o.orientation === 'RAS') && ' Radiological convention: the patient’s right is on the left of the page.'}
    </p>
    ${legend([
      { name: 'reference', colour: REFERENCE, kind: 'line' },
      { name: 'prediction', colour: PREDICTION, kind: 'line' },
      { name: 'missed (reference only)', colour: REFERENCE },
      { name: 'false alarm (prediction only)', colour: PREDICTION },
      ...(several ? [{ name: 'wrong class', colour: WRONG_CLASS }] : []),
    ])}
    ${ordered.map((overlay, i) => caseFigure(overlay, `overlay${i}`, ranked))}`;
}

function caseFigure(overlay: OverlayCase, id: string, ranked: readonly RankedCase[]): Html {
  const { planes, window } = caseViews(overlay);
  const field = Math.max(...planes.map(({ width, pixel }) => width * pixel[0]));
  const bar = scaleBar(field);
  const rank = ranked.findIndex((entry) => entry.case === overlay.case);
  const row = (view: PlaneView): Html =>
    html`<div class="side">${view.plane}<br />slice ${view.slice}</div>
      ${LAYERS.map((layer) => panel(view, layer, field, bar, `${id}-${view.plane}`, overlay.case))}`;
  return html`<section class="case" id="${anchor('overlay', overlay.case)}">
    <h3>${placeOf(rank, ranked.length) && `${placeOf(rank, ranked.length)}: `}${overlay.case}</h3>
    <p class="small">
      ${rank >= 0 && html`Dice ${percent(ranked[rank].dice)}, ${ordinal(rank + 1)} of ${counted(ranked.length, 'case')}. `}Voxels
      ${overlay.spacing.map((s) => fixed(s, 2)).join(' × ')} mm (slice × row × column); grey from ${fixed(window.low, 0)} to
      ${fixed(window.high, 0)}${overlay.window?.unit ? ` ${overlay.window.unit}` : ''}; bar ${bar} mm.
    </p>
    <div class="views">
      <div class="corner"></div>
      ${LAYERS.map((layer) => html`<div class="head">${layer}</div>`)} ${planes.map(row)}
    </div>
  </section>`;
}

function ordinal(n: number): string {
  const ending = n % 100 >= 11 && n % 100 <= 13 ? 'th' : ({ 1: 'st', 2: 'nd', 3: 'rd' }[n % 10] ?? 'th');
  return `${n}${ending}`;
}

/** A round length near a quarter of the field, mm. */
function scaleBar(field: number): number {
  return [100, 50, 20, 10, 5, 2].find((length) => length <= field / 4) ?? 1;
}

const LAYERS = ['image', 'outlines', 'errors'] as const;
type Layer = (typeof LAYERS)[number];

/** A slice in the middle of `field` mm. The grey picture is stored once a plane and used by all three layers. */
function panel(view: PlaneView, layer: Layer, field: number, bar: number, id: string, name: string): Html {
  const { width, height, pixel, letters } = view;
  const w = width * pixel[0],
    h = height * pixel[1];
  const x = (field - w) / 2;
  const place = html`x="${x}" y="0" width="${w}" height="${h}" preserveAspectRatio="none"`;
  const grey =
    layer === 'image' ? html`<image id="${id}" ${place} href="${pngUri(view.grey, width, height, 1)}" />` : html`<use href="#${id}" />`;
  const path = (labels: Uint8Array, colour: string, stroke: number): Html =>
    html`<path
      d="${outline(labels, width, height)}"
      fill="none"
      stroke="${colour}"
      stroke-width="${stroke}"
      stroke-linecap="square"
      vector-effect="non-scaling-stroke"
    />`;
  // The reference is drawn broad and below, so that it still shows where both run along the same edge.
  const marks =
    layer === 'outlines'
      ? html`<g transform="translate(${x} 0) scale(${pixel[0]} ${pixel[1]})"
          >${path(view.reference, REFERENCE, 3.6)}${path(view.prediction, PREDICTION, 1.5)}</g
        >`
      : layer === 'errors' &&
        html`<image ${place} style="image-rendering:pixelated" href="${pngUri(errorColours(view), width, height, 4)}" />`;
  const text = field / 16,
    pad = field / 40;
  const letter = (at: number, left: number, top: number, turn: string): Html | null =>
    letters && html`<text x="${left}" y="${top}" text-anchor="${turn}">${letters[at]}</text>`;
  return html`<svg viewBox="0 0 ${field} ${h}" role="img" aria-label="${`${name}, ${view.plane} slice ${view.slice}: ${layer}`}">
    ${grey}${marks}
    ${
      layer === 'image' &&
      html`<g fill="#fff" font-size="${text}" stroke="#000" stroke-width="${text / 6}" paint-order="stroke">
          ${letter(0, pad, (h + text) / 2, 'start')}${letter(1, field - pad, (h + text) / 2, 'end')}${letter(2, field / 2, text, 'middle')}${letter(3, field / 2, h - pad, 'middle')} </g
        ><path d="M${field - pad - bar} ${h - pad * 1.6}h${bar}" stroke="#fff" stroke-width="2.5" vector-effect="non-scaling-stroke" />`
    }
  </svg>`;
}

function errorColours({ reference, prediction }: PlaneView): Uint8Array {
  const rgba = new Uint8Array(reference.length * 4);
  const channels = (hex: string): number[] => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const missed = channels(REFERENCE),
    alarm = channels(PREDICTION),
    wrong = channels(WRONG_CLASS);
  reference.forEach((r, i) => {
    const p = prediction[i];
    if (r === p) return;
    rgba.set([...(p === 0 ? missed : r === 0 ? alarm : wrong), 205], i * 4);
  });
  return rgba;
}

const pngUri = (data: Uint8Array, width: number, height: number, channels: number): string =>
  dataUri(encode({ width, height, data, channels, depth: 8 }));
