// SPDX-License-Identifier: MIT
// What a score stands for: nothing that is missing, copied or trained on hides in a mean.
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { claimFolder, recordCase, sourceDigest, type Source } from '../../src/cli/mask_source.ts';
import { annotationWeight, type Planes } from '../../src/data/annotations.ts';
import type { Volume } from '../../src/data/volume.ts';
import { digestFile } from '../../src/files/digest.ts';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import { scratch } from '../data/helpers.ts';
import { tinyDataset, tinyPlan, writePlan } from '../train/tiny_run.ts';
import { voxelgrad, type Said } from './voxelgrad.ts';

const root = scratch();
const at = (...parts: string[]): string => join(root, ...parts);
const json = (...parts: string[]): any => JSON.parse(readFileSync(at(...parts), 'utf8'));
const labelOf = (name: string): string => at('data/labelsTr', `${name}.nii.gz`);
const imageOf = (name: string): string => at('data/imagesTr', `${name}_0000.nii.gz`);
const [A, B, C, D, E, F] = [0, 1, 2, 3, 4, 5].map((k) => `phantom_00${k}`) as [string, string, string, string, string, string];
const FOLD = { train: [A, B, C], selection: [D], test: [E, F] };

const verb = (...argv: string[]): Promise<Said> => voxelgrad(argv);
const evaluate = async (masks: string, ...more: string[]): Promise<any> => {
  const { code, out, err } = await verb('eval', at('data'), at(masks), '--json', ...more);
  return { code, err, ...(out ? JSON.parse(out) : {}) };
};

/** A label with its foreground moved by `shift` voxels along W. */
async function shifted(name: string, shift: number): Promise<Volume> {
  const label = await readVolume(labelOf(name));
  const data = (label.data as Uint8Array).slice();
  if (shift > 0) data.copyWithin(shift, 0);
  return { ...label, data };
}

/** A folder of masks as predict or label would leave it: case -> how far its mask is off. */
async function masksOf(
  folder: string,
  verb: Source['verb'],
  cases: Record<string, number>,
  scans: (name: string) => string = imageOf,
): Promise<string> {
  const plan = tinyPlan();
  const source: Source = {
    version: 2,
    verb,
    run: at('run'),
    checkpoint: at('run/checkpoints/best.safetensors'),
    weights: 'sha256:00',
    iteration: 4,
    plan: 'p',
    prediction: plan.prediction,
    headline: 'ensemble',
    voxelgrad: '0',
  };
  claimFolder(at(folder), source);
  for (const [name, shift] of Object.entries(cases)) {
    const mask = await shifted(name, shift);
    if (verb === 'label') copyAnnotated(mask, await readVolume(labelOf(name)), json('data/annotations.json')[name]);
    await writeVolume(at(folder, `${name}.nii.gz`), mask);
    await recordCase(at(folder), name, { source: sourceDigest(source), scan: await digestFile(scans(name)) }, [`${name}.nii.gz`]);
  }
  return folder;
}
function copyAnnotated(mask: Volume, label: Volume, planes: Planes): void {
  const weight = annotationWeight(mask.size, planes, 'test');
  for (let i = 0; i < weight.length; i++) if (weight[i]) mask.data[i] = label.data[i]!;
}

beforeAll(async () => {
  await tinyDataset(at('data'));
  mkdirSync(at('run'));
  writePlan(at('run'), tinyPlan());
  writeFileSync(at('run/run.json'), JSON.stringify({ version: 1, dataset: at('data'), fold: FOLD, predictedWith: ['sha256:00'] }));
});

describe('what a mean leaves out', () => {
  it('is said: distances where one mask is empty, classes that no reference holds', async () => {
    for (const part of ['r', 'p']) mkdirSync(at('empty', part), { recursive: true });
    for (const [name, value] of [
      ['a', 1],
      ['b', 255],
      ['c', 0],
    ] as const) {
      const label = await readVolume(labelOf(A));
      await writeVolume(at('empty/r', `${name}.nii.gz`), label);
      await writeVolume(at('empty/p', `${name}.nii.gz`), { ...label, data: Uint8Array.from(label.data, (v) => v * value) });
    }
    const { out } = await verb('eval', at('empty/r'), at('empty/p'));
    expect(out).toMatch(/No reference holds class_255, and predictions do: are the masks numbered alike\?/);
    expect(out).toMatch(/HD95 and ASSD are over 1 of 4 pairs of case and class: in 3 one of the masks is empty\./);
  });
});

