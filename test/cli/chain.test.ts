// SPDX-License-Identifier: MIT
// The verbs one after another on phantoms of three foreground classes, one of which nobody drew in one case: train, predict in
// parts, label, evaluate, report. Nothing in the code knows that there is more than one class.
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { toRas } from '../../src/data/orientation.ts';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import { sameGeometry } from '../../src/data/geometry.ts';
import { writeDicomSeries } from '../data/dicom_series.ts';
import { tinyDataset, tinyPlan, writePlan } from '../train/tiny_run.ts';
import { bundleCli, memoryScratch, start } from './processes.ts';
import { voxelgrad } from './voxelgrad.ts';

const root = memoryScratch();
const [data, run, masks, dense] = ['data', 'run', 'masks', 'dense'].map((name) => join(root, name)) as [string, string, string, string];
const CLASSES = ['background', 'nodule', 'nodule_2', 'nodule_3'];
let trained: any;

async function verb(...argv: string[]): Promise<any> {
  const { code, out, err } = await voxelgrad([...argv, '--json']);
  expect(code, err).toBe(0);
  return { ...JSON.parse(out), notes: err };
}

beforeAll(async () => {
  await tinyDataset(data, 3);
  const annotations = JSON.parse(readFileSync(join(data, 'annotations.json'), 'utf8'));
  writeFileSync(join(data, 'annotations.json'), JSON.stringify({ ...annotations, unlabelled: { phantom_003: [2] } }));
  const plan = tinyPlan((p) => {
    p.data.spacing = 'native';
    p.data.sampling = 'foreground'; // the volumes are wider than the ROI: patches in training, windows in prediction
    p.training.iterations = 4;
    p.prediction.step = 1;
  }, CLASSES);
  trained = await verb('train', data, '--run', run, '--plan', writePlan(root, plan));
});

describe('train', () => {
  it('ends, with finite losses of all three networks', () => {
    expect(trained).toMatchObject({ finished: true, resume: null, state: { iteration: 4 } });
    const [first] = readFileSync(join(run, 'log.jsonl'), 'utf8')
      .split('\n')
      .map((line) => line && JSON.parse(line));
    expect(Object.keys(first.loss).sort()).toEqual(['coronal', 'sam', 'transverse']);
    for (const value of Object.values(first.loss)) expect(Number.isFinite(value)).toBe(true);
  });

  it('records what a report wants', () => {
    const record = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
    // Every third slice of both planes: 3 of 8 or 2 of 8, 10 or 11 of 32.
    expect(record.annotation.scheme).toBe('as the data set says');
    expect(record.annotation.transverse).toBeGreaterThan(0.24);
    expect(record.annotation.transverse).toBeLessThan(0.38);
    expect(record.annotation.voxels).toBeGreaterThan(record.annotation.transverse);
    expect(record.stages.map((s: any) => s.name)).toEqual(['compile kernels', 'train', 'validate while training']);
    expect(record.stages[1].peakBytes).toBeGreaterThan(2 ** 20);
    expect(record.machine).toMatchObject({
      adapter: expect.stringMatching(/\S/),
      driver: expect.any(String),
      host: expect.stringMatching(/\d+ threads, \d+ GiB/),
      limits: { maxBufferSize: expect.any(Number) },
    });
    expect(record.provenance).toMatchObject({
      datasets: [{ name: 'phantom (masks: phantom)', cases: 8, hash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) }],
      command: expect.stringContaining(`voxelgrad train ${data} --run ${run}`),
      seeds: { training: expect.any(Number), split: expect.any(Number), annotation: expect.any(Number) },
      runtime: expect.stringMatching(/^Node \d+\.\d+\.\d+, webgpu \d/),
      version: expect.stringMatching(/^\d/),
      limitations: [expect.stringMatching(/not for clinical use/), expect.stringMatching(/phantoms/), expect.stringMatching(/One fold/)],
    });
  });
});

