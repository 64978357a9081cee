// SPDX-License-Identifier: MIT
// The verbs of data and evaluation, as a user chains them, on phantoms.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import { voxelgrad, type Said } from './voxelgrad.ts';

const folder = mkdtempSync(join(tmpdir(), 'vg-verbs-'));
const dataset = join(folder, 'phantoms');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(async () => {
  await writePhantomDataset(dataset, { training: 3, test: 1, size: [12, 24, 24], seed: 1, radii: [3, 5] });
});

async function run(...argv: string[]): Promise<Said> {
  return voxelgrad(argv);
}

describe('check', () => {
  it('is content with phantoms, and lists them', async () => {
    const { code, out } = await run('check', dataset);
    expect(code).toBe(0);
    expect(out).toMatch(/phantom_000 +phantom_000 +12 x 24 x 24/);
    expect(out).toMatch(/4 cases read, 0 errors/);
  });
  it('ends with exit code 3 and names file and remedy where something is wrong', async () => {
    const broken = join(folder, 'broken');
    await writePhantomDataset(broken, { training: 2, test: 0, size: [8, 16, 16], seed: 2 });
    const file = join(broken, 'labelsTr/phantom_001.nii.gz');
    writeFileSync(file, readFileSync(file).subarray(0, 60));
    const { code, out } = await run('check', broken, '--json');
    expect(code).toBe(3);
    const { findings } = JSON.parse(out);
    expect(findings.filter((f: { level: string }) => f.level === 'error')).toMatchObject([
      { file: expect.stringContaining('phantom_001'), remedy: expect.stringMatching(/\S/) },
    ]);
  });
  it('of no data set is a data error', async () => expect((await run('check', join(folder, 'nothing'))).code).toBe(3));
});

