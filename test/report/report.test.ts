// SPDX-License-Identifier: MIT
import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import type { Evaluated } from '../../src/metrics/summary.ts';
import type { ReportInput } from '../../src/report/input.ts';
import { renderReport } from '../../src/report/report.ts';
import { chooseOverlayCases, rankCases } from '../../src/report/overlay_choice.ts';
import { evaluation, fullInput } from './fixture.ts';

const page = renderReport(fullInput());
const { document } = parseHTML(page);
const textOf = (selector: string): string =>
  [...document.querySelectorAll(selector)]
    .map((element) => element.textContent)
    .join(' ')
    .replace(/\s+/g, ' ');
const sectionText = (id: string): string => document.getElementById(id)!.parentElement!.textContent.replace(/\s+/g, ' ');

describe('the page', () => {
  it('has the sections there is data for, and no others', () => {
    expect([...document.querySelectorAll('h2')].map((h) => h.id)).toEqual([
      'verdict',
      'overlays',
      'results',
      'slices',
      'surfaces',
      'runs',
      'training',
      'resources',
      'methods',
      'provenance',
    ]);
    const bare = parseHTML(renderReport({ title: 'nothing yet' })).document;
    expect(bare.querySelectorAll('h2, nav, figure, table').length).toBe(0);
    expect(bare.querySelector('h1')!.textContent).toBe('nothing yet');
    const some = parseHTML(renderReport({ title: 't', stages: [{ name: 'train', seconds: 3 }] })).document;
    expect([...some.querySelectorAll('h2')].map((h) => h.id)).toEqual(['resources']);
  });

  it('needs nothing from outside and runs nothing', () => {
    const addresses = [...page.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, address]) => address);
    expect(addresses.length).toBeGreaterThan(30);
    for (const address of addresses) expect(address).toMatch(/^(#|data:)/);
    expect(page).not.toMatch(/<script|@import|url\(/i);
    expect(page).toContain('Not for clinical use');
  });

  it('has no dead link and no id twice', () => {
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, target] of page.matchAll(/href="#([^"]*)"/g)) expect(ids).toContain(target);
  });

  it('says what every picture shows', () => {
    const pictures = [...document.querySelectorAll('svg')].filter((svg) => svg.parentElement!.closest('svg') === null);
    expect(pictures.length).toBeGreaterThan(30);
    for (const svg of pictures) {
      expect(svg.getAttribute('role')).toBe('img');
      expect(svg.getAttribute('aria-label')!.length).toBeGreaterThan(5);
    }
    for (const figure of document.querySelectorAll('figure'))
      expect(figure.querySelector('figcaption')!.textContent.length).toBeGreaterThan(10);
  });

  it('treats every name as text', () => {
    const evil = `<script>alert("1")</script><img src=x onerror='x'>&amp;`;
    const hostile = renderReport(fullInput(evil));
    const parsed = parseHTML(hostile).document;
    expect(parsed.querySelectorAll('script, img').length).toBe(0);
    expect(hostile).not.toContain('<script');
    expect(hostile).not.toContain('<img');
    expect(parsed.querySelector('h1')!.textContent).toBe(`${evil}title`);
    // Chart text too: series and run names.
    expect([...parsed.querySelectorAll('svg text')].some((text) => text.textContent.startsWith(evil.slice(0, 30)))).toBe(true);
    const ids = [...hostile.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[\w-]+$/);
  });

  it('is the same for the same input', () => {
    expect(renderReport(fullInput())).toBe(page);
  });
});