describe('predict', () => {
  beforeAll(async () => {
    // A scan that lies otherwise in its file: turned, flipped, anisotropic.
    const file = join(data, 'imagesTs/phantom_007_0000.nii.gz');
    const scan = await readVolume(file);
    await writeVolume(file, { ...scan, spacing: [2.5, 0.8, 0.7], origin: [5, -60, 11.5], direction: [0, 0, 1, -1, 0, 0, 0, -1, 0] });
  });

  it('shares the scans between processes, says what memory it takes, keeps what is there', async () => {
    const predict = (...more: string[]) => verb('predict', '-i', join(data, 'imagesTs'), '-o', masks, '--run', run, ...more);
    const first = await predict('--part', '1/2');
    expect(first.notes).toMatch(/phantom_006: 8 x 32 x 48 voxels to predict, at most \d+\.\d\d GiB of memory of \d+/);
    expect(first.written).toBe(1);
    const masksNow = (): string[] => readdirSync(masks).filter((name) => name.endsWith('.nii.gz'));
    expect(masksNow()).toEqual(['phantom_006.nii.gz']);
    const before = statSync(join(masks, 'phantom_006.nii.gz')).mtimeMs;
    expect((await predict('--part', '2/2')).written).toBe(1);
    const again = await predict();
    expect([again.written, again.files.length]).toEqual([0, 2]);
    expect(statSync(join(masks, 'phantom_006.nii.gz')).mtimeMs).toBe(before);
    expect(masksNow()).toEqual(['phantom_006.nii.gz', 'phantom_007.nii.gz']);
    for (const network of ['sam', 'transverse', 'coronal']) expect(readdirSync(join(masks, network))).toHaveLength(2);
  });

  it('writes onto the exact grid of the input, labels of the data set alone', async () => {
    for (const name of ['phantom_006', 'phantom_007']) {
      const [scan, mask] = [await readVolume(join(data, `imagesTs/${name}_0000.nii.gz`)), await readVolume(join(masks, `${name}.nii.gz`))];
      expect(sameGeometry(scan, mask, 1e-5)).toBe(true);
      expect(mask.data).toBeInstanceOf(Uint8Array);
      expect(Math.max(...mask.data)).toBeLessThanOrEqual(3);
    }
  });

  it('takes a folder of DICOM series, onto their grid, as it takes their NIfTI twins', async () => {
    const scan = await readVolume(join(data, 'imagesTs/phantom_007_0000.nii.gz'));
    const whole = { ...scan, data: Int16Array.from(scan.data, Math.round) };
    await writeDicomSeries(join(root, 'series/patient_1'), whole);
    mkdirSync(join(root, 'twins'));
    await writeVolume(join(root, 'twins/patient_1.nii.gz'), whole);
    for (const from of ['series', 'twins']) await verb('predict', '-i', join(root, from), '-o', join(root, `${from}_masks`), '--run', run);
    const [series, mask, twin] = [
      await readVolume(join(root, 'series/patient_1')),
      await readVolume(join(root, 'series_masks/patient_1.nii.gz')),
      await readVolume(join(root, 'twins_masks/patient_1.nii.gz')),
    ];
    expect(sameGeometry(series, mask, 1e-5)).toBe(true);
    expect([...toRas(series).data]).toEqual([...toRas(whole).data]);
    expect(toRas(mask).data).toEqual(toRas(twin).data);
  });

  it('averages over mirror images, from the checkpoint asked for, into a folder of its own', async () => {
    const result = await verb(
      'predict',
      '-i',
      join(data, 'imagesTs/phantom_006_0000.nii.gz'),
      '-o',
      join(root, 'mirrored'),
      '--run',
      run,
      '--tta',
      '--checkpoint',
      'final',
    );
    expect(result.checkpoint).toMatch(/final\.safetensors$/);
    expect(JSON.parse(readFileSync(join(root, 'mirrored/prediction.json'), 'utf8'))).toMatchObject({
      run,
      iteration: 4,
      prediction: { mirror: true },
    });
    expect(readdirSync(join(root, 'mirrored'))).toContain('phantom_006.nii.gz');
  });
});

