// SPDX-License-Identifier: MIT
// What a person drops on the studio, in Chromium: every kind of file, what is wrong with some, a large one, and a series taken back as
// DICOM.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { makePhantom } from '../../src/data/phantom.ts';
import type { Volume } from '../../src/data/volume.ts';
import { ZipFile } from '../../src/files/zip.ts';
import { readVolume, volumeBytes } from '../../src/io/browser/volume.ts';
import { parseDataSet, parseMeta } from '../../src/io/dicom/parse.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { sparsify } from '../../src/io/node/dataset/sparsify.ts';
import { bundled, chromium, removeBundled } from '../browser/chromium.ts';
import { jpeg2000, jpegLs } from '../data/dicom_encoders.ts';
import { writeDicomSeries, type Compression } from '../data/dicom_series.ts';
import { SYNTAX } from '../data/dicom_writer.ts';
import { needs } from '../needs.ts';
import { openBrowser, type Browser } from './browser.ts';

let scratch: string;
let folder: string;
let browser: Browser;
const scan = makePhantom({ size: [8, 32, 40], seed: 5, radii: [3, 7], contrast: 300, spacing: [2, 0.5, 0.5] }).image;
/** Stored another way round than the RAS it is worked on in. */
const turned: Volume = { ...scan, direction: [0, 0, 1, -1, 0, 0, 0, -1, 0], origin: [12.5, -40, 7] };

const COMPRESSED: Readonly<Record<string, Compression>> = {
  JPEG_LS: { syntax: SYNTAX.jpegLs, encode: jpegLs },
  JPEG_2000: { syntax: SYNTAX.jpeg2000, encode: jpeg2000 },
};

beforeAll(async () => {
  if (!chromium) return;
  scratch = await bundled();
  folder = mkdtempSync(join(scratch, 'scans-'));
  for (const ending of ['.nii.gz', '.nii', '.nrrd', '.mha'])
    writeFileSync(join(folder, `scan${ending}`), await volumeBytes(`scan${ending}`, turned));
  const cut = await volumeBytes('cut.nii.gz', turned);
  writeFileSync(join(folder, 'cut.nii.gz'), cut.subarray(0, cut.length >> 1));
  writeFileSync(join(folder, 'notes.txt'), 'nothing');
  await writeDicomSeries(join(folder, 'SMITH^JOHN'), scan);
  for (const [name, compression] of Object.entries(COMPRESSED)) await writeDicomSeries(join(folder, name), scan, compression);
  await writePhantomDataset(join(folder, 'dataset'), { training: 3, test: 1, size: [8, 16, 16], seed: 5, radii: [2, 3], contrast: 300 });
  await sparsify(join(folder, 'dataset'), 'both', 7);
  mkdirSync(join(folder, 'large'));
  writeFileSync(
    join(folder, 'large/ct.nii.gz'),
    await volumeBytes('ct.nii.gz', { ...scan, size: [300, 512, 512], data: new Int16Array(300 * 512 * 512).fill(-1000) }),
  );
  browser = await openBrowser(scratch, folder);
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  if (scratch) removeBundled(scratch);
});

const { it } = needs(chromium, 'Chromium');

