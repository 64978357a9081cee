// SPDX-License-Identifier: MIT
// report.html: one file that needs nothing else, with the sections there is data for.

import { html, Html } from './html.ts';
import type { ReportInput } from './input.ts';
import { overlaySection } from './section_overlays.ts';
import { methodsSection, provenanceSection } from './section_provenance.ts';
import { resourcesSection } from './section_resources.ts';
import { resultsSection } from './section_results.ts';
import { runsSection } from './section_runs.ts';
import { slicesSection } from './section_slices.ts';
import { surfacesSection } from './section_surfaces.ts';
import { trainingSection } from './section_training.ts';
import { verdictSection } from './section_verdict.ts';
import { STYLE } from './style.ts';

/** The whole report as one HTML document. The same input gives the same bytes. */
export function renderReport(input: ReportInput): string {
  const sections: { id: string; title: string; body: Html | null }[] = [
    { id: 'verdict', title: 'Verdict', body: verdictSection(input) },
    { id: 'overlays', title: 'Best, median and worst case', body: overlaySection(input.overlays, input.summary) },
    { id: 'results', title: 'Results per class and case', body: resultsSection(input) },
    { id: 'slices', title: 'Annotated and unannotated slices', body: slicesSection(input.trainingSummary ?? input.summary) },
    { id: 'surfaces', title: 'Surfaces and volumes', body: surfacesSection(input.summary) },
    { id: 'runs', title: 'Runs compared', body: runsSection(input.runs) },
    { id: 'training', title: 'Training', body: trainingSection(input.log) },
    { id: 'resources', title: 'Time and memory', body: resourcesSection(input.stages, input.machine) },
    { id: 'methods', title: 'How the numbers are defined', body: methodsSection(input.summary) },
    { id: 'provenance', title: 'Provenance', body: provenanceSection(input.provenance) },
  ];
  const present = sections.filter((section) => section.body !== null);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="voxelgrad">
<title>${input.title}</title>
<link rel="icon" href="data:,">
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>
<h1>${input.title}</h1>
<p class="byline">Segmentation report${input.date && `, ${input.date}`}</p>
<p class="notice">Research software. Not for clinical use.</p>
</header>
${present.length > 1 && html`<nav aria-label="Contents"><ol>${present.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ol></nav>`}
<main>
${present.map(({ id, title, body }) => html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${body}</section>
`)}</main>
<footer><p>Made by voxelgrad. Research software, not a medical device, not for clinical use.</p></footer>
</body>
</html>
`;
  return page.text;
}
