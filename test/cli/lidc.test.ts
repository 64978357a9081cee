// SPDX-License-Identifier: MIT
// What `npm run lidc` makes of its five evaluations.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../src/metrics/compare.ts';
import type { LabelMap } from '../../src/metrics/mask.ts';
import { evaluateCase } from '../../src/metrics/evaluate.ts';
import { summarise, type Summary } from '../../src/metrics/summary.ts';
import { scratch } from '../data/helpers.ts';

// Plain scripts, so they have no types.
const { assertRuns, assertSource, readOptions } = await import(new URL('../../scripts/lidc/options.mjs', import.meta.url).href);
const { ANNOTATIONS, comparedWith, referencesOf, table } = await import(new URL('../../scripts/lidc/results.mjs', import.meta.url).href);

/** Eight cases of 20 voxels, of which the prediction misses some. */
function summary(missed: number): Summary {
  const map = (n: number): LabelMap => ({
    data: Uint8Array.from({ length: 400 }, (_, i) => Number(i % 20 < 10 && Math.floor(i / 20) < n)),
    size: [1, 20, 20],
    spacing: [1, 1, 1],
  });
  const classes = [{ label: 1, name: 'nodule' }];
  return summarise(
    Array.from({ length: 8 }, (_, i) =>
      evaluateCase(
        { case: `c${i}`, reference_file: 'r', prediction_file: 'p', reference: map(16), prediction: map(16 - missed - (i % 3)) },
        classes,
      ),
    ),
    classes,
  );
}
const summaries = { transverse: summary(1), transverse_alone: summary(4), budget: summary(2), budget_alone: summary(3), dense: summary(0) };

describe('the runs on LIDC', () => {
  it('are measured against their own control and the dense labels', () => {
    expect(ANNOTATIONS).toEqual(['transverse', 'budget']);
    for (const annotation of ['transverse', 'budget'] as const) {
      const references = referencesOf(annotation, summaries);
      expect(references.map((r: any) => r.role)).toEqual(['published', 'upper bound', 'baseline']);
      expect(references[1].summary).toBe(summaries.dense);
      expect(references[2]).toMatchObject({ name: `sparse labels alone (${annotation})` });
      expect(references[2].summary).toBe(summaries[`${annotation}_alone`]);
      expect(comparedWith(annotation, Object.keys(summaries))).toEqual([`${annotation}_alone`, 'dense']);
    }
    expect(referencesOf('budget', { budget: summaries.budget }).map((r: any) => r.role)).toEqual(['published']);
    expect(comparedWith('budget', ['budget'])).toEqual([]);
  });

  it.each([
    [['--suite', 'table9'], /--suite: got table9, expected table1, table2, scarce/],
    [['--seeds', '3'], /--seeds: got 3 without --suite, which it does not change/],
    [['--set', 'training.batch=4'], /--set: got training\.batch=4 without --suite/],
    [['--runs', '2'], /--runs: got 2 without --suite/],
    [['--suite', 'table2', '--methods', 'vnet'], /--methods: got vnet with --suite table2, which it does not change/],
    [['--suite', 'table1', '--only', 'dense'], /--only: got dense with --suite table1/],
    [['--iterations', '1e2x'], /--iterations: got 1e2x, expected a whole number above 0/],
    [['--suite', 'table1', '--seeds', '1.5'], /--seeds: got 1\.5, expected a whole number/],
    [['--suit', 'table1'], /Unknown option '--suit'/],
  ])('%j are refused: they would be taken for something else', (argv, message) => {
    expect(() => readOptions(argv)).toThrow(message);
  });

  it('that are there are of the preset and length asked for, on data of the source named', () => {
    const out = scratch();
    mkdirSync(join(out, 'dense'));
    writeFileSync(join(out, 'dense/plan.json'), JSON.stringify({ preset: 'tiny', training: { iterations: 1000 } }));
    const runs = (preset: string, iterations: number) => () => assertRuns(out, ['transverse', 'dense'], { preset, iterations });
    expect(runs('tiny', 1000)).not.toThrow();
    expect(runs('tiny', 300)).toThrow(/dense.plan\.json: a run of tiny, 1000 iterations, expected tiny, 300/);
    expect(runs('demo', 1000)).toThrow(/expected demo, 1000/);
    const file = join(out, 'source.txt');
    expect(() => assertSource(file, '/b')).not.toThrow(); // imported before places were kept
    writeFileSync(file, '/a\n');
    expect(() => assertSource(file, undefined)).not.toThrow();
    expect(() => assertSource(file, '/a')).not.toThrow();
    expect(() => assertSource(file, '/b')).toThrow(/--source: got \/b, but the data there were imported from \/a/);
  });

  it('lie where they were asked for, wherever the script was started', () => {
    const script = new URL('../../scripts/lidc.mjs', import.meta.url).pathname;
    const { status, stderr } = spawnSync(process.execPath, [script, '--source', 'no/such', '--out', 'no/where'], {
      cwd: realpathSync(tmpdir()),
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([3, expect.stringContaining(join(realpathSync(tmpdir()), 'no/such'))]);
  });

  it('are printed with the paired difference and its interval', () => {
    const text: string = table(summaries, compareRuns);
    const [{ difference, ci }] = compareRuns(
      { name: 'a', summaries: [summaries.transverse_alone] },
      [{ name: 'b', summaries: [summaries.transverse] }],
      'Dice',
    ) as [any];
    expect(difference).toBeGreaterThan(5);
    expect(text).toContain(
      `transverse: SA-Net minus sparse labels alone, paired, 95 % interval\n  Dice         +${difference.toFixed(1)} points ` +
        `[+${ci[0].toFixed(1)}, +${ci[1].toFixed(1)}], 8 cases, Wilcoxon p 0.0`,
    );
    expect(text).toMatch(/budget: SA-Net minus[^]*boundary F1/);
    expect(table({ dense: summaries.dense, budget: summaries.budget }, compareRuns)).not.toMatch(/minus/);
  });

  it('are named by the script as they are here', () => {
    const script = readFileSync(new URL('../../scripts/lidc.mjs', import.meta.url), 'utf8');
    for (const name of Object.keys(summaries)) expect(script).toMatch(new RegExp(`^ {2}${name}: \\[`, 'm'));
  });
});
