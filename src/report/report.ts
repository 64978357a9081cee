// SPDX-License-Identifier: MIT
// report.html: one file that needs nothing else, with the sections there is data for.

import type { Html } from './html.ts';
import type { ReportInput } from './input.ts';
import { page } from './page.ts';
import { overlaySection } from './section_overlays.ts';
import { methodsSection, provenanceSection } from './section_provenance.ts';
import { resourcesSection } from './section_resources.ts';
import { resultsSection } from './section_results.ts';
import { runsSection } from './section_runs.ts';
import { slicesSection } from './section_slices.ts';
import { surfacesSection } from './section_surfaces.ts';
import { trainingSection } from './section_training.ts';
import { verdictSection } from './section_verdict.ts';

/** The whole report as one HTML document. The same input gives the same bytes. */
export function renderReport(input: ReportInput): string {
  const sections: { id: string; title: string; body: Html | null }[] = [
    { id: 'verdict', title: 'Verdict', body: verdictSection(input) },
    { id: 'overlays', title: 'Best, median and worst case', body: overlaySection(input.overlays, input.summary) },
    { id: 'results', title: 'Results per class and case', body: resultsSection(input) },
    { id: 'slices', title: 'Annotated and unannotated slices', body: slicesSection(input.trainingSummary ?? input.summary) },
    { id: 'surfaces', title: 'Surfaces and volumes', body: surfacesSection(input.summary, input.overlays, input.viewer !== undefined) },
    { id: 'runs', title: 'Runs compared', body: runsSection(input.runs) },
    { id: 'training', title: 'Training', body: trainingSection(input.log) },
    { id: 'resources', title: 'Time and memory', body: resourcesSection(input.stages, input.machine) },
    { id: 'methods', title: 'How the numbers are defined', body: methodsSection(input.summary) },
    { id: 'provenance', title: 'Provenance', body: provenanceSection(input.provenance) },
  ];
  return page({ title: input.title, byline: `Segmentation report${input.date ? `, ${input.date}` : ''}`, sections, viewer: input.viewer });
}