describe('a reference without a prediction', () => {
  const folders = async (name: string, references: string[], predictions: string[]): Promise<[string, string]> => {
    for (const [part, files] of [
      ['r', references],
      ['p', predictions],
    ] as const) {
      mkdirSync(at(name, part), { recursive: true });
      for (const [k, file] of files.entries()) copyFileSync(labelOf([A, B, C][k]), at(name, part, `${file}.nii.gz`));
    }
    return [at(name, 'r'), at(name, 'p')];
  };
  it('is scored as an empty mask, said everywhere, and exit code 3', async () => {
    const [r, p] = await folders('missing', ['a', 'b', 'c'], ['a']);
    const { code, out } = await verb('eval', r, p);
    expect(code).toBe(3);
    expect(out).toMatch(/2 references have no prediction: b, c; scored as empty masks/);
    const whole = await verb('eval', r, p, '--json');
    expect(whole.code).toBe(3);
    const summary = json('missing/p/summary.json');
    expect(JSON.parse(whole.out)).toEqual(summary);
    expect(summary).toMatchObject({ missing: ['b', 'c'], missing_scored: true, unused: [], evaluated: { cases: 'not known', n_cases: 3 } });
    expect(summary.foreground_mean.Dice).toBeCloseTo(1 / 3, 12);
    expect(summary.foreground).toMatchObject({ n_pairs: 3, n_missed: 2, n_not_predicted: 2 });
    expect(summary.metric_per_case.map((c: any) => [c.case, c.prediction_file === null])).toEqual([
      ['a', false],
      ['b', true],
      ['c', true],
    ]);
    const rows = readFileSync(at('missing/p/metrics.csv'), 'utf8').trim().split('\n');
    expect(rows.map((row) => [row.split(',')[0], row.split(',').at(-1)])).toEqual([
      ['case', 'prediction'],
      ['a', ''],
      ['b', 'missing'],
      ['c', 'missing'],
    ]);
  });
  it('is left out of the means where that is asked for, and still counted', async () => {
    const [r, p] = await folders('allowed', ['a', 'b', 'c'], ['a']);
    const { code, out } = await verb('eval', r, p, '--json', '--allow-missing');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      missing: ['b', 'c'],
      missing_scored: false,
      foreground_mean: { Dice: 1 },
      foreground: { n_pairs: 1, n_not_predicted: 2 },
    });
    expect(
      readFileSync(at('allowed/p/metrics.csv'), 'utf8')
        .split('\n')
        .filter((row) => row.endsWith(',missing')),
    ).toHaveLength(2);
  });
  it('and a reference of a kind that is not read is refused: without it the means would be of fewer cases', async () => {
    const [r, p] = await folders('kinds', ['a', 'b'], ['a', 'b']);
    for (const folder of [r, p]) renameSync(join(folder, 'b.nii.gz'), join(folder, 'b.NII.GZ'));
    expect(await verb('eval', r, p)).toMatchObject({
      code: 3,
      err: expect.stringMatching(/b\.NII\.GZ: a volume of a kind that is not read[^]*small letters/),
    });
    rmSync(join(r, 'b.NII.GZ'));
    rmSync(join(p, 'a.nii.gz'));
    expect((await verb('eval', r, p)).err).toMatch(/kinds.p: no volume, got b\.NII\.GZ, expected predicted masks/);
  });
  it('and a prediction without a reference: named, exit code 3', async () => {
    const [r, p] = await folders('unused', ['a'], ['a', 'z']);
    const { code, out } = await verb('eval', r, p, '--json');
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({ missing: [], unused: [at('unused/p/z.nii.gz')] });
    expect((await verb('eval', r, p, '--allow-missing')).out).toMatch(/1 prediction has no reference: .*z\.nii\.gz/);
  });
  it('in a folder of one network too, whose earlier summary goes', async () => {
    const [r, p] = await folders('network', ['a', 'b'], ['a', 'b']);
    mkdirSync(join(p, 'sam'));
    copyFileSync(labelOf(A), join(p, 'sam/a.nii.gz'));
    expect((await verb('eval', r, p)).code).toBe(0);
    expect(json('network/p/summary_sam.json')).toMatchObject({ missing: ['b'], foreground_mean: { Dice: 0.5 } });
    expect((await verb('eval', r, p, '--no-networks')).code).toBe(0);
    expect(existsSync(join(p, 'summary_sam.json'))).toBe(false);
  });
  it('is found whichever way an accent is stored; two masks of a case are refused', async () => {
    const [r, p] = await folders('forms', ['l\u00e4ufe'], ['la\u0308ufe']);
    expect((await verb('eval', r, p)).code).toBe(0);
    await writeVolume(join(p, 'l\u00e4ufe.nrrd'), await readVolume(labelOf(B)));
    expect(await verb('eval', r, p)).toMatchObject({ code: 3, err: expect.stringMatching(/two masks of one case/) });
  });
});

