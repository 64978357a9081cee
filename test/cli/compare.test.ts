// SPDX-License-Identifier: MIT
// voxelgrad compare over run folders made by hand: a plan, a record, masks as files, and the evaluation of them.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import { digestFile } from '../../src/files/digest.ts';
import { writeVolume } from '../../src/io/node/volume.ts';
import { evaluateCase } from '../../src/metrics/evaluate.ts';
import { summarise, type Summary } from '../../src/metrics/summary.ts';
import { ablate, parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { scratch } from '../data/helpers.ts';
import { voxelgrad, type Said } from './voxelgrad.ts';

const root = scratch();
const SIZE = [20, 24, 24] as const,
  GRID = { size: [...SIZE] as [number, number, number], spacing: [1, 1, 1] as [number, number, number] };

function ball(radius: number, shift = 0): Uint8Array {
  const data = new Uint8Array(SIZE[0] * SIZE[1] * SIZE[2]);
  for (let z = 0, i = 0; z < SIZE[0]; z++)
    for (let y = 0; y < SIZE[1]; y++)
      for (let x = 0; x < SIZE[2]; x++, i++) if (Math.hypot(z - 10, y - 12 - shift, x - 12) <= radius) data[i] = 1;
  return data;
}

interface Made {
  method?: string;
  off?: string[];
  error?: number;
  fold?: number;
  seed?: number;
  cases?: number[];
  plan?: (p: any) => void;
  summary?: (s: any) => void;
  record?: (r: any) => void;
  radius?: number;
}
let count = 0;
/** What a folder of masks says of them; the run is the one that is made. */
const made = { verb: 'predict', run: '', weights: 'sha256:1', iteration: 120 };

/** A run whose masks are `error` voxels off. */
async function makeRun({
  method = 'vnet',
  off = [],
  error = 1,
  fold = 0,
  seed = 1,
  cases = [0, 1, 2, 3, 4, 5, 6, 7],
  plan = () => {},
  summary: change = () => {},
  record = () => {},
  radius = 6,
}: Made = {}): Promise<string> {
  const folder = join(root, `run${count++}`);
  mkdirSync(join(folder, 'masks'), { recursive: true });
  const draft: any = presetPlan('demo', method);
  Object.assign(draft.training, { seed });
  draft.split.fold = fold;
  draft.classes = ['background', 'nodule'];
  plan(draft);
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(ablate(parsePlan(draft), off)));
  const results = [];
  for (const i of cases) {
    const [reference, prediction] = [ball(radius + (i % 2)), ball(radius + (i % 2) - error * (0.5 + i / 16), i === 3 ? error : 0)];
    const [reference_file, prediction_file] = [join(folder, 'masks', `ref${i}.nii.gz`), join(folder, 'masks', `case${i}.nii.gz`)];
    const volume = { ...GRID, origin: [0, 0, 0] as [number, number, number], direction: [1, 0, 0, 0, 1, 0, 0, 0, 1] };
    await writeVolume(reference_file, { ...volume, data: reference });
    await writeVolume(prediction_file, { ...volume, data: prediction });
    results.push(
      evaluateCase(
        {
          case: `case ${i}`,
          reference_file,
          prediction_file,
          reference_digest: `r${i}-${radius}`,
          reference: { data: reference, ...GRID },
          prediction: { data: prediction, ...GRID },
        },
        [{ label: 1, name: 'nodule' }],
      ),
    );
  }
  for (const r of results) delete r.reference_digest; // of the files, which are not what is hashed here
  const summary: Summary = summarise(results, [{ label: 1, name: 'nodule' }], {
    resamples: 200,
    surfaceMm: 1,
    evaluated: { cases: 'held out', n_cases: cases.length, n_patients: cases.length, masks: null, changed: [] },
  });
  change(summary);
  if (summary.evaluated?.masks?.run === '') summary.evaluated.masks.run = folder;
  writeFileSync(join(folder, 'summary.json'), JSON.stringify(summary));
  const facts: any = {
    version: 1,
    annotation: { scheme: 'both', voxels: 1 / 3 },
    fold: { train: ['t 0'], selection: ['t 1'], test: cases.map((i) => `case ${i}`) },
    stages: [{ name: 'train', seconds: 50 }],
    machine: { adapter: 'test adapter' },
    finished: true,
    provenance: { datasets: [{ name: 'd', hash: 'sha256:0011' }] },
  };
  record(facts);
  writeFileSync(join(folder, 'run.json'), JSON.stringify(facts));
  writeFileSync(join(folder, 'log.jsonl'), `${JSON.stringify({ iteration: 100, loss: { net: 1 } })}\n`);
  return folder;
}