describe('the memory that predict says it takes', () => {
  it('is more than the process ever held', async () => {
    const cli = await bundleCli();
    const measured = join(dirname(cli), 'measured.mjs');
    writeFileSync(
      measured,
      "process.on('exit', () => console.error(`peak ${process.resourceUsage().maxRSS * 1024}`));\nawait import('./voxelgrad.mjs');\n",
    );
    const { code, err } = await start(
      measured,
      'predict',
      '-i',
      join(data, 'imagesTs/phantom_006_0000.nii.gz'),
      '-o',
      join(root, 'watched'),
      '--run',
      run,
      '--json',
    ).ended;
    expect(code, err).toBe(0);
    const [, host, , , unit] =
      /at most (\d+\.\d\d) GiB of memory of (\d+\.\d\d) GiB there is; on the device at most (\d+(?:\.\d\d)?) (MiB|GiB)/.exec(err)!;
    const peak = Number(/peak (\d+)/.exec(err)![1]) / 2 ** 30;
    console.log(`said ${host} GiB, held ${peak.toFixed(2)} GiB`);
    expect(Number(host)).toBeGreaterThan(peak);
    expect(Number(host)).toBeLessThan(2.5 * peak);
    expect(unit).toBe('MiB');
  });
});

describe('evaluate and report', () => {
  it('scores every class of the held-out scans for every network', async () => {
    // Their reference lies on the grid that the scan was given above.
    const [scan, label] = [
      await readVolume(join(data, 'imagesTs/phantom_007_0000.nii.gz')),
      await readVolume(join(data, 'labelsTs/phantom_007.nii.gz')),
    ];
    await writeVolume(join(data, 'labelsTs/phantom_007.nii.gz'), { ...scan, data: label.data });
    const summary = await verb('eval', data, masks);
    expect(summary.classes.map((c: any) => [c.name, c.n_pairs])).toEqual(CLASSES.slice(1).map((name) => [name, 2]));
    expect(
      readdirSync(masks)
        .filter((name) => name.startsWith('summary'))
        .sort(),
    ).toEqual(['summary.json', 'summary_coronal.json', 'summary_sam.json', 'summary_transverse.json']);
    const record = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
    expect(record.evaluated).toBe('2 held-out cases');
    expect(Object.keys(record.evaluations.networks)).toEqual(['ensemble', 'sam', 'transverse', 'coronal']);
  });

  it('labels the training cases: ground truth where annotated; the class that nobody drew is left out and counted', async () => {
    await verb('label', data, '--run', run, '-o', dense);
    const { training } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')).evaluations;
    expect(training).toBeUndefined();
    const planes = JSON.parse(readFileSync(join(data, 'annotations.json'), 'utf8')).phantom_000;
    const [mask, label] = [
      await readVolume(join(dense, 'phantom_000.nii.gz')),
      await readVolume(join(data, 'labelsTr/phantom_000.nii.gz')),
    ];
    const plane = 32 * 48;
    for (const d of planes.transverse)
      expect(mask.data.slice(d * plane, (d + 1) * plane)).toEqual(label.data.slice(d * plane, (d + 1) * plane));
    const { fold } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
    // Only cases that were trained on: their evaluation feeds the part on annotated and other slices.
    mkdirSync(join(root, 'trained'));
    for (const name of [...fold.train, ...fold.selection])
      renameSync(join(dense, `${name}.nii.gz`), join(root, 'trained', `${name}.nii.gz`));
    renameSync(join(dense, 'prediction.json'), join(root, 'trained/prediction.json'));
    const summary = await verb('eval', data, join(root, 'trained'));
    expect(summary.slice_distance.contrast.annotated).toBe(100);
    expect(summary.classes.map((c: any) => c.n_unlabelled)).toEqual([
      0,
      fold.train.includes('phantom_003') || fold.selection.includes('phantom_003') ? 1 : 0,
      0,
    ]);
    expect(JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')).evaluations.training).toBe(join(root, 'trained/summary.json'));
  });

  it('shows all parts', async () => {
    const { overlays } = await verb('report', run);
    expect(overlays.length).toBeGreaterThan(0);
    const html = readFileSync(join(run, 'report.html'), 'utf8');
    for (const part of ['verdict', 'overlays', 'results', 'slices', 'surfaces', 'training', 'resources', 'methods', 'provenance'])
      expect(html).toContain(`id="${part}"`);
    for (const words of [
      '2 held-out cases',
      'Per network',
      'not for clinical use',
      `predict ${masks}`,
      `label ${dense}`,
      'sha256:',
      'Command that repeats the run',
    ])
      expect(html).toContain(words);
  });

  it('goes on when a record is gone', async () => {
    rmSync(join(run, 'run.json'));
    await verb('eval', data, masks, '--out', run, '--no-networks');
    expect((await verb('report', run, '--data', data)).cases).toBe(2);
  });
});