describe('cases that the model was trained on', () => {
  it('are scored apart from held-out ones, in every output', async () => {
    await masksOf('both', 'predict', { [A]: 0, [B]: 0, [C]: 0, [D]: 0, [E]: 2, [F]: 2 });
    const summary = await evaluate('both');
    expect(summary).toMatchObject({
      code: 0,
      evaluated: { cases: 'held out', n_cases: 2, changed: [], masks: { verb: 'predict', run: at('run') } },
      training: { evaluated: { cases: 'trained on', n_cases: 4 }, foreground_mean: { Dice: 1 } },
    });
    expect(summary.metric_per_case.map((c: any) => c.case)).toEqual([E, F]);
    expect(summary.foreground_mean.Dice).toBeLessThan(0.9);
    expect(json('run/run.json')).toMatchObject({
      evaluated: '2 held-out cases',
      evaluations: { headline: at('both/summary.json'), training: at('both/summary.json') },
    });
    const { out } = await verb('eval', at('data'), at('both'));
    expect(out).toMatch(/^[^]*2 held-out cases:\nclass[^]*4 cases that the model was trained on, apart from the above:\nclass/);
    expect(
      readFileSync(at('both/metrics.csv'), 'utf8')
        .split('\n')
        .filter((row) => row.includes(',trained on,')),
    ).toHaveLength(4);
  });
  it('alone are said to be that, and do not take the place of held-out ones', async () => {
    await masksOf('trained', 'predict', { [A]: 1, [B]: 1, [C]: 1, [D]: 1 });
    expect(await evaluate('trained')).toMatchObject({
      evaluated: { cases: 'trained on' },
      training: null,
      not_evaluated: { 'held-out cases of the fold': [E, F], labelsTs: ['phantom_006', 'phantom_007'] },
    });
    expect(json('run/run.json').evaluations).toMatchObject({ headline: at('both/summary.json'), training: at('trained/summary.json') });
  });
  it('are known by their scans under any name, and not taken for others of that name elsewhere', async () => {
    // Another data set: its phantom_000 is another scan, its `renamed` one of the training scans.
    mkdirSync(at('elsewhere'));
    copyFileSync(labelOf(F), at('elsewhere', `${A}.nii.gz`));
    copyFileSync(labelOf(B), at('elsewhere/renamed.nii.gz'));
    cpSync(at('both'), at('outside'), { recursive: true });
    const source = json('outside/prediction.json');
    const masks = at('outside_masks');
    claimFolder(masks, source);
    for (const [name, label, scan] of [
      [A, F, imageOf(F)],
      ['renamed', B, imageOf(B)],
    ] as const) {
      await writeVolume(join(masks, `${name}.nii.gz`), await shifted(label, 0));
      await recordCase(masks, name, { source: sourceDigest(source), scan: await digestFile(scan) }, [`${name}.nii.gz`]);
    }
    const { out } = await verb('eval', at('elsewhere'), masks, '--json');
    const summary = JSON.parse(out);
    expect([summary.metric_per_case, summary.training.metric_per_case].map((cases) => cases.map((c: any) => c.case))).toEqual([
      [A],
      ['renamed'],
    ]);
  });
  it('alone, against a reference of another name, are known by what the mask was made of; the run keeps its evaluation', async () => {
    const before = json('run/run.json').evaluations;
    const one = async (reference: string, mask: string): Promise<any> =>
      JSON.parse((await verb('eval', reference, at('both', `${mask}.nii.gz`), '--out', at('one'), '--json')).out);
    mkdirSync(at('truths'));
    copyFileSync(labelOf(A), at('truths/truth.nii.gz'));
    copyFileSync(labelOf(E), at('truths/held.nii.gz'));
    expect((await one(at('truths/truth.nii.gz'), A)).evaluated).toMatchObject({ cases: 'trained on', changed: [] });
    expect((await one(at('truths/held.nii.gz'), E)).evaluated).toMatchObject({ cases: 'held out', changed: [] });
    expect(json('run/run.json').evaluations).toEqual(before);
    const { code, err } = await verb('eval', labelOf(E), at('both', `${F}.nii.gz`), '--out', at('one'));
    expect(code).toBe(3);
    expect(err.replace(/\s+/g, ' ')).toMatch(/both.phantom_005\.nii\.gz: the mask of "phantom_005", got the reference of "phantom_004"/);
  });
  it('are not held out where a mask has no record and a name that the run does not know', async () => {
    await masksOf('named', 'predict', { [E]: 2, [F]: 2 });
    const references = at('named references');
    mkdirSync(references);
    for (const name of [E, F]) copyFileSync(labelOf(name), join(references, `${name}.nii.gz`));
    const cases = async (): Promise<string> => JSON.parse((await verb('eval', references, at('named'), '--json')).out).evaluated.cases;
    expect(await cases()).toBe('held out');
    copyFileSync(at('both', `${A}.nii.gz`), at('named/copy.nii.gz')); // of a training case, by any name
    copyFileSync(labelOf(A), join(references, 'copy.nii.gz'));
    expect(await cases()).toBe('not known');
  });
  it('are not known without a run', async () => {
    mkdirSync(at('plain'));
    for (const name of [A, B, C, D, E, F]) await writeVolume(at('plain', `${name}.nii.gz`), await shifted(name, 1));
    expect(await evaluate('plain')).toMatchObject({ code: 0, evaluated: { cases: 'not known', masks: null }, training: null });
    expect((await verb('eval', at('data'), at('plain'))).out).toMatch(/6 cases \(whether the model was trained on them is not known\)/);
  });
});

