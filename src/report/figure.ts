// SPDX-License-Identifier: MIT
// Charts as inline SVG: Observable Plot drawn into a document that exists only here.

import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { html, Html, type HtmlValue } from './html.ts';

/** Draws a chart. `label` says in one sentence what is plotted: a screen reader has nothing else. */
export function chart(label: string, options: Plot.PlotOptions): Html {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({
    marginBottom: 46,
    ...options,
    document,
    x: { labelOffset: 40, ...options.x },
    style: { fontFamily: 'inherit', fontSize: '12px', background: 'transparent', ...(options.style as object | undefined) },
  });
  // The serialiser does not escape ampersands in attributes, so the one with text in it is written here.
  return html`<svg role="img" aria-label="${label}" ${new Html(svg.outerHTML.slice('<svg '.length))}`;
}

/** A figure with its caption; `legend` stands between. */
export function figure(picture: HtmlValue, caption: HtmlValue, legend: HtmlValue = null): Html {
  return html`<figure>
    ${picture}${legend}
    <figcaption>${caption}</figcaption>
  </figure>`;
}

export interface LegendEntry {
  name: string;
  colour: string;
  /** `area` for filled regions, `line` for curves and contours. */
  kind?: 'area' | 'line' | 'dashed';
}

/** Colour key in words, so that no meaning hangs on colour alone. */
export function legend(entries: readonly LegendEntry[]): Html {
  return html`<ul class="legend">
    ${entries.map(({ name, colour, kind = 'area' }) => html`<li><span class="key ${kind}" style="--key:${colour}"></span>${name}</li>`)}
  </ul>`;
}