describe('sparsify', () => {
  it('writes annotations.json and says the shares', async () => {
    const { code, out } = await run('sparsify', dataset, '--mode', 'transverse', '--seed', '7');
    expect(code).toBe(0);
    expect(out).toMatch(/33\.3 % of the transverse slices, 0\.0 % of the coronal slices, 33\.3 % of the voxels/);
    expect(Object.keys(JSON.parse(readFileSync(join(dataset, 'annotations.json'), 'utf8')))).toEqual([
      'phantom_000',
      'phantom_001',
      'phantom_002',
    ]);
  });
  it.each([
    [['sparsify', dataset], /required option '--mode/],
    [['sparsify', dataset, '--mode', 'some'], /Allowed choices are both, transverse, budget, central/],
    [['sparsify', dataset, '--mode', 'both', '--seed', '-1'], /whole number|from 0 to/],
    [['sparsify', dataset, '--mode', 'both', '--seed', '1.5'], /whole number/],
  ])('%j is a usage error', async (argv, message) => {
    const { code, err } = await run(...argv);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});

describe('plan', () => {
  it('writes a plan that a person can edit, once', async () => {
    const { code, out } = await run('plan', dataset, '--preset', 'demo');
    expect(code).toBe(0);
    expect(out).toMatch(/plan\.json: sanet, preset demo, 2 classes, ROI 16 x 64 x 64, 120 iterations/);
    const text = readFileSync(join(dataset, 'plan.json'), 'utf8');
    expect(text).toMatch(/"roi": \[16, 64, 64\],/);
    expect(JSON.parse(text)).toMatchObject({ name: 'phantom', classes: ['background', 'nodule'] });
    const again = await run('plan', dataset);
    expect(again.code).toBe(3);
    expect(again.err).toMatch(/exists already[^]*--force/);
  });
  it('applies --ablate, and refuses what is no part', async () => {
    expect(JSON.parse((await run('plan', '--ablate', 'msa, cross', '--json')).out).plan).toMatchObject({
      method: { network2d: { useMSA: false, useBGC: true }, cross: { enabled: false } },
    });
    expect((await run('plan', '--ablate', 'everything')).code).toBe(2);
    expect(JSON.parse((await run('plan', '--method', 'vnet', '--preset', 'paper', '--json')).out).parameters).toEqual({
      vnet: expect.objectContaining({ total: 9_448_866 }),
    });
  });
  it('says what a preset costs: parameters by module, memory and work of an iteration', async () => {
    const { parameters, iteration } = JSON.parse((await run('plan', '--preset', 'paper', '--json')).out);
    expect([parameters.transverse.total, parameters.coronal.total, parameters.sam.total]).toEqual([
      35_010_841,
      35_010_841,
      92_906_496 + 8_668 + 7_575_636,
    ]);
    expect(parameters.transverse.modules).toMatchObject({ encoder: 23_501_760, bgc: 248_896, esg: 280_064 });
    // Weights, gradients and two moments of all three networks, and activations besides.
    const weights = 16 * (2 * 35_010_841 + 100_490_800);
    expect(iteration.memoryBytes).toBeGreaterThan(weights);
    expect(iteration.memoryBytes).toBeLessThan(2 * weights);
    const look = iteration.programs.find((p: { name: string }) => p.name === 'look transverse');
    expect((look.runs * look.flops) / (2 * 32 * 4.84e9)).toBeCloseTo(1, 1); // specification B.2: 4.84 GMAC a slice of 128 x 128, 32 slices
    expect(iteration.flops).toBe(iteration.programs.reduce((n: number, p: { runs: number; flops: number }) => n + p.runs * p.flops, 0));
  });
  it('prints the schema with what fields mean', async () => {
    const schema = JSON.parse((await run('plan', '--schema')).out);
    expect(schema.properties.method.properties.cross.properties.pseudo).toMatchObject({
      enum: ['full', 'selected'],
      description: expect.stringContaining('slices'),
    });
  });
});

describe('import', () => {
  it('pairs images and masks by name', async () => {
    const [images, masks] = [join(folder, 'images'), join(folder, 'masks')];
    for (const f of [images, masks]) mkdirSync(f);
    copyFileSync(join(dataset, 'imagesTr/phantom_000_0000.nii.gz'), join(images, 'a_image.nii.gz'));
    copyFileSync(join(dataset, 'labelsTr/phantom_000.nii.gz'), join(masks, 'a_mask.nii.gz'));
    const { code, out } = await run(
      'import',
      images,
      '--masks',
      masks,
      '--to',
      join(folder, 'imported'),
      '--classes',
      'tumour=1',
      '--json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ cases: 1, kind: 'pairs' });
    expect(JSON.parse(readFileSync(join(folder, 'imported/dataset.json'), 'utf8')).labels).toEqual({ background: 0, tumour: 1 });
  });
  it('does not land among what it imports: in the folder of images or masks, through a link too', async () => {
    const images = join(folder, 'images');
    symlinkSync(images, join(folder, 'images_link'));
    for (const to of [images, join(images, 'made'), join(folder, 'images_link/made'), join(folder, 'masks/made')]) {
      expect(await run('import', images, '--masks', join(folder, 'masks'), '--to', to)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/--to: .* (is|lies inside) the input/),
      });
    }
    expect([readdirSync(images), readdirSync(join(folder, 'masks'))]).toEqual([['a_image.nii.gz'], ['a_mask.nii.gz']]);
  });
  it('recognises LUNA16, and says that it has no masks', async () => {
    const luna = join(folder, 'luna');
    mkdirSync(join(luna, 'subset0'), { recursive: true });
    writeFileSync(join(luna, 'annotations.csv'), 'seriesuid,coordX,coordY,coordZ,diameter_mm\n');
    const { code, err } = await run('import', luna, '--to', join(folder, 'x'));
    expect(code).toBe(3);
    expect(err).toMatch(/no segmentation masks[^]*--spheres/);
    expect(existsSync(join(folder, 'x'))).toBe(false);
  });
  it.each([[['--classes', 'liver']], [['--spheres']]])('%j is a usage error', async (more) => {
    expect((await run('import', dataset, '--to', join(folder, 'y'), ...more)).code).toBe(2);
  });
  it.each([
    ['import', dataset, '--to', 'y', '--classes', 'liver'],
    ['import', dataset, '--to', 'y', '--spheres'],
    ['plan', '--ablate', 'foo'],
    ['plan', '--ablate', '2d,sam'],
  ])('%s %s ... says what to do instead', async (...argv) => {
    const { code, err } = await run(...argv);
    expect(code).toBe(2);
    expect(err).toMatch(/^error: .*\nhint: \S/);
  });
});

describe('eval', () => {
  const predictions = join(folder, 'predictions');
  beforeAll(async () => {
    mkdirSync(predictions);
    for (const [name, shift] of [
      ['phantom_000', 0],
      ['phantom_001', 1],
    ] as const) {
      const label = await readVolume(join(dataset, 'labelsTr', `${name}.nii.gz`));
      const data = label.data.slice();
      if (shift) data.copyWithin(shift, 0); // one voxel along W
      await writeVolume(join(predictions, `${name}.nii.gz`), { ...label, data });
    }
  });

  it("scores a data set's cases and writes summary.json and a table", async () => {
    await run('sparsify', dataset, '--mode', 'transverse');
    const { code, out, err } = await run('eval', dataset, predictions, '--json', '--allow-missing');
    expect(code).toBe(0);
    expect(err).toMatch(/eval 3\/3/);
    const summary = JSON.parse(out);
    expect(summary).toEqual(JSON.parse(readFileSync(join(predictions, 'summary.json'), 'utf8')));
    expect(Object.keys(summary.metric_per_case[0].metrics['1'])).toEqual(
      expect.arrayContaining(['Dice', 'IoU', 'BF', 'HD95', 'ASSD', 'SurfaceDice', 'RAVD']),
    );
    const dice = summary.metric_per_case.map((c: any) => c.metrics['1'].Dice);
    expect(dice[0]).toBe(1);
    expect(dice[1]).toBeGreaterThan(0.5);
    expect(dice[1]).toBeLessThan(1);
    expect(summary.mean['1'].Dice).toBeCloseTo((dice[0] + dice[1]) / 2, 12);
    expect(summary.slice_distance).not.toBeNull();
    expect(readFileSync(join(predictions, 'metrics.csv'), 'utf8').split('\n')).toHaveLength(5);
  });

  it('shows a table with counts and tolerances, and says what was not predicted', async () => {
    const { code, out } = await run('eval', dataset, predictions);
    expect(code).toBe(3);
    expect(out).toMatch(/nodule +\d+\.\d+ \[/);
    expect(out).toMatch(/boundary F1 within 1 voxels, surface Dice within 2 mm/);
    expect(out).toMatch(/1 reference has no prediction: phantom_002; scored as empty/);
    expect(out).toMatch(/Nothing was predicted of labelsTs, not evaluated: phantom_003/);
  });

  it('finds the classes of bare folders in all files, so that every case is scored for the same ones', async () => {
    const [a, b] = [join(folder, 'a'), join(folder, 'b')];
    const label = await readVolume(join(dataset, 'labelsTr/phantom_000.nii.gz'));
    for (const f of [a, b]) {
      mkdirSync(f);
      await writeVolume(join(f, 'one.nii.gz'), label);
      await writeVolume(join(f, 'two.nii.gz'), { ...label, data: label.data.map((v) => v * 3) });
    }
    const summary = JSON.parse((await run('eval', a, b, '--json', '--out', join(folder, 'out'))).out);
    expect(summary.classes.map((c: any) => [c.label, c.n_pairs, c.n_defined, c.n_both_empty, c.n_unlabelled])).toEqual([
      [1, 2, 1, 1, 0],
      [3, 2, 1, 1, 0],
    ]);
    expect(existsSync(join(folder, 'out/summary.json'))).toBe(true);
  });

  it('compares two files', async () => {
    const file = join(dataset, 'labelsTr/phantom_002.nii.gz');
    expect(JSON.parse((await run('eval', file, file, '--json', '--out', join(folder, 'single'))).out).foreground.metrics.Dice.mean).toBe(
      100,
    );
  });
  it("takes its tolerances from the plan of the masks' run, unless told otherwise", async () => {
    const run_ = join(folder, 'run_with_plan');
    mkdirSync(run_);
    writeFileSync(join(run_, 'plan.json'), JSON.stringify({ preset: 'demo', evaluation: { boundaryTolerance: 3, surfaceMm: 4 } }));
    writeFileSync(join(run_, 'run.json'), JSON.stringify({ version: 1, fold: { train: [], selection: [], test: [] } }));
    copyFileSync(join(dataset, 'labelsTr/phantom_000.nii.gz'), join(run_, 'phantom_000.nii.gz'));
    const settings = async (...more: string[]) => JSON.parse((await run('eval', dataset, run_, '--json', ...more)).out).settings;
    expect(await settings()).toMatchObject({ theta: [3], surface_mm: 4 });
    expect(await settings('--theta', '1', '--surface-mm', '2')).toMatchObject({ theta: [1], surface_mm: 2 });
  });

  it('says where masks are balls or phantoms: in summary.json, in words, and in the report', async () => {
    const [json, run_] = [join(dataset, 'dataset.json'), join(folder, 'run_on_balls')];
    const before = readFileSync(json, 'utf8');
    mkdirSync(run_);
    writeFileSync(join(run_, 'plan.json'), JSON.stringify({ preset: 'demo' }));
    writeFileSync(
      join(run_, 'run.json'),
      JSON.stringify({ version: 1, labelSource: 'phantom', fold: { train: [], selection: [], test: [] } }),
    );
    copyFileSync(join(dataset, 'labelsTr/phantom_000.nii.gz'), join(run_, 'phantom_000.nii.gz'));
    writeFileSync(json, JSON.stringify({ ...JSON.parse(before), label_source: 'sphere' }));
    try {
      expect((await run('eval', dataset, run_)).out).toMatch(
        /note: The masks are balls of the annotated diameter[^]*note: Trained on masks marked "phantom"/,
      );
      expect(JSON.parse(readFileSync(join(run_, 'summary.json'), 'utf8')).settings).toMatchObject({
        label_source: 'sphere',
        trained_label_source: 'phantom',
      });
      await run('report', run_);
      expect(readFileSync(join(run_, 'report.html'), 'utf8')).toMatch(
        /class="notice">The masks are balls[^]*class="notice">Trained on masks marked/,
      );
    } finally {
      writeFileSync(json, before);
    }
  });

  it('refuses an image, another grid, and a prediction without a reference', async () => {
    const image = join(dataset, 'imagesTr/phantom_000_0000.nii.gz');
    expect((await run('eval', join(dataset, 'labelsTr/phantom_000.nii.gz'), image)).err).toMatch(/not a mask, got the value -?\d+/);
    const small = join(folder, 'small.nii.gz');
    await writeVolume(small, { ...(await readVolume(image)), size: [6, 24, 24], data: new Uint8Array(6 * 24 * 24) });
    expect(await run('eval', join(dataset, 'labelsTr/phantom_000.nii.gz'), small)).toMatchObject({
      code: 3,
      err: expect.stringMatching(/another grid/),
    });
    const extra = join(folder, 'extra');
    mkdirSync(extra);
    copyFileSync(join(predictions, 'phantom_000.nii.gz'), join(extra, 'nobody.nii.gz'));
    expect(await run('eval', dataset, extra)).toMatchObject({ code: 3, err: expect.stringMatching(/no reference for it/) });
  });
});

describe('report', () => {
  const runFolder = join(folder, 'run');
  beforeAll(async () => {
    mkdirSync(runFolder);
    const copy = join(folder, 'copied');
    mkdirSync(copy);
    for (const name of ['phantom_000', 'phantom_001', 'phantom_002'])
      copyFileSync(join(dataset, 'labelsTr', `${name}.nii.gz`), join(copy, `${name}.nii.gz`));
    await run('eval', dataset, copy, '--out', runFolder);
  });

  it("shows overlays of the data set's images, and the run's own facts", async () => {
    writeFileSync(join(runFolder, 'log.jsonl'), '{"iteration":0,"loss":{"sam":1.5}}\n{"iteration":10,"loss":{"sam":1}}\n');
    writeFileSync(join(runFolder, 'run.json'), JSON.stringify({ machine: { adapter: 'Imaginary 9000' } }));
    const { code, out } = await run('report', runFolder, '--data', dataset, '--title', 'A <b> title', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      file: join(runFolder, 'report.html'),
      cases: 3,
      overlays: expect.arrayContaining(['phantom_000', 'phantom_002']),
    });
    const html = readFileSync(join(runFolder, 'report.html'), 'utf8');
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).toContain('A &lt;b&gt; title');
    expect(html).toContain('Imaginary 9000');
    expect(html).toMatch(/data:image\/png;base64/);
    expect(html).toContain('id="training"');
  });

  it('compares runs on the same cases', async () => {
    const other = join(folder, 'other run');
    mkdirSync(other);
    copyFileSync(join(runFolder, 'summary.json'), join(other, 'summary.json'));
    expect((await run('report', runFolder, '--compare', other, '--out', join(folder, 'two.html'))).code).toBe(0);
    expect(readFileSync(join(folder, 'two.html'), 'utf8')).toContain('id="runs"');
    expect(await run('report', runFolder, '--compare', `${runFolder}/.`)).toMatchObject({
      code: 3,
      err: expect.stringMatching(/the same run as/),
    });
  });

  it('says what is missing', async () => {
    expect(await run('report', folder)).toMatchObject({ code: 3, err: expect.stringMatching(/no summary\.json[^]*voxelgrad eval/) });
    writeFileSync(join(folder, 'summary.json'), '{"metric_per_case": 3}');
    expect(await run('report', folder)).toMatchObject({ code: 3, err: expect.stringMatching(/not a summary/) });
  });
});
