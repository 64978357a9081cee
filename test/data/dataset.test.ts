// SPDX-License-Identifier: MIT
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { annotationWeight } from '../../src/data/annotations.ts';
import { checkDataset } from '../../src/io/node/dataset/check.ts';
import { loadCase } from '../../src/data/dataset.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { annotatedShare, drawnCases, sparsePlanes } from '../../src/data/sparse_planes.ts';
import { sparsify } from '../../src/io/node/dataset/sparsify.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import type { Volume } from '../../src/data/volume.ts';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import { dataError, scratch, volumeOf } from './helpers.ts';

const root = scratch();
const good = join(root, 'good');
beforeAll(async () => {
  const result = await writePhantomDataset(good, { size: [6, 20, 24], seed: 1, radii: [3, 6], training: 3, test: 1 });
  expect(result.cases).toBe(4);
});

let copies = 0;
/** A copy of the good set, changed. */
function changed(change: (folder: string, json: Record<string, unknown>) => void | Promise<void>): Promise<string> {
  const folder = join(root, `copy${copies++}`);
  cpSync(good, folder, { recursive: true });
  const json = JSON.parse(readFileSync(join(folder, 'dataset.json'), 'utf8')) as Record<string, unknown>;
  return Promise.resolve(change(folder, json)).then(() => {
    writeFileSync(join(folder, 'dataset.json'), JSON.stringify(json));
    return folder;
  });
}
const annotate = (folder: string, value: unknown): void =>
  writeFileSync(join(folder, 'annotations.json'), typeof value === 'string' ? value : JSON.stringify(value));
const relabel = async (folder: string, name: string, change: (v: Volume) => Volume): Promise<void> => {
  const file = join(folder, 'labelsTr', `${name}.nii.gz`);
  await writeVolume(file, change(await readVolume(file)));
};