describe('labels that were copied', () => {
  it('are not scored', async () => {
    await masksOf('dense', 'label', { [A]: 3, [B]: 3, [C]: 3, [D]: 3 });
    const { evaluated, metric_per_case, foreground } = await evaluate('dense');
    expect(evaluated.cases).toBe('trained on');
    for (const entry of metric_per_case) {
      const [label, mask] = [await readVolume(labelOf(entry.case)), await readVolume(at('dense', `${entry.case}.nii.gz`))];
      const weight = annotationWeight(label.size, json('data/annotations.json')[entry.case], 'test');
      let [both, sum] = [0, 0];
      weight.forEach((w, i) => {
        if (!w) {
          both += label.data[i] * mask.data[i];
          sum += label.data[i] + mask.data[i];
        }
      });
      expect(entry.n_copied).toBe(weight.reduce((a, b) => a + b, 0));
      expect(entry.metrics['1'].Dice).toBeCloseTo((2 * both) / sum, 12);
    }
    expect(foreground.metrics.HD95.n_defined).toBe(0); // half a mask has no surface
    expect((await verb('eval', at('data'), at('dense'))).out).toMatch(
      /Annotated voxels were copied from the labels, so they are not scored/,
    );
  });
  it('are left to their own row, where the model predicts nothing else', async () => {
    await masksOf('nothing', 'label', { [A]: 0 });
    const mask = await readVolume(at('nothing', `${A}.nii.gz`));
    const empty = { ...mask, data: new Uint8Array(mask.data.length) };
    copyAnnotated(empty, await readVolume(labelOf(A)), json('data/annotations.json')[A]);
    await writeVolume(at('nothing', `${A}.nii.gz`), empty);
    const summary = await evaluate('nothing', '--allow-missing');
    expect(summary.foreground_mean.Dice).toBe(0);
    expect(summary.slice_distance.contrast).toMatchObject({ annotated: 100, others: 0 });
    expect(summary.evaluated.changed).toEqual([A]); // and written by somebody else than predict
  });
  it('are refused where the run that says which they are is gone', async () => {
    await masksOf('orphans', 'label', { [A]: 0 });
    writeFileSync(at('orphans/prediction.json'), JSON.stringify({ ...json('orphans/prediction.json'), run: at('gone') }));
    expect(await verb('eval', at('data'), at('orphans'))).toMatchObject({
      code: 3,
      err: expect.stringMatching(/holds labels that were copied[^]*got .*gone/),
    });
  });
  it('whole, as predictions of themselves, are named', async () => {
    mkdirSync(at('themselves'));
    copyFileSync(labelOf(A), at('themselves', `${A}.nii.gz`));
    expect((await verb('eval', at('data'), at('themselves'))).out).toMatch(/their references, byte for byte: phantom_000/);
  });
  it('are found where nobody says that they were copied', async () => {
    await masksOf('dense_before', 'label', { [A]: 3 });
    writeFileSync(at('dense_before/prediction.json'), JSON.stringify({ version: 1, run: at('run') }));
    expect((await evaluate('dense_before', '--allow-missing')).metric_per_case[0].n_copied).toBeGreaterThan(0);
  });
});

