// SPDX-License-Identifier: MIT
import { decode } from 'fast-png';
import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import { compareMethods, type MethodRuns } from '../../src/metrics/compare_methods.ts';
import type { Summary } from '../../src/metrics/summary.ts';
import { predictedSurface } from '../../src/metrics/surface_mesh.ts';
import { metricCells, type Comparison } from '../../src/report/comparison.ts';
import { renderComparison } from '../../src/report/comparison_page.ts';
import { labelOffsets } from '../../src/report/comparison_bubbles.ts';
import { comparisonCsv, comparisonLatex, latexText } from '../../src/report/comparison_text.ts';
import { renderReport } from '../../src/report/report.ts';
import { distanceColour, hex } from '../../src/report/palette.ts';
import { colouredSurface, packed, stillPicture } from '../../src/report/surface_picture.ts';
import { block, evaluation, fullInput } from './fixture.ts';

const CLASSES = [{ label: 1, name: 'nodule' }];
const methods = (name = (n: string) => n): MethodRuns[] =>
  [0, 1, 2].map((grown) => ({
    name: name(`grown ${grown}`),
    summaries: [evaluation(CLASSES, grown).summary],
    parameters: 10 ** (4 + grown),
    seconds: grown === 2 ? null : 0.5,
  }));
function comparison(name = (n: string) => n): Comparison {
  const all = methods(name),
    table = compareMethods(all, all[0].name, { resamples: 50 });
  return {
    notices: [name('They differ.')],
    methods: table,
    ablation: table,
    level: 0.95,
    tolerance: 1,
    runs: [{ method: all[0].name, run: name('run'), fold: 0, seed: 1, evaluated: '7 held-out cases' }],
    surfaces: [
      { title: name('best'), note: name('case'), reference: block([2, 4, 4], [6, 8, 8]), prediction: block([2, 4, 4], [6, 9, 8]) },
      { title: name('worst'), note: '', reference: block([2, 4, 4], [6, 8, 8]), prediction: block([0, 0, 0], [0, 0, 0]) },
    ],
  };
}
const render = (c: Comparison, viewer?: string): string =>
  renderComparison(c, { title: 't', date: 'today', ...(viewer !== undefined && { viewer }) });