describe('files of a folder that the server offers', () => {
  it('of every format come in as one scan, turned alike; what is wrong is said, and names of people are not kept', async () => {
    const tab = await browser.open();
    const found = await tab.ask(async ({ studio }) => {
      const offered = (await studio.served())!.map(({ path }) => path);
      const { session, added, problems } = await studio.addServed(offered.filter((path) => /^(scan|cut|notes|SMITH)/.test(path)));
      const sums = [];
      for (const { name } of session.cases) {
        const { data, size } = await studio.voxels(name);
        let sum = 0;
        for (let i = 0; i < data.length; i++) sum = (sum * 31 + data[i] * (i % 7)) % 1e9;
        sums.push({ name, size, sum });
      }
      return {
        offered,
        added,
        problems,
        formats: session.cases.map(({ format }) => format),
        affines: session.cases.map(({ affine }) => affine),
        sums,
      };
    });
    expect(found.offered).toEqual(expect.arrayContaining(['scan.nii.gz', 'SMITH^JOHN/3_0.dcm', 'dataset/dataset.json']));
    expect(found.added).toHaveLength(5);
    expect(found.added.join()).not.toContain('SMITH');
    expect(found.problems).toEqual([expect.objectContaining({ code: 'DATA', message: expect.stringMatching(/^cut\.nii\.gz: /) })]);
    expect([...found.formats].sort((a, b) => (a < b ? -1 : 1))).toEqual(['dicom', 'metaimage', 'nifti', 'nifti', 'nrrd']);
    const ofFiles = found.sums.filter((_, i) => found.formats[i] !== 'dicom');
    expect(new Set(ofFiles.map(({ sum, size }) => JSON.stringify([sum, size]))).size).toBe(1);
    expect(
      new Set(
        found.affines
          .filter((_, i) => found.formats[i] !== 'dicom')
          .map((affine) => JSON.stringify(affine.map((v) => Number(v.toFixed(5))))),
      ).size,
    ).toBe(1);
    await tab.close();
  });

  it('compressed as DICOM is decoded under the policy of the page, to the values that the series without compression has', async () => {
    const tab = await browser.open();
    const voxels = await tab.ask(
      async ({ studio }, folders: readonly string[]) => {
        const offered = (await studio.served())!.map(({ path }) => path);
        const found: { problems: unknown[]; data: number[] }[] = [];
        for (const name of folders) {
          const { session, problems } = await studio.addServed(offered.filter((path) => path.startsWith(`${name}/`)));
          const { data } = await studio.voxels(session.cases.at(-1)!.name);
          found.push({ problems: [...problems], data: [...data] });
        }
        return found;
      },
      ['SMITH^JOHN', ...Object.keys(COMPRESSED)],
    );
    for (const { problems, data } of voxels) {
      expect(problems).toEqual([]);
      expect(data).toEqual(voxels[0].data);
    }
    await tab.close();
  });

  it('as a data set come in with what was annotated, and its classes', async () => {
    const tab = await browser.open();
    const session = await tab.ask(async ({ studio }) => {
      const offered = (await studio.served())!.map(({ path }) => path);
      const { session: own, problems } = await studio.addServed(offered.filter((path) => path.startsWith('dataset/')));
      return { ...own, problems, drawn: (await studio.annotation(own.cases[0].name)).some((v) => v === 1) };
    });
    expect(session.problems).toEqual([]);
    expect(session.classes.map(({ name }) => name)).toEqual(['background', 'nodule']);
    expect(session.cases.map(({ annotated: { transverse, coronal } }) => transverse.length > 0 && coronal.length > 0)).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(session.drawn).toBe(true);
    await tab.close();
  });

  it('as a data set that the command line made, zipped as `data`, are a session file, and stay to the byte', async () => {
    const tab = await browser.open();
    const entries: Record<string, Uint8Array> = {};
    for (const name of readdirSync(join(folder, 'dataset'), { recursive: true, encoding: 'utf8' }))
      if (/\.(json|gz)$/.test(name)) entries[`some/data/${name}`] = readFileSync(join(folder, 'dataset', name));
    const { cases, again } = await tab.ask(
      async ({ studio, base64 }, text: string) => {
        const { id } = await studio.importSession(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]), 'made elsewhere');
        const session = await studio.openSession(id);
        return { cases: session.cases, again: await base64((await studio.exportFile({ what: 'session' })).blob) };
      },
      Buffer.from(zipSync(entries)).toString('base64'),
    );
    expect(cases.map(({ annotated: { transverse, coronal } }) => transverse.length > 0 && coronal.length > 0)).toEqual([
      true,
      true,
      true,
      false,
    ]);
    const zip = new ZipFile(new Uint8Array(Buffer.from(again, 'base64')), 'again.zip');
    for (const [name, bytes] of Object.entries(entries))
      expect(Buffer.from(zip.read(name.slice('some/'.length)))).toEqual(Buffer.from(bytes));
    await tab.close();
  });

  it('of 512 x 512 x 300 voxels are opened, drawn on and exported', async () => {
    const tab = await browser.open();
    const found = await tab.ask(async ({ studio }) => {
      await studio.addServed(['large/ct.nii.gz']);
      const { data, size } = await studio.voxels('ct');
      const from = performance.now();
      await studio.annotate('ct', [{ plane: 'coronal', index: 511, labels: new Uint8Array(300 * 512).fill(1), annotated: true }]);
      const seconds = (performance.now() - from) / 1000;
      const { blob } = await studio.exportFile({ what: 'annotation', name: 'ct' });
      return { voxels: data.length, size, seconds, bytes: blob.size };
    });
    console.log(`512 x 512 x 300: a coronal slice saved in ${found.seconds.toFixed(2)} s, annotation ${found.bytes} bytes`);
    expect(found).toMatchObject({ voxels: 300 * 512 * 512, size: [300, 512, 512] });
    await tab.close();
  });
});