async function compare(...argv: string[]): Promise<Said> {
  return voxelgrad(['compare', ...argv]);
}
const to = (): string => join(root, `to${count++}`);

describe('voxelgrad compare', () => {
  it('puts folds and seeds together by method, tests, and writes page, CSV, LaTeX and JSON', async () => {
    const good = [
      await makeRun({ error: 0.6, fold: 0 }),
      await makeRun({ error: 0.7, fold: 0, seed: 2 }),
      await makeRun({ error: 0.6, fold: 1, cases: [8, 9] }),
    ];
    const bad = await makeRun({ method: 'unet3d', error: 3 });
    const folder = to();
    const { code, out, err } = await compare(...good, bad, '--to', folder, '--json');
    expect([code, err]).toEqual([0, '']);
    const { methods, ablation, notices, runs, files } = JSON.parse(out);
    expect(methods.rows.map((r: any) => [r.name, r.n_runs, r.n_cases, r.seconds])).toEqual([
      ['vnet', 3, 10, 0.5],
      ['unet3d', 1, 8, 0.5],
    ]);
    expect(methods.rows[0].best).toContain('IoU');
    expect(methods.rows[1].against.IoU).toMatchObject({ n_cases: 8, n_unpaired: 2, p: 2 / 2 ** 8, p_holm: 2 / 2 ** 8 });
    expect(methods.rows[1].against.IoU.difference).toBeLessThan(0);
    expect(methods.rows.every((r: any) => r.parameters > 1000)).toBe(true);
    expect(ablation).toBeNull();
    expect(notices.join('\n')).toMatch(
      /Folds and seeds differ: vnet: fold 1 seed 1, fold 1 seed 2, fold 2 seed 1; unet3d[^]*The evaluated cases differ: vnet: 10; unet3d/,
    );
    expect(notices.join('\n')).toContain('unet3d: 8; 8 are common to all');
    expect(runs.map((r: any) => r.method)).toEqual(['vnet', 'vnet', 'vnet', 'unet3d']);
    expect(files.map((f: string) => f.split('.').at(-1))).toEqual(['html', 'csv', 'tex', 'json']);

    const html = readFileSync(join(folder, 'comparison.html'), 'utf8'),
      { document } = parseHTML(html);
    expect([...document.querySelectorAll('h2')].map((h) => h.id)).toEqual(['differs', 'methods', 'bubbles', 'surfaces', 'runs']);
    expect(document.querySelectorAll('.surface').length).toBe(6);
    expect(document.querySelectorAll('canvas[data-surface]').length).toBe(6);
    expect(document.querySelectorAll('script').length).toBe(2);
    expect(html).toContain('regl 2.1.1');
    expect(html).not.toMatch(/<script src|@import|url\(/);
    expect(document.querySelectorAll('#methods ~ .scroll strong').length).toBeGreaterThan(0);
    expect(html.length).toBeLessThan(4e6);
    expect(
      readFileSync(join(folder, 'comparison.csv'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.split(',').length),
    ).toEqual([63, 63, 63]);
    expect(readFileSync(join(folder, 'comparison.tex'), 'utf8')).toMatch(/\\textbf\{[\d.]+ \$\\pm\$ [\d.]+\}[^]*\\bottomrule/);
  });

  it('leaves a report the name of what was trained', async () => {
    const run = await makeRun({ method: 'unet3d', cases: [0, 1] });
    expect((await voxelgrad(['report', run])).code).toBe(0);
    expect(readFileSync(join(run, 'report.html'), 'utf8')).toMatch(/<title>\s*unet3d: /);
  });

  it('is not bold where no difference is significant, and without a second method tests nothing', async () => {
    const few = [0, 1, 2];
    const [a, b] = [await makeRun({ error: 0.5, cases: few }), await makeRun({ method: 'unet3d', error: 3, cases: few })];
    expect(JSON.parse((await compare(a, b, '--to', to(), '--json')).out).methods.rows.map((r: any) => r.best)).toEqual([[], []]);
    const alone = JSON.parse((await compare(a, '--to', to(), '--json')).out);
    expect(alone.methods.rows).toHaveLength(1);
    expect(alone.methods.rows[0]).toMatchObject({ against: null, best: [] });
  });

  it("makes table 2 of what plans of SA-Net switch off, in the paper's order", async () => {
    const plain = { method: 'sanet', cases: [0, 1, 2, 3, 4, 5] };
    const runs = [
      await makeRun({ ...plain, error: 0.5 }),
      await makeRun({ ...plain, off: ['cross'], error: 0.8 }),
      await makeRun({ ...plain, off: ['rm'], error: 1 }),
      await makeRun({ ...plain, off: ['bgc', 'rm'], error: 1.2 }),
      await makeRun({ ...plain, off: ['msa', 'bgc', 'rm'], error: 1.5 }),
      await makeRun({
        ...plain,
        off: ['2d', 'cross'],
        error: 2,
        plan: (p) => {
          p.evaluation.headline = 'sam';
        },
      }),
      await makeRun({ cases: plain.cases }),
    ];
    const { out, code } = await compare(...runs, '--to', to(), '--json', '--no-surfaces');
    expect(code).toBe(0);
    const { methods, ablation } = JSON.parse(out);
    expect(methods.rows.map((r: any) => r.name)).toEqual(['sanet', 'vnet']);
    expect(ablation.rows.map((r: any) => r.name.split(':')[0])).toEqual(['A1', 'A2', 'A3', 'A4', 'A5', 'control']);
    expect(ablation.reference).toMatch(/^A5/);
  });

  it('keeps runs of one method with other settings or data apart, and says in what', async () => {
    const [a, b, c] = [
      await makeRun(),
      await makeRun({
        plan: (p) => {
          p.training.iterations = 77;
        },
      }),
      await makeRun({
        record: (r) => {
          r.provenance.datasets[0].hash = 'sha256:ffff';
          r.labelSource = 'sphere';
        },
      }),
    ];
    const { out } = await compare(a, b, c, '--to', to(), '--json', '--no-surfaces');
    const { methods, notices } = JSON.parse(out);
    expect(methods.rows).toHaveLength(3);
    expect(new Set(methods.rows.map((r: any) => r.name)).size).toBe(3);
    expect(methods.rows[1].name).toContain('training.iterations 77');
    expect(notices.join('\n')).toMatch(
      /differ in their data set \(hash\): sha256:0011[^]*sha256:ffff[^]*mark of the labels trained on[^]*training iterations/,
    );
    expect((await compare(a, b, '--to', to(), '--against', 'nobody', '--no-surfaces')).err).toMatch(
      /--against: got "nobody", expected "vnet \(/,
    );
  });

  it.each<[string, Made, RegExp]>([
    [
      'masks made with other options',
      {
        summary: (s) => {
          s.evaluated.masks = { ...made, weights: 'sha256:2', prediction: { step: 0.5, mirror: true } };
        },
      },
      /prediction\.mirror true[^]*differ in their options of prediction: [^;]*mirror false[^;]*; [^;]*mirror true/,
    ],
    [
      'another checkpoint',
      {
        summary: (s) => {
          s.evaluated.masks = { ...made, weights: 'sha256:2', checkpoint: 'latest' };
        },
      },
      /differ in their checkpoint that was evaluated: best[^]*latest/,
    ],
    [
      'weights that were not drawn',
      {
        record: (r) => {
          r.state = { iteration: 120, iterations: 120, init: { file: '/a/sam.pth', sha256: '00112233445566' } };
        },
      },
      /first weights sam\.pth[^]*differ in their weights that they began with: drawn[^]*sam\.pth \(sha256 001122334455\)/,
    ],
    [
      'several processes',
      {
        record: (r) => {
          r.state = { iteration: 120, iterations: 120, ranks: [{ iteration: 0, ranks: 4 }] };
        },
      },
      /processes 4[^]*differ in their number of processes: 1 [^]*; 4 /,
    ],
    [
      'a length by the clock',
      {
        record: (r) => {
          r.state = { iteration: 33, iterations: 33 };
        },
      },
      /differ in their training iterations: 120 [^]*; 33 /,
    ],
    [
      'a training that stopped',
      {
        record: (r) => {
          r.finished = false;
          r.state = { iteration: 40, iterations: 120 };
        },
      },
      /: its training stopped at iteration 40 of 120, and what was evaluated is what it was then/,
    ],
    [
      'cases that were left out',
      {
        summary: (s) => {
          s.missing = ['case 7', 'case 8'];
          s.missing_scored = false;
        },
        method: 'unet3d',
      },
      /vnet of 2\nunet3d of 2[^]*: no prediction for case 7, case 8, left out/,
    ],
    ['masks without a word of their weights', {}, /: nothing says which weights made its masks; they lie in its folder/],
    [
      'a training that was killed',
      {
        record: (r) => {
          delete r.finished;
        },
      },
      /: its training has not ended, and/,
    ],
  ])('says %s, of a seed too: it is pooled with no other where it is another method', async (_, other, message) => {
    const alike = (s: any): void => {
      s.evaluated.masks = { ...made, checkpoint: 'best' };
    };
    const runs = [await makeRun({ cases: [0, 1], summary: alike }), await makeRun({ cases: [0, 1], seed: 2, ...other })];
    const { code, out, err } = await compare(...runs, '--to', to(), '--json', '--no-surfaces');
    expect(code, err).toBe(0);
    const { methods, notices } = JSON.parse(out);
    expect([...methods.rows.map((r: any) => `${r.name} of ${r.n_cases}`), ...notices].join('\n')).toMatch(message);
  });

  it('refuses the masks of one network, in the place of the headline', async () => {
    const summary = (s: any): void => {
      s.evaluated.masks = { ...made, output: 'sam' };
    };
    const run = await makeRun({ method: 'sanet', cases: [0], summary });
    const { code, err } = await compare(run, await makeRun({ cases: [0] }), '--to', to(), '--no-surfaces');
    expect([code, err]).toEqual([
      3,
      expect.stringMatching(/not the evaluation of the headline, got masks of "sam", expected .*"ensemble"/),
    ]);
  });

  it.each<[string, Made, RegExp]>([
    [
      'cases that were trained on',
      {
        summary: (s) => {
          s.evaluated.cases = 'trained on';
        },
      },
      /no held-out result/,
    ],
    [
      'training cases that the evaluation does not know',
      {
        summary: (s) => {
          s.evaluated = null;
        },
        record: (r) => {
          r.fold.train = ['case 2'];
        },
      },
      /no held-out result, got cases[^]*case 2/,
    ],
    [
      'cases that weights were chosen by',
      {
        summary: (s) => {
          s.evaluated.cases = 'not known';
        },
        record: (r) => {
          r.fold.selection = ['case 3'];
        },
      },
      /no held-out result[^]*case 3/,
    ],
    [
      'masks with copied labels',
      {
        summary: (s) => {
          s.metric_per_case[0].n_copied = 4;
        },
      },
      /labels copied into them/,
    ],
    [
      'other references',
      {
        summary: (s) => {
          for (const c of s.metric_per_case) c.reference_digest = 'other';
          for (const c of s.metric_per_case) c.reference_file = '/nowhere';
        },
      },
      /against another reference/,
    ],
    [
      'another tolerance',
      {
        summary: (s) => {
          for (const c of s.metric_per_case) c.theta = 9;
        },
      },
      /within another tolerance/,
    ],
    [
      'another surface tolerance',
      {
        summary: (s) => {
          s.settings.surface_mm = 3;
        },
      },
      /tolerance of surface Dice, got 3 mm, expected 1 mm/,
    ],
    [
      'other classes',
      {
        summary: (s) => {
          s.classes[0].name = 'lobe';
        },
      },
      /classes, got 1 lobe/,
    ],
    ['no case in common', { cases: [11, 12] }, /no case in common/],
  ])('refuses %s, and writes nothing', async (_, made, message) => {
    const sound = await makeRun({
      method: 'unet3d',
      summary: (s) => {
        for (const c of s.metric_per_case) {
          c.reference_digest = 'this';
          c.reference_file = '/nowhere';
        }
      },
    });
    const folder = to();
    const { code, err } = await compare(sound, await makeRun(made), '--to', folder, '--no-surfaces');
    expect(err).toMatch(message);
    expect([code, existsSync(folder)]).toEqual([3, false]);
  });

  it('takes references for the same where their voxels are, however packed, and refuses other voxels', async () => {
    const digested = async (folder: string, pack: (file: string) => Promise<void> = async () => {}): Promise<void> => {
      const file = join(folder, 'summary.json'),
        summary = JSON.parse(readFileSync(file, 'utf8'));
      for (const c of summary.metric_per_case) {
        await pack(c.reference_file);
        c.reference_digest = (await digestFile(c.reference_file)).digest;
      }
      writeFileSync(file, JSON.stringify(summary));
    };
    const cases = [0, 1, 2];
    const [a, b, c] = [
      await makeRun({ cases }),
      await makeRun({ method: 'unet3d', cases }),
      await makeRun({ method: 'henet', cases, radius: 7 }),
    ];
    await digested(a);
    await digested(b, async (file) => {
      writeFileSync(file, gzipSync(gunzipSync(readFileSync(file)), { level: 1 }));
    });
    await digested(c);
    const reference = (folder: string): string =>
      JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8')).metric_per_case[0].reference_digest;
    expect(reference(a)).not.toBe(reference(b));
    expect((await compare(a, b, '--to', to(), '--no-surfaces')).code).toBe(0);
    expect((await compare(a, c, '--to', to(), '--no-surfaces')).err).toMatch(/case 0 was scored against another reference/);
  });

  it('knows other references by their sizes, where their content is not recorded', async () => {
    const cases = [0, 1];
    const [a, b] = [await makeRun({ cases }), await makeRun({ method: 'unet3d', cases, radius: 7 })];
    expect(await compare(a, b, '--to', to(), '--no-surfaces')).toMatchObject({
      code: 3,
      err: expect.stringMatching(/case 0 was scored against another reference than in .*run\d+, expected the same labels/),
    });
  });

  it('says against what is tested where a run has no evaluation, and takes no data set with a plan for a run', async () => {
    const [a, b, bare] = [
      await makeRun({ cases: [0, 1] }),
      await makeRun({ method: 'unet3d', cases: [0, 1] }),
      await makeRun({ method: 'henet', cases: [] }),
    ];
    rmSync(join(bare, 'summary.json'));
    const quick = ['--to', to(), '--no-surfaces'];
    expect((await compare(bare, a, b, ...quick)).out).toMatch(
      /: left out, it is trained and not evaluated\.\nnote: vnet is what the others are tested against, for the first run is left out\./,
    );
    expect((await compare(a, bare, ...quick)).out).not.toMatch(/is what the others are tested against/);
    expect((await compare(a, bare, ...quick, '--against', 'henet')).err).toMatch(
      /--against: got "henet", expected "vnet"[^]*left out, it is trained and not evaluated/,
    );
    for (const name of ['run.json', 'log.jsonl']) rmSync(join(bare, name));
    expect(await compare(a, bare, ...quick)).toMatchObject({ code: 3, err: expect.stringMatching(/: no summary\.json in it/) });
  });

  it('refuses a run that was trained again to the same masks, and says where one fold and seed count more than once', async () => {
    const digested = async (folder: string): Promise<string> => {
      const file = join(folder, 'summary.json'),
        summary = JSON.parse(readFileSync(file, 'utf8'));
      for (const c of summary.metric_per_case) c.prediction_digest = (await digestFile(c.prediction_file)).digest;
      writeFileSync(file, JSON.stringify(summary));
      return folder;
    };
    const cases = [0, 1, 2],
      quick = ['--to', to(), '--no-surfaces'];
    const [first, again, other, seed] = [
      await digested(await makeRun({ cases })),
      await digested(await makeRun({ cases })),
      await digested(await makeRun({ cases, error: 2 })),
      await digested(await makeRun({ cases, seed: 2 })),
    ];
    expect(await compare(first, again, ...quick)).toMatchObject({
      code: 3,
      err: expect.stringMatching(/the same plan, fold and seed as .*run\d+, and the same masks[^]*it would count twice/),
    });
    const twice = await compare(first, other, seed, ...quick);
    expect([twice.code, twice.out]).toEqual([
      0,
      expect.stringMatching(/more than once with one fold and seed, and counted each time: \S+, \S+\.\n/),
    ]);
    expect((await compare(first, seed, ...quick)).out).not.toMatch(/more than once/); // the same masks of another seed
  });

  it('refuses a run twice, by its folder or by its weights, and a folder that is none', async () => {
    const same = (s: any): void => {
      s.evaluated.masks = { verb: 'predict', run: '', weights: 'sha256:1', iteration: 1 };
    };
    const run = await makeRun();
    expect((await compare(run, `${run}/.`, '--to', to())).err).toMatch(/the same run as/);
    const [a, b] = [await makeRun({ summary: same }), await makeRun({ summary: same, seed: 5 })];
    expect((await compare(a, b, '--to', to())).err).toMatch(/the same run as/);
    expect((await compare(join(root, 'nothing'), run)).code).toBe(3);
  });
});
