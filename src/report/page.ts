// SPDX-License-Identifier: MIT
// The frame of every page: one file that needs nothing else, with the sections there is something in.

import { html, Html } from './html.ts';
import { turningScripts } from './section_distances.ts';
import { STYLE } from './style.ts';

export interface Page {
  title: string;
  byline: string;
  sections: readonly { id: string; title: string; body: Html | null }[];
  /** Text of the library that draws surfaces; goes in only where the page has surfaces to turn. */
  viewer?: string | undefined;
}

/** The page as a document. The same input gives the same bytes. */
export function page({ title: heading, byline, sections, viewer }: Page): string {
  const present = sections.filter((section) => section.body !== null);
  const main = html`<main>
    ${present.map(
      ({ id, title, body }) =>
        html`<section aria-labelledby="${id}">
          <h2 id="${id}">${title}</h2>
          ${body}
        </section> `,
    )}
  </main>`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="generator" content="voxelgrad" />
        <title>${heading}</title>
        <link rel="icon" href="data:," />
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <header>
          <h1>${heading}</h1>
          <p class="byline">${byline}</p>
          <p class="notice">Research software. Not for clinical use.</p>
        </header>
        ${
          present.length > 1 &&
          html`<nav aria-label="Contents">
            <ol>
              ${present.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}
            </ol>
          </nav>`
        }
        ${main}
        <footer><p>Made by voxelgrad. Research software, not a medical device, not for clinical use.</p></footer>
        ${turningScripts(main, viewer)}
      </body>
    </html> `.text;
}