describe('compareMethods', () => {
  it('means are those of the summary, differences those on pairs; lower HD95 is better', () => {
    const { rows, alpha } = compareMethods(methods(), 'grown 0', { resamples: 50 });
    expect(alpha).toBe(0.05);
    for (const [i, { metrics }] of rows.entries())
      for (const metric of ['Dice', 'IoU', 'BF', 'HD95'] as const)
        expect(metrics[metric].mean).toBeCloseTo(methods()[i].summaries[0].foreground.metrics[metric].mean!, 12);
    expect(rows.map((row) => row.against?.IoU.n_cases)).toEqual([undefined, 7, 7]);
    // One case is missed by all: HD95 has six pairs, and one that is left out.
    expect([rows[1].against!.HD95.n_cases, rows[1].against!.HD95.n_unpaired]).toEqual([6, 1]);
    // Six differing pairs, two tests: the smallest p is 2 x 2 / 64 = 0.0625, so nothing is bold; with one test it is 0.031.
    expect(rows.map((row) => row.best)).toEqual([[], [], []]);
    const [two] = [compareMethods([methods()[0], methods()[2]], 'grown 2', { resamples: 50 })];
    expect(two.rows[0].best).toContain('IoU');
    expect(two.rows[1].best).toEqual([]);
  });

  it('a method that misses a case gains nothing by it: its distances say how many they leave out, and are not the best', () => {
    const { summary } = evaluation(CLASSES, 1);
    const fold = (shift: number, name: string): typeof summary => {
      const own = structuredClone(summary);
      for (const entry of own.metric_per_case) {
        entry.case += name;
        for (const m of Object.values(entry.metrics)) if (m.HD95 !== null) m.HD95 += shift;
      }
      return own;
    };
    const run = (name: string, shift: number): MethodRuns => ({
      name,
      summaries: [fold(shift, ''), fold(shift, ' again')],
      parameters: 1,
      seconds: 1,
    });
    const [near, far] = [run('near', 0), run('far', 1)];
    expect(compareMethods([near, far], 'far', { resamples: 50 }).rows.map((row) => row.best)).toEqual([['HD95'], []]);
    const missed = near.summaries[1].metric_per_case.find(({ metrics }) => metrics[1].HD95 !== null)!;
    Object.assign(missed.metrics[1], { HD95: null, Dice: 0, IoU: 0 });
    const table = compareMethods([near, far], 'far', { resamples: 50 });
    expect(table.rows.map((row) => row.best.includes('HD95'))).toEqual([false, false]);
    expect(table.rows.map((row) => metricCells(row, 'HD95').without)).toEqual(['without 3', 'without 2']);
    expect(table.rows.map((row) => metricCells(row, 'Dice').without)).toEqual(['', '']);
    const shown = { ...comparison(), methods: table, ablation: null };
    expect(render(shown).replace(/\s+/g, ' ')).toMatch(/<small>without 3<\/small>/);
    expect(comparisonLatex(shown)).toMatch(/, without 3\}.*Without: cases|Without: cases[^]*, without 3\}/);
  });

  it('a seed that misses everything does not hide behind another: what it leaves out is counted, and its method is not the best', () => {
    const seed = (shift: number, empty = false): Summary => {
      const own = structuredClone(evaluation(CLASSES, 1).summary);
      for (const { metrics } of own.metric_per_case) {
        if (metrics[1].HD95 === null) continue;
        Object.assign(metrics[1], empty ? { HD95: null, Dice: 0, IoU: 0 } : { HD95: metrics[1].HD95 + shift });
      }
      return own;
    };
    const run = (name: string, ...summaries: Summary[]): MethodRuns => ({ name, summaries, parameters: 1, seconds: 1 });
    const best = (near: MethodRuns) => compareMethods([near, run('far', seed(1), seed(1))], 'far', { resamples: 50 });
    expect(best(run('near', seed(0), seed(0))).rows.map((row) => [row.best, row.without.HD95])).toEqual([
      [['HD95'], 2],
      [[], 2],
    ]);
    const table = best(run('near', seed(0), seed(0, true)));
    expect(table.rows[0].metrics.HD95).toMatchObject({ n_defined: 6 });
    expect(table.rows.map((row) => row.best.includes('HD95'))).toEqual([false, false]);
    expect(table.rows.map((row) => metricCells(row, 'HD95').without)).toEqual(['without 8', 'without 2']);
    const [head, near] = comparisonCsv({ ...comparison(), methods: table, ablation: null })
      .split('\n')
      .map((line) => line.split(','));
    expect(near[head.indexOf('HD95_undefined')]).toBe('8');
  });

  it('several classes, folds and seeds: means as one evaluation has them', () => {
    const both = evaluation([
      { label: 1, name: 'a' },
      { label: 2, name: 'b' },
    ]).summary;
    const {
      rows: [row],
    } = compareMethods([{ name: 'm', summaries: [both, both], parameters: null, seconds: null }], 'm', { resamples: 50 });
    expect(row.metrics.Dice.mean).toBeCloseTo(both.foreground.metrics.Dice.mean!, 12);
    expect([row.n_cases, row.n_runs]).toEqual([7, 2]);
  });
});

