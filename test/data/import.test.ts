// SPDX-License-Identifier: MIT
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { loadCase } from '../../src/data/dataset.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { importLidcVoi } from '../../src/io/node/dataset/import/lidc_voi.ts';
import { importLuna16, sphereMask } from '../../src/io/node/dataset/import/luna16.ts';
import { ABDOMEN_1K_LABELS, importPairs } from '../../src/io/node/dataset/import/pairs.ts';
import { writeVolume } from '../../src/io/node/volume.ts';
import { dataError, niftiBytes, scratch, sharedData, volumeOf } from './helpers.ts';

const root = scratch();
const put = (path: string, bytes: Buffer | string): void => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), bytes);
};
const nifti = (values: number[]): Buffer => gzipSync(niftiBytes(values));
const IMAGE = Array.from({ length: 12 }, (_, i) => i * 10),
  MASK = IMAGE.map((_, i) => (i > 7 ? 1 : 0));

describe('LIDC volumes of interest', () => {
  put('lidc/index.csv', 'file,patient,nz\na_1.nii.gz,P1,2\na_2.nii.gz,P1,9\nb_1.nii.gz,"P2",8\n');
  for (const f of ['a_1', 'a_2', 'b_1']) {
    put(`lidc/image/${f}.nii.gz`, nifti(IMAGE));
    put(`lidc/nodule_mask/${f}.nii.gz`, nifti(MASK));
  }

  it('keeps patients, filters by slices, and leaves files as they are', async () => {
    const to = join(root, 'lidc-out'),
      result = await importLidcVoi(join(root, 'lidc'), to, { minSlices: 8 });
    expect(result.cases).toBe(2);
    const dataset = await openDataset(to);
    expect(dataset.training.map((c) => [c.name, c.patient])).toEqual([
      ['a_2', 'P1'],
      ['b_1', 'P2'],
    ]);
    expect(readFileSync(join(to, 'imagesTr/a_2_0000.nii.gz'))).toEqual(readFileSync(join(root, 'lidc/image/a_2.nii.gz')));
    expect(dataset.info.json.numTraining).toBe(2);
  });

  it('leaves nothing behind when a file is damaged, and does not write into a full folder', async () => {
    put('bad/index.csv', 'file,patient,nz\na.nii.gz,P1,2\n');
    put('bad/image/a.nii.gz', nifti(IMAGE).subarray(0, -9));
    put('bad/nodule_mask/a.nii.gz', nifti(MASK));
    expect((await dataError(() => importLidcVoi(join(root, 'bad'), join(root, 'bad-out')))).message).toMatch(
      /bad\/image\/a\.nii\.gz: the compressed data stop early/,
    );
    expect(readdirSync(root).filter((n) => n.includes('bad-out'))).toEqual([]);
    expect((await dataError(() => importLidcVoi(join(root, 'lidc'), join(root, 'bad')))).message).toMatch(/exists already/);
    put('nocsv/x', '');
    expect((await dataError(() => importLidcVoi(join(root, 'nocsv'), join(root, 'n-out')))).message).toMatch(/index\.csv: cannot be read/);
    put('short/index.csv', 'file,nz\na,1\n');
    expect((await dataError(() => importLidcVoi(join(root, 'short'), join(root, 'n-out')))).message).toMatch(
      /lacks columns, got file, nz, expected file, patient, nz/,
    );
  });
});