describe('what the sections say', () => {
  const { summary } = fullInput();

  it('verdict: the means, their intervals, the share annotated, what was left out', () => {
    const { Dice, BF } = summary!.foreground.metrics;
    const verdict = textOf('.verdict');
    for (const value of [Dice.mean!, Dice.ci![0], Dice.ci![1], BF.mean!]) expect(verdict).toContain(value.toFixed(1));
    expect(verdict).toContain('33.3 % of the voxels');
    expect(verdict).toContain('seven cases');
    expect(sectionText('verdict')).toContain('1 missed altogether');
    expect(sectionText('verdict')).toContain('1 left out because nobody drew that class');
    expect(sectionText('verdict')).toContain('78.7');
  });

  const words = (change: Partial<ReportInput>): string =>
    parseHTML(renderReport({ ...fullInput(), ...change }))
      .document.getElementById('verdict')!
      .parentElement!.textContent.replace(/\s+/g, ' ');
  const evaluated = (cases: Evaluated['cases']): Evaluated => ({ cases, n_cases: 7, n_patients: 7, masks: null, changed: [] });

  it('verdict: says where cases were trained on, masks copied, predictions missing or changed', () => {
    expect(words({ summary: { ...summary!, evaluated: evaluated('held out') } })).not.toMatch(/No held-out|copied|no prediction/);
    expect(words({ summary: { ...summary!, evaluated: evaluated('trained on') } })).toContain(
      'No held-out result: the model was trained on these cases',
    );
    const copied = { ...summary!, metric_per_case: summary!.metric_per_case.map((c) => ({ ...c, n_copied: 9 })) };
    expect(words({ summary: copied })).toMatch(/on the voxels that were not annotated, of seven cases[^]*were copied from the labels/);
    expect(words({ summary: { ...summary!, missing: ['a', 'b'], unused: ['z'] } })).toMatch(
      /2 cases have no prediction and count as an empty mask: a, b\.[^]*1 prediction has no reference and is not scored: z/,
    );
    expect(words({ summary: { ...summary!, evaluated: { ...evaluated('held out'), changed: ['c'] } } })).toMatch(
      /not as they were predicted[^]*: c\./,
    );
    expect(words({ summary: { ...summary!, training: { ...summary!, evaluated: evaluated('trained on') } } })).toMatch(
      /Not in these numbers: 7 cases that the model was trained on, with a Dice of \d/,
    );
    expect(words({ notices: ['Mind this.'] })).toContain('Mind this.');
  });

  it('verdict: names a network that does better alone than the headline', () => {
    const better = evaluation(
      [
        { label: 1, name: 'nodule' },
        { label: 2, name: 'vessel' },
      ],
      0,
    ).summary;
    expect(
      words({
        networks: [
          { name: 'ensemble', summary: summary! },
          { name: 'sam', summary: better },
        ],
      }),
    ).toMatch(/“sam” alone does better on these cases: Dice \d+\.\d %, against \d+\.\d % of “ensemble”/);
    expect(
      words({
        networks: [
          { name: 'ensemble', summary: better },
          { name: 'sam', summary: summary! },
        ],
        summary: better,
      }),
    ).not.toContain('alone');
    expect(
      words({
        networks: [
          { name: 'ensemble', summary: better },
          { name: 'sam', summary: summary! },
        ],
        headline: 'sam',
      }),
    ).toContain('“ensemble” alone does better');
  });

  it('surfaces: the labels of limits of agreement keep apart where the spread is small', () => {
    const alike = {
      ...summary!,
      metric_per_case: summary!.metric_per_case.map((c) => ({
        ...c,
        metrics: { ...c.metrics, 1: { ...c.metrics['1'], n_ref: 10, n_pred: 8, volume_ref_mm3: 1000, volume_pred_mm3: 800 } },
      })),
    };
    for (const given of [summary!, alike]) {
      const drawn = parseHTML(renderReport({ title: 't', summary: given })).document;
      const heights = [...drawn.querySelectorAll('#surfaces ~ .pair svg text, section text')]
        .filter((t) => /^(bias|[+−]1\.96)/.test(t.textContent))
        .map((t) => {
          let y = 0;
          for (let at: any = t; at && at.tagName.toLowerCase() !== 'svg'; at = at.parentElement)
            y += Number(/translate\([^,]+,([^)]+)\)/.exec(at.getAttribute('transform') ?? '')?.[1] ?? 0);
          return y;
        })
        .sort((a, b) => a - b);
      expect(heights).toHaveLength(3);
      for (const k of [1, 2]) expect(heights[k] - heights[k - 1]).toBeGreaterThanOrEqual(12);
    }
  });

  it('training: agreement in whole per cent, and how many iterations the points are', () => {
    const log = [0, 10, 20].map((iteration) => ({
      iteration: iteration + 1,
      loss: { net: 1 },
      agreement: { planes: iteration === 10 ? 0 : 1 },
    }));
    const drawn = parseHTML(renderReport({ title: 't', log })).document;
    const shown = drawn.body.textContent.replace(/\s+/g, ' ');
    expect(shown).toMatch(/21 iterations, of which 3 are in the log and drawn/);
    const ticks = [...drawn.querySelectorAll('text')].map((t) => t.textContent);
    expect(ticks).toContain('80');
    expect(ticks.filter((t) => /e[+-]?\d/.test(t))).toEqual([]);
    expect(shown).toMatch(/Every point is one iteration on one region/);
  });

  it('results: one row a class and a case, worst case first and linked', () => {
    const rows = [...document.querySelectorAll('table.cases tbody tr')];
    expect(rows.length).toBe(7);
    expect(rows[0].textContent).toContain('missed nodule');
    expect(document.querySelectorAll('table.cases tbody tr[id]').length).toBe(7);
    expect(sectionText('results')).toContain('unlabelled vessel');
    expect([...document.querySelectorAll('ol li a')].some((a) => a.getAttribute('href')!.startsWith('#case-'))).toBe(true);
  });

  it('slices: annotated against unannotated, in points', () => {
    const { contrast } = summary!.slice_distance!;
    expect(sectionText('slices')).toContain(`On annotated planes Dice is ${contrast!.annotated.toFixed(1)} %`);
    expect(sectionText('slices')).toContain('0 (annotated)');
  });

  it('runs: paired difference, p and effect against the first', () => {
    const cells = [...document.getElementById('runs')!.parentElement!.querySelectorAll('table')][1].querySelector('tbody tr')!;
    expect(cells.textContent).toContain('ablated');
    expect([...cells.querySelectorAll('td')].map((td) => td.textContent)[0]).toBe('7');
    expect(cells.textContent).toMatch(/−\d/);
  });

  it('training: says up to where the loss is of painting', () => {
    expect(sectionText('training')).toContain('Up to iteration 2 no label was learnt');
  });

  it('training: resume points are marked in every chart', () => {
    expect(sectionText('training')).toContain('resumed 1 time, at iteration 3');
    const charts = [...document.getElementById('training')!.parentElement!.querySelectorAll('svg')];
    expect(charts.length).toBe(4);
    for (const svg of charts) expect(svg.querySelectorAll('[stroke-dasharray] line, line[stroke-dasharray]').length).toBe(1);
  });

  it('resources: durations and bytes in words people use', () => {
    expect(sectionText('resources')).toContain('1 h 02 min');
    expect(sectionText('resources')).toContain('8.3 s');
    expect(sectionText('resources')).toContain('3.0 GiB');
    expect(sectionText('resources')).toContain('2147483648 (2.0 GiB)');
  });

  it('methods: the tolerance and the rule of the undefined are printed', () => {
    expect(sectionText('methods')).toContain('θ = 1 voxel');
    expect(sectionText('methods')).toContain('50 resamples, seed 1337');
  });
});

describe('choice of cases', () => {
  it('is best, median and worst, each once', () => {
    const { summary } = evaluation([{ label: 1, name: 'nodule' }]);
    const ranked = rankCases(summary);
    expect(ranked.map(({ dice }) => dice)).toEqual(ranked.map(({ dice }) => dice).sort((a, b) => b - a));
    expect(chooseOverlayCases(summary)).toEqual([ranked[0].case, ranked[3].case, 'case 5']);
    expect(chooseOverlayCases({ ...summary, metric_per_case: summary.metric_per_case.slice(0, 1) })).toEqual(['case 0']);
    expect(chooseOverlayCases({ ...summary, metric_per_case: [] })).toEqual([]);
  });
});