describe('references and predictions that change places', () => {
  it('are refused: masks of a run as references, and labels of a data set as predictions of something else', async () => {
    cpSync(at('both'), at('bare_masks'), { recursive: true });
    rmSync(at('bare_masks/prediction.json'));
    for (const [reference, message] of [
      ['both', /both: masks that voxelgrad made \(prediction\.json\), expected references/],
      ['bare_masks', /labelsTr: the labels of a data set, got .*bare_masks as their references/],
    ] as const)
      expect(await verb('eval', at(reference), at('data/labelsTr'))).toMatchObject({ code: 3, err: expect.stringMatching(message) });
    expect(await verb('eval', at('both', `${A}.nii.gz`), labelOf(A))).toMatchObject({ code: 3 });
    expect(existsSync(at('data/labelsTr/summary.json'))).toBe(false);
  });
});

describe('masks of one run', () => {
  it('are not evaluated into the folder of another', async () => {
    cpSync(at('run'), at('run_b'), { recursive: true });
    expect(await verb('eval', at('data'), at('both'), '--out', at('run_b'))).toMatchObject({
      code: 3,
      err: expect.stringMatching(/run_b: a run, but the masks in .*both come from .*run[^]*another folder with --out/),
    });
    expect(await verb('eval', at('data'), at('plain'), '--out', at('run_b'))).toMatchObject({
      code: 3,
      err: expect.stringMatching(/do not say which run/),
    });
    expect(existsSync(at('run_b/summary.json'))).toBe(false);
  });

  it('are not taken for those of a run that has made none of their weights, whatever prediction.json says', async () => {
    const run = readFileSync(at('run/run.json'), 'utf8');
    cpSync(at('both'), at('strange'), { recursive: true });
    const said = json('strange/prediction.json');
    for (const prediction of [{ ...said, weights: 'sha256:11' }, { run: at('run') }, { version: 2, run: at('run'), weights: 5 }]) {
      writeFileSync(at('strange/prediction.json'), JSON.stringify(prediction));
      expect(await evaluate('strange')).toMatchObject({
        code: 0,
        evaluated: { cases: 'not known', n_cases: 2 },
        training: { evaluated: { cases: 'trained on', n_cases: 4 } },
      });
      expect(await verb('eval', at('data'), at('strange'), '--out', at('run'))).toMatchObject({
        code: 3,
        err: expect.stringMatching(
          /run: a run, but the masks in .*strange are said to come from .*run, which has made none of such weights/,
        ),
      });
    }
    // Nor where they were copied into a run's folder.
    cpSync(at('run'), at('run_d'), { recursive: true });
    cpSync(at('both'), at('run_d/masks'), { recursive: true });
    writeFileSync(at('run_d/masks/prediction.json'), JSON.stringify({ ...said, run: at('gone'), weights: 'sha256:11' }));
    expect((await evaluate('run_d/masks')).evaluated.cases).toBe('not known');
    expect([readFileSync(at('run/run.json'), 'utf8'), readFileSync(at('run_d/run.json'), 'utf8')]).toEqual([run, run]);
  });

  it('are what a report is about, as they are now', async () => {
    const report = async (run = at('run')): Promise<{ code: number; err: string; html: string }> => {
      const { code, err, out } = await verb('report', run, '--json');
      // as a browser shows it
      return { code, err, html: code === 0 ? readFileSync(JSON.parse(out).file, 'utf8').replace(/\s+/g, ' ') : '' };
    };
    cpSync(at('both'), at('reported'), { recursive: true });
    await verb('eval', at('data'), at('reported'));
    const first = await report();
    expect(first.html).toMatch(/on 2 held-out cases[^]*Not in these numbers: 4 cases that the model was trained on/);
    // The run went on: its weights are no longer those.
    expect(first.html).toMatch(/other weights now: the masks that were evaluated come from iteration 4/);
    // A mask that changed since, and a summary of another run's masks.
    await writeVolume(at('reported', `${E}.nii.gz`), await shifted(E, 4));
    expect(await report()).toMatchObject({
      code: 3,
      err: expect.stringMatching(
        /summary\.json: not an evaluation of the files that are there now, got other content in .*phantom_00\d\.nii\.gz[^]*Evaluate again/,
      ),
    });
    await verb('eval', at('data'), at('reported'));
    expect((await report()).html).toMatch(/not as they were predicted/);
    mkdirSync(at('run_c'));
    copyFileSync(at('run/plan.json'), at('run_c/plan.json'));
    copyFileSync(at('both/summary.json'), at('run_c/summary.json'));
    expect(await report(at('run_c'))).toMatchObject({
      code: 3,
      err: expect.stringMatching(/the evaluation of another run, got masks of .*run, expected masks of .*run_c/),
    });
  });
  it('are drawn over the scans that they were made of, and over no other of that name', async () => {
    await masksOf('drawn', 'predict', { [E]: 1, [F]: 1 });
    await verb('eval', at('data'), at('drawn'));
    const overlays = async (data: string): Promise<{ shown: string[]; err: string }> => {
      const { out, err } = await verb('report', at('run'), '--data', at(data), '--json');
      return { shown: JSON.parse(out).overlays.sort(), err };
    };
    expect((await overlays('data')).shown).toEqual([E, F]);
    cpSync(at('data'), at('other_data'), { recursive: true });
    copyFileSync(imageOf(A), at('other_data/imagesTr', `${E}_0000.nii.gz`));
    expect(await overlays('other_data')).toEqual({
      shown: [F],
      err: expect.stringMatching(new RegExp(`${E}: no overlay, .*${E}_0000\\.nii\\.gz is not the scan that its mask was made of`)),
    });
    const before = readFileSync(imageOf(F));
    expect(await verb('report', at('run'), '--out', imageOf(F))).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--out: .* is there and no report/),
    });
    expect(readFileSync(imageOf(F))).toEqual(before);
  });
  it('networks of other cases or weights are left out of it', async () => {
    await masksOf('networks', 'predict', { [E]: 1, [F]: 1 });
    mkdirSync(at('networks/sam'));
    for (const name of [E, F]) await writeVolume(at('networks/sam', `${name}.nii.gz`), await shifted(name, 0));
    expect((await evaluate('networks')).code).toBe(0);
    const html = async (): Promise<string> => {
      await verb('report', at('run'));
      return readFileSync(at('run/report.html'), 'utf8');
    };
    expect(await html()).toMatch(/“sam” alone does better/);
    const summary = json('networks/summary_sam.json');
    writeFileSync(at('networks/summary_sam.json'), JSON.stringify({ ...summary, metric_per_case: summary.metric_per_case.slice(1) }));
    const after = await html();
    expect(after).toMatch(/The evaluation of sam is left out/);
    expect(after).not.toMatch(/alone does better/);
  });
  it('masks of one network do not take the place of the headline', async () => {
    const headline = (): string => json('run/run.json').evaluations.headline;
    expect(json('networks/summary.json').evaluated.masks).toMatchObject({ output: 'ensemble', checkpoint: 'best' });
    expect(json('networks/summary_sam.json').evaluated.masks.output).toBe('sam');
    expect((await evaluate('networks/sam')).evaluated).toMatchObject({ cases: 'held out', masks: { output: 'sam' } });
    expect(headline()).toBe(at('networks/summary.json'));
    expect((await verb('report', at('run'))).code).toBe(0);
    // Nor does the headline's where the plan names another by now.
    writePlan(
      at('run'),
      tinyPlan((p) => (p.evaluation.headline = 'sam')),
    );
    expect(await verb('report', at('run'))).toMatchObject({
      code: 3,
      err: expect.stringMatching(/not the evaluation of the headline, got masks of "ensemble", expected those of "sam"/),
    });
    writePlan(at('run'), tinyPlan());
  });
  it('are found in a run that was moved, where they lie in it', async () => {
    for (const folder of ['kept', 'moved']) mkdirSync(at(folder));
    for (const file of ['plan.json', 'run.json']) copyFileSync(at('run', file), at('kept', file));
    const { evaluations: _, ...record } = json('run/run.json');
    writeFileSync(at('kept/run.json'), JSON.stringify(record));
    cpSync(at('networks'), at('kept/masks'), { recursive: true });
    writeFileSync(at('kept/masks/prediction.json'), JSON.stringify({ ...json('networks/prediction.json'), run: at('kept') }));
    expect(await evaluate('kept/masks')).toMatchObject({ code: 0 });
    expect(json('kept/run.json').evaluations).toMatchObject({
      headline: 'masks/summary.json',
      networks: { sam: 'masks/summary_sam.json' },
    });
    renameSync(at('kept'), at('moved/here'));
    expect(await verb('report', at('moved/here'))).toMatchObject({ code: 0 });
    expect(readFileSync(at('moved/here/report.html'), 'utf8')).toMatch(/“sam” alone does better/);
  });
  it('runs that were scored in another way are compared with it by none', async () => {
    mkdirSync(at('run_scored'));
    for (const file of ['plan.json', 'run.json']) copyFileSync(at('run', file), at('run_scored', file));
    const { evaluations: _, ...record } = json('run/run.json');
    writeFileSync(at('run_scored/run.json'), JSON.stringify(record));
    const summary = json('networks/summary.json');
    summary.evaluated.masks = { ...summary.evaluated.masks, run: at('run_scored'), weights: 'sha256:01' };
    writeFileSync(at('run_scored/summary.json'), JSON.stringify(summary));
    expect((await verb('report', at('run'), '--compare', at('run_scored'))).code).toBe(0);
    summary.settings.surface_mm = 5;
    writeFileSync(at('run_scored/summary.json'), JSON.stringify(summary));
    expect(await verb('report', at('run'), '--compare', at('run_scored'))).toMatchObject({
      code: 3,
      err: expect.stringMatching(/scored in another way than .*run: tolerance of surface Dice, got 5 mm, expected 2 mm/),
    });
  });
});