describe('as text', () => {
  it('LaTeX prints what names say and obeys none of it', () => {
    expect(latexText('a_b & 50 % of {x} \\input{/etc/passwd} $y$ ^~#')).toBe(
      'a\\_b \\& 50 \\% of \\{x\\} \\textbackslash{}input\\{/etc/passwd\\} \\$y\\$ \\textasciicircum{}\\textasciitilde{}\\#',
    );
    expect(latexText('[1] "q"\nnext\u202e')).toBe('{[}1{]} \\textquotedbl{}q\\textquotedbl{} next ');
    const evil = comparisonLatex(comparison((n) => `\\write18{rm}\n${n}%`));
    expect(evil).not.toMatch(/(?<!\\textbackslash\{\})write18/);
    for (const line of evil.split('\n'))
      expect(line).toMatch(
        /^(%|\\(begin|end|centering|caption|resizebox|toprule|midrule|addlinespace|bottomrule)|\\textbackslash|Method|$)/,
      );
    for (const row of evil.split('\n').filter((line) => / & /.test(line))) expect(row.replace(/\\&/g, '').split(' & ')).toHaveLength(9);
  });

  it('LaTeX names letters that a plain TeX has not, and breaks long names', () => {
    expect(latexText('tumour_β é')).toBe('tumour\\_$\\beta$ é');
    expect(comparisonLatex(comparison((n) => `β é ${n}`))).not.toMatch(/LuaLaTeX/);
    expect(comparisonLatex(comparison((n) => `結節 ${n}`))).toMatch(/LuaLaTeX or XeLaTeX/);
    expect(comparisonLatex(comparison())).toContain('\\begin{tabular}{lrrrrrrrr}');
    expect(comparisonLatex(comparison((n) => `${n} with a name of some length`))).toContain('p{10em}rrrrrrrr}');
  });

  it('names beside bubbles overlap neither each other nor a bubble, and stay in the frame', () => {
    const placed = Array.from({ length: 7 }, (_, i) => ({ x: 96 + 9 * i, y: 100, radius: 3 * i, name: `a method called ${i}` }));
    const boxes = labelOffsets(placed).map(({ dx, dy }, i) => ({ x: placed[i].x + dx, y: placed[i].y + dy }));
    const wide = 3.3 * placed[0].name.length;
    for (const [i, a] of boxes.entries()) {
      expect(a.x - wide).toBeGreaterThan(56);
      for (const b of boxes.slice(i + 1)) expect(Math.abs(a.x - b.x) >= 2 * wide || Math.abs(a.y - b.y) >= 15).toBe(true);
    }
  });

  it('CSV has one line a row and no formula', () => {
    const lines = comparisonCsv(comparison((n) => `=cmd|'/c calc'!A1,${n}`))
      .trim()
      .split('\n');
    expect(lines).toHaveLength(7);
    for (const line of lines.slice(1)) expect(line).toMatch(/^(methods|ablation),"'=cmd/);
  });

  it('the page treats every name as text, and runs only its own scripts', () => {
    const evil = '<script>alert(1)</script><img src=x onerror=y>';
    const page = render(
        comparison((n) => evil + n),
        '/* library </script> */',
      ),
      { document } = parseHTML(page);
    expect(document.querySelectorAll('script').length).toBe(2);
    expect(document.querySelectorAll('img').length).toBe(0);
    expect(render(comparison())).not.toContain('<script');
    expect(render({ ...comparison(), surfaces: [] }, 'library')).not.toContain('<script');
  });

  it('tables say who is the reference, bubbles have one circle a method', () => {
    const { document } = parseHTML(render(comparison()));
    expect([...document.querySelectorAll('h2')].map((h) => h.id)).toEqual([
      'differs',
      'methods',
      'ablation',
      'bubbles',
      'surfaces',
      'runs',
    ]);
    expect(document.querySelector('table tbody tr')!.textContent).toMatch(/grown 0[^]*reference/);
    expect(document.querySelectorAll('#bubbles ~ figure circle').length).toBe(3);
    expect(document.getElementById('surfaces')!.parentElement!.textContent).toContain('Nothing is predicted');
  });
});

describe('surfaces in a page', () => {
  const mesh = predictedSurface(block([2, 4, 4], [6, 8, 8]), block([2, 4, 4], [6, 10, 8]), 1, 1e5)!;
  const surface = colouredSurface([mesh], 0.5);

  it('colours are green within the tolerance and diverge beyond it', () => {
    expect(distanceColour(0.5, 0.5)).toEqual(distanceColour(0, 0.5));
    const [r, g, b] = distanceColour(0, 1);
    expect(g).toBeGreaterThan(Math.max(r, b));
    expect(distanceColour(-9, 1)[2]).toBeGreaterThan(distanceColour(-9, 1)[0]);
    expect(distanceColour(9, 1)[0]).toBeGreaterThan(distanceColour(9, 1)[2]);
    expect(new Set([0, -1.1, -9, 1.1, 9, NaN].map((d) => hex(distanceColour(d, 1)))).size).toBe(6);
  });

  it('the still picture shows it in its middle, and its colours', () => {
    const { width, height, channels, data } = decode(stillPicture(surface, 64));
    expect([width, height, channels]).toEqual([64, 64, 4]);
    expect(data[(32 * 64 + 32) * 4 + 3]).toBe(255);
    expect(data[3]).toBe(0);
    const covered = data.filter((_, i) => i % 4 === 3 && data[i] > 0).length / (64 * 64);
    expect(covered).toBeGreaterThan(0.2);
    expect(covered).toBeLessThan(0.9);
  });

  it('packs 12 bytes a corner and 6 a triangle', () => {
    const { data, corners, triangles } = packed(surface);
    expect(Buffer.from(data, 'base64').length).toBe(12 * corners + 6 * triangles);
    expect([corners, triangles]).toEqual([mesh.distances.length, mesh.triangles.length / 3]);
    expect(Math.max(...surface.positions.map(Math.abs))).toBeLessThanOrEqual(1);
  });

  it('stand in the report too, to be turned where the library is given', () => {
    const input = fullInput();
    expect(renderReport(input)).toContain('by its distance to the reference');
    const { document } = parseHTML(renderReport({ ...input, viewer: 'library' }));
    expect(document.querySelectorAll('#surfaces ~ figure .surface, .surface').length).toBe(3);
    expect(document.querySelectorAll('script').length).toBe(2);
  });
});