describe('LUNA16', () => {
  // x and y turned, as in a few of its scans; 12 x 10 x 8 voxels of 0.5 x 0.5 x 1 mm; one voxel of padding below -1024.
  const header =
    'ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\nTransformMatrix = ' +
    '-1 0 0 0 -1 0 0 0 1\nOffset = 100 50 -20\nCenterOfRotation = 0 0 0\nAnatomicalOrientation = RAI\nElementSpacing = 0.5 0.5 ' +
    '1\nDimSize = 12 10 8\nElementType = MET_SHORT\nElementDataFile = U.1.raw\n';
  const raw = Int16Array.from({ length: 960 }, (_, i) => (i === 0 ? -3000 : i - 500));
  put('luna/subset3/U.1.mhd', header);
  put('luna/subset3/U.1.raw', Buffer.from(raw.buffer));
  // The centre is voxel x 6, y 4, z 3: world = offset + matrix * index * spacing.
  put('luna/annotations.csv', 'seriesuid,coordX,coordY,coordZ,diameter_mm\nU.1,97,48,-17,2\n');

  it('says that it has no masks', async () => {
    expect((await dataError(() => importLuna16(join(root, 'luna'), join(root, 'l0'), {}))).message).toMatch(
      /LUNA16 has no segmentation masks.*--masks DIR.*--spheres/,
    );
  });

  it('makes spheres where the turned matrix puts them, and says so in dataset.json', async () => {
    const to = join(root, 'luna-spheres');
    await importLuna16(join(root, 'luna'), to, { spheres: true });
    const dataset = await openDataset(to);
    expect(dataset.info.json.label_source).toBe('sphere');
    expect(dataset.info.json.folds).toEqual({ 'U.1': 1 });
    const { label, image } = await loadCase(dataset, dataset.training[0]);
    // The turned file is RAS already. Radius 1 mm = 2 voxels in plane, 1 across: 13 in the middle slice, 1 above, 1 below.
    const inside = [...label!.keys()].filter((i) => label![i]);
    expect(inside).toHaveLength(15);
    expect(inside).toContain((3 * 10 + 4) * 12 + 6);
    expect(inside).toContain((2 * 10 + 4) * 12 + 6);
    expect(inside).toContain((3 * 10 + 4) * 12 + 8);
    expect(Math.min(...image.data)).toBe(-1024);
    expect(image.data[1]).toBe(-499);
  });

  it('takes masks from a folder', async () => {
    await writeVolume(join(root, 'masks/U.1.nrrd'), {
      ...volumeOf(
        [8, 10, 12],
        Uint8Array.from({ length: 960 }, (_, i) => Number(i === 500)),
      ),
      spacing: [1, 0.5, 0.5],
      origin: [100, 50, -20],
      direction: [-1, 0, 0, 0, -1, 0, 0, 0, 1],
    });
    const to = join(root, 'luna-masks');
    await importLuna16(join(root, 'luna'), to, { masks: join(root, 'masks') });
    const dataset = await openDataset(to);
    expect(dataset.info.json.label_source).toBeUndefined();
    expect([...(await loadCase(dataset, dataset.training[0])).label!.keys()].length).toBe(960);
    expect((await loadCase(dataset, dataset.training[0])).label!.indexOf(1)).toBe(500);
  });

  it('names the folder of masks that has none, or none of these scans', async () => {
    mkdirSync(join(root, 'no-masks'));
    expect((await dataError(() => importLuna16(join(root, 'luna'), join(root, 'l1'), { masks: join(root, 'no-masks') }))).message).toMatch(
      /no-masks: no mask in it[^]*--masks/,
    );
    await writeVolume(join(root, 'no-masks/other.nrrd'), volumeOf([1, 2, 3], new Uint8Array(6)));
    expect((await dataError(() => importLuna16(join(root, 'luna'), join(root, 'l1'), { masks: join(root, 'no-masks') }))).message).toMatch(
      /no-masks: no mask of any scan in .*luna, got other, expected names such as U\.1/,
    );
  });

  it('gives the smallest nodule a voxel', () => {
    const mask = sphereMask(volumeOf([4, 4, 4], new Uint8Array(64), { spacing: [3, 3, 3] }), [
      { centre: [10 + 4.4, -20 + 4.4, 30 + 4.4], diameter: 1 },
    ]);
    expect([...mask.data].filter((v) => v === 1)).toHaveLength(1);
  });
});