describe('openDataset and loadCase', () => {
  it('lists cases and loads them on the RAS grid, everything annotated without annotations.json', async () => {
    const dataset = await openDataset(good);
    expect(dataset.training.map((c) => c.name)).toEqual(['phantom_000', 'phantom_001', 'phantom_002']);
    expect(dataset.test.map((c) => c.name)).toEqual(['phantom_003']);
    expect(dataset.info.classes).toEqual([
      { name: 'background', value: 0 },
      { name: 'nodule', value: 1 },
    ]);
    const loaded = await loadCase(dataset, dataset.training[0]);
    expect(loaded.image.size).toEqual([6, 20, 24]);
    expect(loaded.image.direction).toEqual([-1, 0, 0, 0, -1, 0, 0, 0, 1]);
    expect(loaded.weight!.every((w) => w === 1)).toBe(true);
    expect(loaded.label!.includes(1)).toBe(true);
    const held = await loadCase(dataset, dataset.test[0]);
    expect(held.weight).not.toBeNull(); // labelsTs: for evaluation
  });

  it('refuses scans of a kind that is not read, which nobody would miss', async () => {
    const folder = await changed((f) => {
      renameSync(join(f, 'imagesTr/phantom_001_0000.nii.gz'), join(f, 'imagesTr/phantom_001_0000.NII.GZ'));
      renameSync(join(f, 'labelsTr/phantom_001.nii.gz'), join(f, 'labelsTr/phantom_001.NII.GZ'));
    });
    expect((await dataError(() => openDataset(folder))).message).toMatch(
      /imagesTr.phantom_001_0000\.NII\.GZ: a volume of a kind that is not read, expected a name that ends in "\.nii\.gz"/,
    );
  });

  it('carries patients, ignore label and unlabelled classes', async () => {
    const folder = await changed(async (f, json) => {
      json.labels = { background: 0, nodule: 1, other: 2, ignore: 3 };
      json.patients = { phantom_000: 'P1', phantom_001: 'P1', phantom_002: 'P2' };
      annotate(f, { unlabelled: { phantom_001: [2] } });
      await relabel(f, 'phantom_000', (v) => ({ ...v, data: v.data.map((x, i) => (i < 480 ? 3 : x)) }));
    });
    const dataset = await openDataset(folder);
    expect(dataset.info.ignore).toBe(3);
    expect(dataset.training.map((c) => c.patient)).toEqual(['P1', 'P1', 'P2']);
    const a = await loadCase(dataset, dataset.training[0]);
    // The first stored slice is ignored: weight 0 there and only there.
    expect(a.weight!.reduce((n, w) => n + w, 0)).toBe(5 * 480);
    expect(Math.max(...a.label!)).toBeLessThan(3);
    expect((await loadCase(dataset, dataset.training[1])).unlabelled).toEqual([2]);
  });

  it("reads nnU-Net's and Decathlon's explicit lists", async () => {
    const explicit = await changed((_f, json) => {
      json.dataset = { one: { images: ['imagesTr/phantom_001_0000.nii.gz'], label: 'labelsTr/phantom_001.nii.gz' } };
    });
    expect((await openDataset(explicit)).training.map((c) => c.name)).toEqual(['one']);
    const decathlon = await changed((_f, json) => {
      json.labels = { 0: 'background', 1: 'nodule' };
      json.training = [{ image: './imagesTr/phantom_001_0000.nii.gz', label: './labelsTr/phantom_001.nii.gz' }];
      json.test = ['./imagesTs/phantom_003_0000.nii.gz'];
    });
    const d = await openDataset(decathlon);
    expect([d.training[0].name, d.test[0].name]).toEqual(['phantom_001', 'phantom_003']);
    expect((await loadCase(d, d.training[0])).label!.includes(1)).toBe(true);
  });

  type Change = Parameters<typeof changed>[0];
  it.each<[string, Change, RegExp]>([
    [
      'path traversal',
      (_f, json) => {
        json.dataset = { a: { images: ['../../etc/passwd'], label: 'labelsTr/phantom_001.nii.gz' } };
      },
      /dataset\.json: a path that leads out of the data set, got "\.\.\/\.\.\/etc\/passwd"/,
    ],
    [
      'an absolute path',
      (_f, json) => {
        json.dataset = { a: { images: ['/etc/passwd'] } };
      },
      /dataset\.json: a path that leads out/,
    ],
    [
      'a traversing case name',
      (_f, json) => {
        json.dataset = { '../a': { images: ['imagesTr/phantom_001_0000.nii.gz'] } };
      },
      /dataset\.json: case name, got "\.\.\/a"/,
    ],
    [
      'a case listed twice',
      (_f, json) => {
        json.training = [0, 0].map(() => ({ image: 'imagesTr/phantom_001_0000.nii.gz', label: 'labelsTr/phantom_001.nii.gz' }));
      },
      /duplicate case name, got "phantom_001"/,
    ],
    [
      'a second file of one case',
      (f) => writeFileSync(join(f, 'imagesTr', 'phantom_001_0000.nrrd'), 'x'),
      /phantom_001_0000\.nrrd: duplicate case name "phantom_001"/,
    ],
    [
      'names that differ in capitals',
      (f) => {
        cpSync(join(f, 'imagesTr/phantom_001_0000.nii.gz'), join(f, 'imagesTr/Phantom_001_0000.nii.gz'));
        cpSync(join(f, 'labelsTr/phantom_001.nii.gz'), join(f, 'labelsTr/Phantom_001.nii.gz'));
      },
      /duplicate case name/,
    ],
    [
      'a case in training and test',
      (f) => cpSync(join(f, 'imagesTr/phantom_001_0000.nii.gz'), join(f, 'imagesTs/phantom_001_0000.nii.gz')),
      /duplicate case name, got "phantom_001" in the test set/,
    ],
    ['a missing label', (f) => rmSync(join(f, 'labelsTr/phantom_001.nii.gz')), /phantom_001\.nii\.gz: no label for the training case/],
    ['an image without channel number', (f) => writeFileSync(join(f, 'imagesTr', 'scan.nii.gz'), 'x'), /scan\.nii\.gz: not an image name/],
    [
      'ignore that is not the highest',
      (_f, json) => {
        json.labels = { background: 0, ignore: 1, nodule: 2 };
      },
      /labels are not consecutive.*"ignore" must be the highest/,
    ],
    [
      'labels with a gap',
      (_f, json) => {
        json.labels = { background: 0, nodule: 2 };
      },
      /got "nodule": 2, expected 1/,
    ],
    [
      'a region label',
      (_f, json) => {
        json.labels = { background: 0, whole: [1, 2] };
      },
      /labels\.whole, got a region/,
    ],
    [
      'an unknown ending',
      (_f, json) => {
        json.file_ending = '.png';
      },
      /file_ending, got "\.png"/,
    ],
    [
      'labels missing',
      (_f, json) => {
        delete json.labels;
      },
      /dataset\.json: labels: /,
    ],
    [
      'a patient list with a gap',
      (_f, json) => {
        json.patients = { phantom_000: 'P1', phantom_002: 'P1' };
      },
      /dataset\.json: patients lacks the case "phantom_001"/,
    ],
    [
      'a channel missing',
      (_f, json) => {
        json.channel_names = { 0: 'CT', 1: 'PET' };
      },
      /lacks channel 1 \(PET\)/,
    ],
    ['annotations that are not JSON', (f) => annotate(f, '{"a": '), /annotations\.json: not JSON/],
    ['an unknown case', (f) => annotate(f, { phantom_9: 'all' }), /annotations\.json: case "phantom_9"/],
    [
      'no slice at all',
      (f) => annotate(f, { phantom_000: { transverse: [], coronal: [] }, phantom_001: 'all', phantom_002: 'all' }),
      /phantom_000: no annotated slice/,
    ],
    [
      'a forgotten case',
      (f) => annotate(f, { phantom_000: { transverse: [1] }, phantom_002: 'all' }),
      /case "phantom_001" has no annotated slice, got no entry/,
    ],
    ['a negative slice', (f) => annotate(f, { phantom_000: { transverse: [-1] } }), /phantom_000: /],
    ['annotations that are a list', (f) => annotate(f, []), /annotations\.json: got \[\], expected an object\. Write \{"<case>"/],
    [
      'a case annotated with a text',
      (f) => annotate(f, { phantom_000: 'some' }),
      /annotations\.json: phantom_000: got "some", expected lists of slices\. Write "phantom_000": \{"transverse"/,
    ],
    [
      'a slice in words',
      (f) => annotate(f, { phantom_000: { transverse: [0, 'two'] } }),
      /annotations\.json: phantom_000: transverse\.1: got "two", expected a number/,
    ],
    [
      'a misspelt plane',
      (f) => annotate(f, { phantom_000: { tranverse: [0] } }),
      /annotations\.json: phantom_000: tranverse: unknown field/,
    ],
    [
      'unlabelled classes in words',
      (f) => annotate(f, { unlabelled: { phantom_000: 'nodule' } }),
      /annotations\.json: unlabelled\.phantom_000: got "nodule", expected a list\. Write "unlabelled"/,
    ],
    [
      'annotations without a training case',
      (f) => {
        rmSync(join(f, 'imagesTr'), { recursive: true });
        rmSync(join(f, 'labelsTr'), { recursive: true });
        annotate(f, { phantom_000: 'all' });
      },
      /case "phantom_000", got a name that is not in the training set, expected no entry \(there is no training case\)/,
    ],
    [
      'labels that are a list',
      (_f, json) => {
        json.labels = ['nodule'];
      },
      /dataset\.json: labels: got \["nodule"\], expected an object/,
    ],
    [
      'an unlabelled class that does not exist',
      (f) => annotate(f, { unlabelled: { phantom_000: [6] } }),
      /unlabelled\.phantom_000, got class 6, expected 1 to 1/,
    ],
  ])('refuses %s', async (_what, change, message) => {
    const folder = await changed(change);
    expect((await dataError(() => openDataset(folder))).message).toMatch(message);
  });

  it('refuses a folder without dataset.json', async () => {
    mkdirSync(join(root, 'bare'));
    expect((await dataError(() => openDataset(join(root, 'bare')))).message).toMatch(
      /bare\/dataset\.json: cannot be read, got no such file/,
    );
  });

  it.each<[string, Change, RegExp]>([
    [
      'label values of another set',
      (f) => relabel(f, 'phantom_000', (v) => ({ ...v, data: v.data.map((x) => x * 7) })),
      /phantom_000\.nii\.gz: label values outside the data set's, got 7 \(\d+ voxels\), expected 0 to 1/,
    ],
    [
      'a label on another grid',
      (f) => relabel(f, 'phantom_000', (v) => ({ ...v, origin: [5, 0, 0] })),
      /another grid[\s\S]*origin \[x,y,z\]  0, 0, 0[\s\S]*origin \[x,y,z\]  5, 0, 0/,
    ],
    [
      'a label of another size',
      (f) => writeVolume(join(f, 'labelsTr/phantom_000.nii.gz'), volumeOf([6, 20, 23], new Uint8Array(6 * 20 * 23))),
      /got size 6x20x23, expected 6x20x24/,
    ],
    [
      'a slice beyond the volume',
      (f) => annotate(f, { phantom_000: { transverse: [6] }, phantom_001: 'all', phantom_002: 'all' }),
      /annotations\.json: phantom_000: transverse slice beyond the volume, got 6, expected 0 to 5/,
    ],
    [
      'nothing but ignore',
      (f, json) => {
        json.labels = { background: 0, nodule: 1, ignore: 2 };
        return relabel(f, 'phantom_000', (v) => ({ ...v, data: v.data.map(() => 2) }));
      },
      /phantom_000\.nii\.gz: no annotated slice, got only the ignore label/,
    ],
  ])('loadCase refuses %s', async (_what, change, message) => {
    const dataset = await openDataset(await changed(change));
    expect((await dataError(() => loadCase(dataset, dataset.training[0]))).message).toMatch(message);
  });

  it('tolerates a grid difference under a thousandth of a voxel', async () => {
    const dataset = await openDataset(await changed((f) => relabel(f, 'phantom_000', (v) => ({ ...v, origin: [0.0005, 0, 0] }))));
    expect((await loadCase(dataset, dataset.training[0])).label!.includes(1)).toBe(true);
  });
});

describe('checkDataset', () => {
  it('finds nothing wrong with a good set but its few patients', async () => {
    const { findings, cases } = await checkDataset(good);
    expect(findings.map((f) => f.message)).toEqual(['too few patients for five folds, got 3.']);
    expect(cases.map((c) => c.annotated)).toEqual([1, 1, 1, 1]);
    expect(cases[0].counts[0] + cases[0].counts[1]).toBe(6 * 20 * 24);
  });

  it('lists several problems at once, each with file and remedy', async () => {
    const folder = await changed(async (f) => {
      await relabel(f, 'phantom_000', (v) => ({ ...v, origin: [5, 0, 0] }));
      writeFileSync(
        join(f, 'imagesTr', 'phantom_001_0000.nii.gz'),
        readFileSync(join(f, 'imagesTr', 'phantom_001_0000.nii.gz')).subarray(0, 900),
      );
      await relabel(f, 'phantom_002', (v) => ({ ...v, data: v.data.map(() => 0) }));
    });
    const { findings } = await checkDataset(folder);
    const about = (part: RegExp): unknown => findings.find((f) => part.test(f.message));
    expect(about(/another grid/)).toMatchObject({ level: 'error', remedy: expect.stringMatching(/Resample|header/) });
    expect(about(/stop early/)).toMatchObject({ level: 'error', file: join(folder, 'imagesTr/phantom_001_0000.nii.gz') });
    expect(about(/no foreground/)).toMatchObject({ level: 'warning', file: join(folder, 'labelsTr/phantom_002.nii.gz') });
  });

  it('lists every problem of every file, not the first of each', async () => {
    const folder = await changed(async (f, json) => {
      json.patients = { phantom_002: 'P1' };
      json.numTraining = 5;
      // One case: image cut, label of another grid with values of no class, two slices beyond it, an unknown plane elsewhere.
      const image = join(f, 'imagesTr/phantom_000_0000.nii.gz');
      writeFileSync(image, readFileSync(image).subarray(0, 200));
      await relabel(f, 'phantom_000', (v) => ({ ...v, data: v.data.map((x) => x * 7) }));
      await relabel(f, 'phantom_001', (v) => ({ ...v, origin: [5, 0, 0], data: v.data.map((x) => x * 3) }));
      annotate(f, {
        phantom_000: { transverse: [6, 9] },
        phantom_001: { tranverse: [1] },
        phantom_7: 'all',
        phantom_8: 'all',
        unlabelled: { phantom_001: [4, 5], phantom_9: [1] },
      });
    });
    const errors = (await checkDataset(folder)).findings
      .filter((f) => f.level === 'error')
      .map(({ file, message }) => `${file.slice(folder.length + 1)}: ${message}`);
    for (const expected of [
      /dataset\.json: patients lacks the case "phantom_000"/,
      /dataset\.json: patients lacks the case "phantom_001"/,
      /annotations\.json: phantom_001: tranverse: unknown field/,
      /annotations\.json: case "phantom_7"/,
      /annotations\.json: case "phantom_8"/,
      /annotations\.json: case "phantom_9"/,
      /unlabelled\.phantom_001, got class 4/,
      /unlabelled\.phantom_001, got class 5/,
      /case "phantom_002" has no annotated slice/,
      /imagesTr\/phantom_000_0000\.nii\.gz: /,
      /labelsTr\/phantom_000\.nii\.gz: label values/,
      /annotations\.json: phantom_000: transverse slice beyond the volume, got 6, 9/,
      /labelsTr\/phantom_001\.nii\.gz: .*another grid/,
      /labelsTr\/phantom_001\.nii\.gz: label values/,
    ])
      expect(
        errors.filter((error) => expected.test(error)),
        String(expected),
      ).toHaveLength(1);
    expect(
      (await checkDataset(folder)).findings
        .filter((f) => f.level === 'warning')
        .map((f) => f.message)
        .join(),
    ).toMatch(/numTraining, got 5, expected 3/);
  });

  it('lists what is wrong with dataset.json together with files that cannot be read', async () => {
    const folder = await changed((f, json) => {
      json.labels = { background: 0, a: [1, 2], b: 300, c: -1 };
      json.file_ending = '.png';
      writeFileSync(join(f, 'labelsTr/phantom_002.nii.gz'), 'nothing');
    });
    const messages = (await checkDataset(folder)).findings.map(({ file, message }) => `${file.slice(folder.length + 1)}: ${message}`);
    for (const expected of [
      /labels\.a, got a region/,
      /labels\.b, got 300/,
      /labels\.c, got -1/,
      /file_ending, got "\.png"/,
      /labelsTr\/phantom_002\.nii\.gz: /,
    ])
      expect(
        messages.filter((m) => expected.test(m)),
        String(expected),
      ).toHaveLength(1);
  });

  it('looks at every channel of a case', async () => {
    const folder = await changed((f, json) => {
      json.channel_names = { 0: 'CT', 1: 'PET' };
      for (const part of ['imagesTr', 'imagesTs'])
        for (const name of readdirSync(join(f, part))) cpSync(join(f, part, name), join(f, part, name.replace('_0000', '_0001')));
      writeFileSync(
        join(f, 'imagesTr/phantom_001_0001.nii.gz'),
        readFileSync(join(f, 'imagesTr/phantom_001_0001.nii.gz')).subarray(0, 100),
      );
    });
    expect((await checkDataset(folder)).findings.filter((f) => f.level === 'error')).toMatchObject([
      { file: join(folder, 'imagesTr/phantom_001_0001.nii.gz') },
    ]);
  });

  it('names the file that an error is about, label and annotation too', async () => {
    const folder = await changed(async (f) => {
      await relabel(f, 'phantom_000', (v) => ({ ...v, data: v.data.map((x) => 7 * x) }));
      annotate(f, { phantom_000: 'all', phantom_001: { transverse: [99] }, phantom_002: 'all' });
    });
    const errors = (await checkDataset(folder)).findings.filter((f) => f.level === 'error');
    expect(errors).toMatchObject([
      { file: join(folder, 'labelsTr/phantom_000.nii.gz'), message: expect.stringMatching(/^label values outside/) },
      { file: join(folder, 'annotations.json'), message: expect.stringMatching(/^phantom_001: transverse slice beyond the volume/) },
    ]);
  });

  it('points out classes that are listed as unlabelled and drawn', async () => {
    const { findings } = await checkDataset(await changed((f) => annotate(f, { unlabelled: { phantom_001: [1] } })));
    expect(findings.find((f) => /unlabelled/.test(f.message))).toMatchObject({
      level: 'warning',
      message: expect.stringMatching(/^unlabelled\.phantom_001 lists class 1 \(nodule\), but its mask has \d+ voxels of it/),
    });
  });

  it('says that a file is no data set', async () => {
    const { findings } = await checkDataset(join(good, 'dataset.json'));
    expect(findings).toMatchObject([
      {
        level: 'error',
        file: join(good, 'dataset.json'),
        message: expect.stringMatching(/^a file, got dataset\.json, expected the folder/),
        remedy: `Name the folder that holds it: ${good}`,
      },
    ]);
  });

  it('warns about files that state no spacing', async () => {
    const folder = await changed(async (f, json) => {
      json.file_ending = '.mha';
      for (const part of ['imagesTr', 'labelsTr', 'imagesTs', 'labelsTs']) {
        for (const name of readdirSync(join(f, part))) {
          const file = join(f, part, name),
            to = file.replace('.nii.gz', '.mha');
          await writeVolume(to, await readVolume(file), false);
          if (name === 'phantom_001_0000.nii.gz')
            writeFileSync(
              to,
              Buffer.from(
                readFileSync(to)
                  .toString('latin1')
                  .replace(/^ElementSpacing.*\n/m, ''),
                'latin1',
              ),
            );
          rmSync(file);
        }
      }
    });
    const { findings } = await checkDataset(folder);
    expect(findings.filter((f) => /spacing/.test(f.message))).toEqual([
      expect.objectContaining({
        level: 'warning',
        file: join(folder, 'imagesTr/phantom_001_0000.mha'),
        message: 'states no voxel spacing (no field ElementSpacing), 1 mm is assumed.',
      }),
    ]);
  });

  it("copies the image's header on request", async () => {
    const folder = await changed((f) => relabel(f, 'phantom_000', (v) => ({ ...v, origin: [5, 0, 0] })));
    const { findings } = await checkDataset(folder, { fixHeader: true });
    expect(findings.filter((f) => f.level === 'error')).toEqual([]);
    expect((await readVolume(join(folder, 'labelsTr/phantom_000.nii.gz'))).origin).toEqual([0, 0, 0]);
  });

  it('but writes nothing through a link that leads out of the data set', async () => {
    const elsewhere = join(root, 'elsewhere');
    const folder = await changed(async (f) => {
      await relabel(f, 'phantom_000', (v) => ({ ...v, origin: [5, 0, 0] }));
      renameSync(join(f, 'labelsTr'), elsewhere);
      symlinkSync(elsewhere, join(f, 'labelsTr'));
    });
    const before = readFileSync(join(elsewhere, 'phantom_000.nii.gz'));
    const { findings } = await checkDataset(folder, { fixHeader: true });
    expect(findings.some((f) => f.level === 'error')).toBe(true);
    expect(readFileSync(join(elsewhere, 'phantom_000.nii.gz')).equals(before)).toBe(true);
  });

  it('proposes classes that were never drawn in a case', async () => {
    const folder = await changed(async (f, json) => {
      json.labels = { background: 0, a: 1, b: 2, c: 3 };
      await relabel(f, 'phantom_001', (v) => ({ ...v, data: v.data.map((x, i) => (i % 2 ? x : 2 * x)) }));
    });
    const { proposal } = await checkDataset(folder);
    // Class 3 is nowhere: nothing to propose. Class 2 is drawn in one case of four (labelsTs included).
    expect(proposal!.unlabelled).toEqual({ phantom_000: [2], phantom_002: [2], phantom_003: [2] });
    expect(proposal!.present.map((p) => p.cases)).toEqual([4, 1, 0]);
  });
});

describe('sparsify', () => {
  it.each([
    ['both', 0.5556],
    ['transverse', 0.3333],
    ['budget', 0.3056],
  ] as const)('%s keeps its share of voxels', (mode, expected) => {
    const size: [number, number, number] = [48, 96, 10],
      planes = sparsePlanes('a', size, mode, 1);
    const weight = annotationWeight(size, planes, 'a');
    const share = weight.reduce((n, w) => n + w, 0) / weight.length;
    expect(share).toBeCloseTo(expected, 3);
    expect(annotatedShare(size, planes).voxels).toBeCloseTo(share, 12);
  });

  it.each([1, 2, 6, 40])('every %i: another stride of the planes that a mode keeps', (every) => {
    const { transverse, coronal } = sparsePlanes('a', [12, 30, 10], 'transverse', 1, { every });
    expect(coronal).toEqual([]);
    expect(transverse.length).toBeGreaterThanOrEqual(1);
    expect(transverse.slice(1).map((z, i) => z - transverse[i])).toEqual(transverse.slice(1).map(() => every));
    expect(sparsePlanes('a', [12, 30, 10], 'both', 1, { every: 5 }).coronal).toHaveLength(6);
  });

  it('central keeps the largest section of each nodule, and the middle where there is none', () => {
    const size: [number, number, number] = [9, 6, 8];
    const label = new Uint8Array(9 * 48);
    const fill = (z: number, x: number, n: number): void => void label.fill(1, z * 48 + x, z * 48 + x + n);
    fill(1, 0, 2);
    fill(2, 0, 3);
    fill(3, 0, 1);
    for (const z of [5, 6, 7]) fill(z, 5, z === 6 ? 3 : 2); // another nodule
    expect(sparsePlanes('a', size, 'central', 1, { label })).toEqual({ transverse: [2, 6], coronal: [] });
    expect(sparsePlanes('a', size, 'central', 1, { label: new Uint8Array(label.length) }).transverse).toEqual([4]);
    expect(() => sparsePlanes('a', size, 'central', 1, { label, every: 2 })).toThrow(/no stride/);
  });

  it('draws the same few cases whatever others there are', () => {
    const names = Array.from({ length: 40 }, (_, i) => `case${i}`);
    const few = drawnCases(names, 5, 1);
    expect(new Set(few).size).toBe(5);
    expect(drawnCases([...names].reverse(), 5, 1)).toEqual(few);
    expect(drawnCases(names, 8, 1).slice(0, 5)).toEqual(few);
    expect(
      drawnCases(
        names.filter((n) => n !== few[4]),
        5,
        1,
      ).slice(0, 4),
    ).toEqual(few.slice(0, 4));
    expect(drawnCases(names, 5, 2)).not.toEqual(few);
    expect(drawnCases(names, 99, 1)).toHaveLength(40);
  });

  it('leaves cases to be learnt from without a label, and nothing else without one', async () => {
    const folder = await changed(() => {});
    const { cases, total } = await sparsify(folder, 'central', 1, { cases: 1 });
    expect(cases.map((c) => c.planes.transverse.length).sort((a, b) => a - b)).toEqual([0, 0, 1]);
    expect(total.voxels).toBeCloseTo(1 / (3 * cases[0].size[0]), 9);
    const written = JSON.parse(readFileSync(join(folder, 'annotations.json'), 'utf8'));
    expect(Object.values(written).filter((v) => v === 'none')).toHaveLength(2);
    const dataset = await openDataset(folder);
    const bare = dataset.training.find((c) => written[c.name] === 'none')!;
    expect((await loadCase(dataset, bare)).weight!.includes(1)).toBe(false);
    expect((await checkDataset(folder)).findings.map((f) => f.message)).toEqual(['too few patients for five folds, got 3.']);
    annotate(folder, { ...written, [bare.name]: { transverse: [], coronal: [] } });
    expect((await dataError(() => openDataset(folder))).message).toMatch(/no annotated slice[^]*"none"/);
  });

  it('draws a phase per case and seed, stable against other cases, and never leaves a thin volume bare', () => {
    const phases = new Set(
      Array.from({ length: 120 }, (_, i) => sparsePlanes(`case${i}`, [30, 30, 30], 'both', 5)).map(
        (p) => `${p.transverse[0]},${p.coronal[0]}`,
      ),
    );
    expect(phases.size).toBe(9);
    expect(sparsePlanes('x', [30, 30, 30], 'both', 5)).toEqual(sparsePlanes('x', [30, 30, 30], 'both', 5));
    for (let i = 0; i < 30; i++) expect(sparsePlanes(`case${i}`, [2, 30, 30], 'budget', 5).transverse).toHaveLength(1);
  });

  it('asks before it replaces what a person may have written, and keeps it', async () => {
    const folder = await changed(() => {}),
      file = join(folder, 'annotations.json');
    await sparsify(folder, 'both', 1);
    await sparsify(folder, 'transverse', 2); // its own work
    const drawn = { phantom_000: { transverse: [0, 3] }, phantom_001: 'all', phantom_002: { transverse: [1, 4], coronal: [] } };
    annotate(folder, drawn);
    const before = readFileSync(file, 'utf8');
    expect((await dataError(() => sparsify(folder, 'both', 1))).message).toMatch(
      /annotations\.json: was not written by sparsify[^]*--force/,
    );
    expect(readFileSync(file, 'utf8')).toBe(before);
    const { kept } = await sparsify(folder, 'both', 1, { force: true });
    expect(readFileSync(kept!, 'utf8')).toBe(before);
    annotate(folder, drawn);
    expect((await sparsify(folder, 'both', 1, { force: true })).kept).not.toBe(kept);
    expect(readFileSync(kept!, 'utf8')).toBe(before);
    // One edited slice is a person's too; classes that were never drawn are kept anyway.
    annotate(folder, { ...JSON.parse(readFileSync(file, 'utf8')), phantom_001: { transverse: [1] } });
    expect((await dataError(() => sparsify(folder, 'both', 1))).message).toMatch(/--force/);
    annotate(folder, { unlabelled: { phantom_000: [1] } });
    expect((await sparsify(folder, 'both', 1)).kept).toBeUndefined();
  });

  it('writes annotations.json, keeps "unlabelled" and loads as weights', async () => {
    const folder = await changed((f, json) => {
      json.labels = { background: 0, nodule: 1, other: 2 };
      annotate(f, { unlabelled: { phantom_002: [2] } });
    });
    const { total, cases } = await sparsify(folder, 'transverse', 3);
    expect(total.voxels).toBeCloseTo(1 / 3, 9);
    const dataset = await openDataset(folder);
    expect(dataset.annotations.unlabelled.get('phantom_002')).toEqual([2]);
    const { weight } = await loadCase(dataset, dataset.training[1]);
    expect([0, 1, 2, 3, 4, 5].filter((d) => weight![d * 480] === 1)).toEqual(cases[1].planes.transverse);
    expect(JSON.parse(readFileSync(join(folder, 'annotations.json'), 'utf8')).phantom_001.coronal).toEqual([]);
  });
});
