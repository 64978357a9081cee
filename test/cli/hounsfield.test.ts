// SPDX-License-Identifier: MIT
// Scans that a network can know nothing of. Numbers that are no CT in Hounsfield units: nothing in a file says so, so that windows of
// intensities would make something of them all the same; `check`, `plan`, `train` and `predict` say it. Voxels of another size than any
// that it was trained on: `predict` says it, its records keep it, and `eval` and `report` pass it on.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { channelWords, notHounsfield } from '../../src/data/hounsfield.ts';
import { spacingOver, unfamiliarSpacing } from '../../src/data/familiar.ts';
import { newestCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import { scratch } from '../data/helpers.ts';
import { slicesAlone, tinyDataset, tinyPlan, writePlan } from '../train/tiny_run.ts';
import { untrained } from './untrained.ts';
import { voxelgrad } from './voxelgrad.ts';

const root = scratch();
const at = (...parts: string[]): string => join(root, ...parts);
beforeAll(async () => {
  await tinyDataset(at('good'));
  await untrained(at('run'), tinyPlan(slicesAlone));
});

async function said(...argv: string[]): Promise<string> {
  const { code, out, err } = await voxelgrad(argv);
  expect(code, err).toBe(0);
  return `${out}\n${err}`.replace(/\s+/g, ' ');
}

/** A copy of the good data set, its images changed voxel by voxel and its JSON by hand. */
async function changed(name: string, voxel: (v: number) => number, edit: (json: any) => void = () => {}): Promise<string> {
  const folder = at(name);
  cpSync(at('good'), folder, { recursive: true });
  for (const file of readdirSync(join(folder, 'imagesTr')).map((f) => join(folder, 'imagesTr', f))) {
    const volume = await readVolume(file);
    await writeVolume(file, { ...volume, data: Float32Array.from(volume.data, voxel) });
  }
  const json = JSON.parse(readFileSync(join(folder, 'dataset.json'), 'utf8'));
  edit(json);
  writeFileSync(join(folder, 'dataset.json'), JSON.stringify(json));
  return folder;
}

describe('what cannot be Hounsfield units', () => {
  it.each<[string, [number, number], RegExp | undefined]>([
    ['a chest', [-1024, 3071], undefined],
    ['soft tissue and bone', [-120, 900], undefined],
    ['stored values without their intercept', [0, 4095], /0 to 4095, expected Hounsfield units, where air/],
    ['eight bits', [0, 255], /0 to 255/],
    ['shares of one', [0, 1], /0 to 1,/],
    ['a window scaled to -1 .. 1', [-1, 1], /-1 to 1, .* 100 and more apart/],
    ['z-scores', [-3.1, 9.7], /-3\.1 to 9\.7/],
    ['nothing', [-1024, -1024], /every voxel has the value -1024/],
  ])('%s', (_, range, words) => {
    if (words) expect(notHounsfield(range)).toMatch(words);
    else expect(notHounsfield(range)).toBeUndefined();
  });

  it.each<[string[], RegExp | undefined]>([
    [['CT'], undefined],
    [['ct scan'], undefined],
    [['CTA'], undefined],
    [['CBCT'], undefined],
    [['MRI'], /called "MRI"/],
    [['T2 factor'], /called "T2 factor"/],
    [['CT', 'PET'], /2 channels \(CT, PET\), of which networks see the first alone.*: CT$/],
  ])('channels %j', (channels, words) => {
    if (words) expect(channelWords(channels)).toMatch(words);
    else expect(channelWords(channels)).toBeUndefined();
  });
});

describe('is said', () => {
  it('of a normalised data set, by check and by train, which goes on', async () => {
    const folder = await changed('normalised', (v) => (v + 1200) / 1800);
    expect(await said('check', folder)).toMatch(/phantom_000_0000\.nii\.gz: values from .* expected Hounsfield units.*not normalised/);
    const short = writePlan(
      root,
      tinyPlan((p) => {
        slicesAlone(p);
        p.training.iterations = 1;
      }),
    );
    expect(await said('train', folder, '--run', at('normalised run'), '--plan', short)).toMatch(
      /4 scans that are hardly CT, such as phantom_00\d: values from .* expected Hounsfield units/,
    );
  });

  it('of stored values without their intercept, by predict', async () => {
    const folder = await changed('raw', (v) => Math.max(0, v + 1024));
    const scan = join(folder, 'imagesTr/phantom_001_0000.nii.gz');
    expect(await said('predict', '-i', scan, '-o', at('masks'), '--run', at('run'))).toMatch(
      /phantom_001: values from 0 to \d+, expected Hounsfield units.*rescale slope and intercept/,
    );
    expect(
      await said('predict', '-i', at('good/imagesTr/phantom_001_0000.nii.gz'), '-o', at('good masks'), '--run', at('run')),
    ).not.toMatch(/Hounsfield/);
  });

  it('of another modality and of channels that nobody looks at', async () => {
    const mri = await changed(
      'mri',
      (v) => v,
      (json) => {
        json.channel_names = { 0: 'MRI' };
      },
    );
    expect(await said('check', mri)).toMatch(/dataset\.json: the channel is called "MRI"/);
    expect(await said('plan', mri)).toMatch(/dataset\.json: the channel is called "MRI"/);
    for (const part of ['imagesTr', 'imagesTs'])
      for (const name of readdirSync(join(mri, part))) cpSync(join(mri, part, name), join(mri, part, name.replace('_0000', '_0001')));
    const { code, err } = await voxelgrad(['plan', mri, '--out', at('two.json')]);
    expect(code).toBe(3);
    expect(err).toMatch(/dataset\.json: case "phantom_00\d" has 2 images, expected 1 as in channel_names \(MRI\)/);
  });
});

describe('voxels of a size that nobody trained on', () => {
  const range = { low: [1, 0.6, 0.6], high: [2.5, 0.9, 0.9] } as const;
  it.each<[[number, number, number], boolean, RegExp | undefined]>([
    [[1, 0.6, 0.6], false, undefined],
    [[3, 0.5, 1.1], false, undefined], // nearly
    [[5, 0.7, 0.7], false, /^voxels of 5 x 0\.7 x 0\.7 mm, .* have 1 to 2\.5 x 0\.6 to 0\.9 x 0\.6 to 0\.9$/],
    [[0.5, 0.7, 0.7], false, /voxels of 0\.5 x/],
    [[2, 0.7, 1.4], false, /x 1\.4 mm/],
    [[0.2, 0.2, 0.2], true, undefined], // brought to the spacing of the plan
    [[5, 0.7, 0.7], true, /voxels of 5 x/],
  ])('are %j, resampled %j', (spacing, resampled, said) => {
    const found = unfamiliarSpacing(spacing, range, resampled);
    if (said) expect(found).toMatch(said);
    else expect(found).toBeUndefined();
  });
  it('nothing is said where the training of one of several models is not known', () => {
    expect(spacingOver([range, { low: [0.5, 0.7, 0.7], high: [1, 1, 1] }])).toEqual({ low: [0.5, 0.6, 0.6], high: [2.5, 1, 1] });
    expect(spacingOver([range, undefined])).toBeUndefined();
    expect(spacingOver([])).toBeUndefined();
  });

  it('is noted by train, said by predict, also of masks that are kept, and by all who judge them', async () => {
    const plan = writePlan(
      root,
      tinyPlan((p) => {
        slicesAlone(p);
        p.training.iterations = 1;
      }),
      'one.json',
    );
    await said('train', at('good'), '--run', at('one'), '--plan', plan);
    expect((await newestCheckpoint(at('one'))).state.spacing).toEqual({ low: [1, 1, 1], high: [1, 1, 1] });
    mkdirSync(at('scans'));
    for (const [name, thickness] of [
      ['phantom_006', 1],
      ['phantom_007', 3],
    ] as const) {
      const image = await readVolume(at(`good/imagesTs/${name}_0000.nii.gz`)),
        label = await readVolume(at(`good/labelsTs/${name}.nii.gz`));
      for (const [folder, volume] of [
        ['scans', image],
        ['labels', label],
      ] as const) {
        mkdirSync(at(folder), { recursive: true });
        await writeVolume(at(folder, `${name}.nii.gz`), { ...volume, spacing: [thickness, 1, 1] });
      }
    }
    const words = /phantom_007: voxels of 3 x 1 x 1 mm, where the scans that were trained on have 1 x 1 x 1\. What was learnt of sizes/;
    const predict = () => said('predict', '-i', at('scans'), '-o', at('sized'), '--run', at('one'));
    const first = await predict();
    expect(first).toMatch(words);
    expect(first).not.toMatch(/phantom_006: voxels/);
    const again = await voxelgrad(['predict', '-i', at('scans'), '-o', at('sized'), '--run', at('one'), '--json']);
    expect(JSON.parse(again.out)).toMatchObject({
      written: 0,
      doubts: [{ name: 'phantom_007', why: expect.stringMatching(/voxels of 3 x/) }],
    });
    expect(again.err.replace(/\s+/g, ' ')).toMatch(words);
    expect(await said('eval', at('labels'), at('sized'))).toMatch(words);
    expect(Object.keys(JSON.parse(readFileSync(at('sized/summary.json'), 'utf8')).evaluated.doubtful)).toEqual(['phantom_007']);
    expect(await said('report', at('one'))).toMatch(words);
    expect(readFileSync(at('one/report.html'), 'utf8').replace(/\s+/g, ' ')).toMatch(words);
  });
});