describe('pairs', () => {
  it('reads AbdomenCT-1K naming', async () => {
    put('ab/images/Case_00001_0000.nii.gz', nifti(IMAGE));
    put('ab/labels/Case_00001.nii.gz', nifti(MASK));
    const to = join(root, 'ab-out');
    await importPairs(join(root, 'ab/images'), to, { labels: join(root, 'ab/labels'), classes: ABDOMEN_1K_LABELS });
    const dataset = await openDataset(to);
    expect(dataset.training[0].name).toBe('Case_00001');
    expect(dataset.info.classes.map((c) => c.name)).toEqual(['background', 'liver', 'kidney', 'spleen', 'pancreas']);
  });

  it('matches images and masks in one folder and of different formats, and notes those left over', async () => {
    await writeVolume(join(root, 'mix/one_image.mha'), volumeOf([2, 2, 3], Int16Array.from(IMAGE)));
    await writeVolume(join(root, 'mix/one_mask.nrrd'), volumeOf([2, 2, 3], Uint8Array.from(MASK)));
    await writeVolume(join(root, 'mix/two_image.mhd'), volumeOf([2, 2, 3], Int16Array.from(IMAGE)));
    put('mix/three_image.NII', nifti(IMAGE));
    const to = join(root, 'mix-out'),
      result = await importPairs(join(root, 'mix'), to, { labels: join(root, 'mix') });
    const dataset = await openDataset(to);
    expect(dataset.training.map((c) => c.name)).toEqual(['one']);
    expect(dataset.test.map((c) => c.name)).toEqual(['two']);
    expect(result.notes.join()).toMatch(/three_image\.NII: a volume of a kind that is not read[^]*two_image\.mhd: no mask named like it/);
    expect([...(await loadCase(dataset, dataset.training[0])).label!].reduce((a, b) => a + b)).toBe(4);
  });

  it('asks for consecutive labels', async () => {
    put('gap/i/a.nii.gz', nifti(IMAGE));
    put('gap/l/a.nii.gz', nifti(MASK.map((v) => v * 5)));
    expect(
      (await dataError(() => importPairs(join(root, 'gap/i'), join(root, 'gap-out'), { labels: join(root, 'gap/l') }))).message,
    ).toMatch(/label values are not consecutive, got 5/);
    expect(existsSync(join(root, 'gap-out'))).toBe(false);
  });

  it.each<[string, string[], string[], string[], string[]]>([
    [
      'case numbers from 0000',
      ['case_0000', 'case_0001', 'case_0002'],
      ['case_0000', 'case_0001', 'case_0002'],
      ['case_0000', 'case_0001', 'case_0002'],
      [],
    ],
    [
      "case numbers from 0000 before nnU-Net's channel",
      ['case_0000_0000', 'case_0001_0000'],
      ['case_0000', 'case_0001'],
      ['case_0000', 'case_0001'],
      [],
    ],
    ['one case number, and its mask', ['case_0000'], ['case_0000_mask'], ['case_0000'], []],
    ['one channel, and its mask', ['case_0000'], ['case'], ['case'], []],
    ['channels, and fewer masks than images', ['a_0000', 'b_0000', 'c_0000'], ['b'], ['b'], ['a', 'c']],
    ['case numbers without masks', ['case_0000', 'case_0001'], [], [], ['case_0000', 'case_0001']],
    ['channels without masks', ['case_0000', 'other_0000'], [], [], ['case', 'other']],
    ['one scan without a mask', ['case_0000'], [], [], ['case_0000']],
    ['words and channels', ['a_image_0000', 'b_img_0000'], ['a_seg', 'b-label'], ['a', 'b'], []],
    ['another form of an accent', ['l\u00e4ufe_0000'], ['la\u0308ufe'], ['l\u00e4ufe'], []],
  ])('%s', async (what, images, masks, training, test) => {
    const [from, to] = [join(root, 'names', what), join(root, 'named', what)];
    for (const name of images) put(join('names', what, 'i', `${name}.nii.gz`), nifti(IMAGE));
    for (const name of masks) put(join('names', what, 'm', `${name}.nii.gz`), nifti(MASK));
    await importPairs(join(from, 'i'), to, masks.length > 0 ? { labels: join(from, 'm') } : { classes: { background: 0, class_1: 1 } });
    const dataset = await openDataset(to);
    expect([dataset.training.map((c) => c.name), dataset.test.map((c) => c.name)]).toEqual([training, test]);
  });

  it.each<[string, string[], string[], RegExp]>([
    ['capitals', ['A', 'a'], [], /duplicate case name, got "a"/],
    ['accents', ['l\u00e4ufe', 'la\u0308ufe'], [], /duplicate case name/],
    ['a second channel', ['a_0000', 'a_0001', 'b_0000'], ['a', 'b'], /a_0001\.nii\.gz: another channel of the case "a"/],
    ['words that leave one name', ['a_ct', 'a_img'], [], /duplicate case name, got "a"/],
    ['a name for a device', ['nul'], [], /case name is the name of a device/],
    ['a colon', ['12:30'], [], /case name holds :/],
  ])('refuses names: %s', async (what, images, masks, message) => {
    for (const name of images) put(join('refused', what, 'i', `${name}.nii.gz`), nifti(IMAGE));
    for (const name of masks) put(join('refused', what, 'm', `${name}.nii.gz`), nifti(MASK));
    const error = await dataError(() =>
      importPairs(
        join(root, 'refused', what, 'i'),
        join(root, 'refused', what, 'out'),
        masks.length > 0 ? { labels: join(root, 'refused', what, 'm') } : {},
      ),
    );
    expect(error.message).toMatch(message);
    expect(existsSync(join(root, 'refused', what, 'out'))).toBe(false);
  });

  it('refuses one file as image and mask', async () => {
    put('same/a.nii.gz', nifti(MASK));
    expect(
      (await dataError(() => importPairs(join(root, 'same'), join(root, 'same-out'), { labels: join(root, 'same') }))).message,
    ).toMatch(/got one file for both/);
  });

  it('refuses two files for one case', async () => {
    put('twice/a.nii.gz', nifti(IMAGE));
    put('twice/a_0000.nii.gz', nifti(IMAGE));
    expect((await dataError(() => importPairs(join(root, 'twice'), join(root, 'twice-out')))).message).toMatch(
      /duplicate case name, got "a"/,
    );
  });
});

describe('real data', () => {
  it('openkbp-headneck opens as it is; a case loads with all classes of its mask', async () => {
    const folder = sharedData('openkbp-headneck');
    if (!folder) return;
    const dataset = await openDataset(folder);
    expect(dataset.training).toHaveLength(40);
    const { label } = await loadCase(dataset, dataset.training[0]);
    expect(Math.max(...new Set(label))).toBeLessThanOrEqual(7);
  });
});