describe('a DICOM series', () => {
  it('is annotated, trained on, and its mask taken away as a segmentation of it; the session file names nobody', async () => {
    const tab = await browser.open();
    const found = await tab.ask(async ({ studio, listen, whole, plan, base64, failure }) => {
      await listen();
      const offered = (await studio.served())!.map(({ path }) => path);
      const { added } = await studio.addServed(offered.filter((path) => path.startsWith('SMITH')));
      const [name] = added;
      // Nearly all of it: a few iterations are enough to say so.
      const square = Uint8Array.from({ length: 32 * 40 }, (_, i) => (i > 100 ? 1 : 0));
      for (const index of [1, 4, 6]) await studio.annotate(name, [{ plane: 'transverse', index, labels: square, annotated: true }]);
      const early = await failure(studio.exportFile({ what: 'mask', name, format: 'dicom-seg' }));
      await whole(() => studio.start({ preset: 'demo', plan: plan(8) }));
      const mask = await studio.predict(name);
      return {
        early,
        voxels: mask.labels.reduce((n, v) => n + v, 0),
        seg: await base64((await studio.exportFile({ what: 'mask', name, format: 'dicom-seg' })).blob),
        nifti: await base64((await studio.exportFile({ what: 'mask', name, format: 'nifti' })).blob),
        session: await base64((await studio.exportFile({ what: 'session' })).blob),
      };
    });
    expect(found.early).toMatchObject({ code: 'USAGE' });
    const { data, ...grid } = await readVolume('mask.nii.gz', new Uint8Array(Buffer.from(found.nifti, 'base64')));
    expect(grid.size).toEqual(scan.size);
    expect((data as Uint8Array).reduce((n, v) => n + v, 0)).toBe(found.voxels);
    expect(found.voxels).toBeGreaterThan(0);
    const seg = Buffer.from(found.seg, 'base64'),
      { end } = parseMeta('seg.dcm', seg, 132);
    const set = parseDataSet('seg.dcm', seg, end, { explicit: true, little: true }),
      pixels = set.element('PixelData')!;
    let bits = 0;
    for (const byte of seg.subarray(pixels.start, pixels.start + pixels.length)) for (let b = byte; b > 0; b >>= 1) bits += b & 1;
    expect(bits).toBe(found.voxels);
    expect(set.text('PatientID')).toBe('nobody');
    const zip = new ZipFile(new Uint8Array(Buffer.from(found.session, 'base64')), 'session.zip');
    expect(zip.names.filter((entry) => entry.startsWith('dicom'))).toEqual([]);
    for (const entry of zip.names) expect(`${entry} ${Buffer.from(zip.read(entry)).toString('latin1')}`).not.toMatch(/nobody|SMITH/);
    await tab.close();
  });
});
