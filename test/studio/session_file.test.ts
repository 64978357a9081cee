// SPDX-License-Identifier: MIT
// Session files and data sets that are not what they say, in Chromium: each is refused with what is wrong, and leaves nothing behind.
import { unzipSync, zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { Volume } from '../../src/data/volume.ts';
import { readVolume, volumeBytes } from '../../src/io/browser/volume.ts';
import { makeSample } from '../../src/studio/session/sample.ts';
import { bundled, chromium, removeBundled } from '../browser/chromium.ts';
import { needs } from '../needs.ts';
import { openBrowser, type Browser, type Tab } from './browser.ts';

type Files = Record<string, Uint8Array>;
const IMAGE = 'data/imagesTr/phantom_0000.nii.gz',
  LABEL = 'data/labelsTr/phantom.nii.gz',
  DRAWN = 'labels/phantom.u8';

let scratch: string, browser: Browser, tab: Tab, whole: Files;
const text = (value: unknown): Uint8Array => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const json = (bytes: Uint8Array): any => JSON.parse(new TextDecoder().decode(bytes));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
function put(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const out = bytes.slice();
  out[at] = value;
  return out;
}
/** A volume of the session with something changed. */
async function changed(name: string, change: (volume: Volume) => Volume): Promise<Uint8Array> {
  return volumeBytes(name, change(await readVolume(name, whole[name])));
}
const withVoxel = (volume: Volume, at: number, value: number): Volume => ({ ...volume, data: volume.data.slice().fill(value, at, at + 1) });

beforeAll(async () => {
  if (!chromium) return;
  scratch = await bundled();
  browser = await openBrowser(scratch);
  tab = await browser.open();
  const zip = await tab.ask(async ({ studio, annotateThird, base64: encoded }) => {
    await studio.addPhantom();
    await annotateThird('phantom');
    return encoded((await studio.exportFile({ what: 'session' })).blob);
  });
  whole = unzipSync(new Uint8Array(Buffer.from(zip, 'base64')));
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  if (scratch) removeBundled(scratch);
});

const { it } = needs(chromium, 'Chromium');

/** What the page is told of a session file, and how many sessions there are more than before. */
const imported = (bytes: Uint8Array): Promise<{ failure: { code?: string; message: string }; more: number }> =>
  tab.ask(async ({ studio, failure }, content: string) => {
    const before = (await studio.sessions()).length;
    const told = await failure(studio.importSession(new Blob([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))]), 'dropped'));
    return {
      failure: typeof told === 'string' ? { message: told } : (told as { message: string }),
      more: (await studio.sessions()).length - before,
    };
  }, base64(bytes));

describe('a session file', () => {
  it('that is whole comes in as it went out', async () => {
    const found = await tab.ask(
      async ({ studio, base64: encoded }, content: string) => {
        const { id } = await studio.importSession(new Blob([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))]), 'again');
        const { cases, classes } = await studio.openSession(id);
        return {
          annotated: cases[0].annotated,
          classes,
          drawn: await encoded(new Blob([(await studio.annotation('phantom')) as Uint8Array<ArrayBuffer>])),
        };
      },
      base64(zipSync(whole)),
    );
    expect(found.annotated).toEqual({ transverse: [1, 4, 7, 10, 13, 16, 19, 22], coronal: [] });
    expect(found.classes.map(({ name }) => name)).toEqual(['background', 'foreground']);
    expect(found.drawn).toBe(base64(whole[DRAWN]));
  });

  it.each<[string, () => Files | Promise<Files>, RegExp]>([
    ['lacks its drawing', () => without(DRAWN), /labels\/phantom\.u8: missing, got 0 bytes, expected 98304/],
    [
      'has a part of its drawing',
      () => ({ ...whole, [DRAWN]: whole[DRAWN].subarray(0, 5000) }),
      /labels\/phantom\.u8: damaged, got 5000 bytes/,
    ],
    [
      'has a drawing of a class that it does not have',
      () => ({ ...whole, [DRAWN]: put(whole[DRAWN], 9000, 7) }),
      /got class 7, expected 0 to 1/,
    ],
    ['lacks a scan', () => without(IMAGE), /imagesTr\/phantom_0000\.nii\.gz is missing/],
    ['has a scan cut short', () => ({ ...whole, [IMAGE]: whole[IMAGE].subarray(0, whole[IMAGE].length >> 1) }), /phantom_0000\.nii\.gz/],
    [
      'has a scan on another grid',
      async () => ({ ...whole, [IMAGE]: await changed(IMAGE, (v) => ({ ...v, spacing: [1.5, 0.75, 0.8] })) }),
      /grid/,
    ],
    [
      'has a scan the other way round',
      async () => ({ ...whole, [IMAGE]: await changed(IMAGE, (v) => ({ ...v, direction: v.direction.map((x) => -x) })) }),
      /grid|direction/,
    ],
    [
      'has a label cut short',
      () => ({ ...whole, [LABEL]: whole[LABEL].subarray(0, whole[LABEL].length - 40) }),
      /labelsTr\/phantom\.nii\.gz/,
    ],
    [
      'has a label of other classes',
      async () => ({ ...whole, [LABEL]: await changed(LABEL, (v) => withVoxel(v, 5000, 3)) }),
      /label values outside .* got 3 \(1 voxels\)/,
    ],
    [
      'has a label that was not drawn',
      async () => ({ ...whole, [LABEL]: await changed(LABEL, (v) => withVoxel(v, 5000, 1)) }),
      /is not what was drawn in the session, first at transverse slice 1, row 14/,
    ],
    [
      'has marks that the session does not have',
      () => ({ ...whole, 'data/annotations.json': text({ phantom: { transverse: [0, 1], coronal: [] } }) }),
      /is not what was drawn in the session, first at transverse slice 0/,
    ],
    [
      'marks a slice beyond the scan',
      () => ({ ...whole, 'session.json': record((r) => r.cases[0].transverse.push(24)) }),
      /slice 24 is annotated, expected slices of 24/,
    ],
    [
      'marks a slice that was not drawn',
      () => ({ ...whole, 'session.json': record((r) => r.cases[0].transverse.push(23)) }),
      /is not what was drawn in the session, first at transverse slice 23/,
    ],
    [
      'has classes of another name',
      () => ({ ...whole, 'session.json': record((r) => (r.classes[1].name = 'liver')) }),
      /dataset\.json has the classes background, foreground, expected background, liver/,
    ],
    [
      'has a class more',
      () => ({ ...whole, 'session.json': record((r) => r.classes.push({ name: 'liver', colour: '#00ff00' })) }),
      /expected background, foreground, liver/,
    ],
    [
      'lacks a mask that it speaks of',
      () => ({ ...whole, 'session.json': record((r) => (r.cases[0].masked = { run: 1, iteration: 3 })) }),
      /masks\/phantom\.u8: missing/,
    ],
    ['is of another version', () => ({ ...whole, 'session.json': record((r) => (r.version = 9)) }), /session\.json: version/],
    ['is no JSON', () => ({ ...whole, 'session.json': text('{') }), /session\.json/],
    ['lacks its data set', () => without('data/dataset.json'), /no session file, got no data\/dataset\.json/],
  ])('that %s is refused', async (_what, files, message) => {
    const { failure, more } = await imported(zipSync(await files()));
    expect(failure).toMatchObject({ code: 'DATA', message: expect.stringMatching(message) });
    expect(more).toBe(0);
  });

  it('that is cut short, changed on its way, or none is refused', async () => {
    const zip = zipSync(whole, { level: 0 });
    for (const bytes of [
      zip.subarray(0, zip.length >> 1),
      zip.subarray(0, zip.length - 10),
      put(zip, zip.length >> 1, zip[zip.length >> 1] ^ 1),
      text('nothing'),
    ]) {
      const { failure, more } = await imported(bytes);
      expect(failure).toMatchObject({ code: 'DATA', message: expect.stringMatching(/^dropped: /) });
      expect(more).toBe(0);
    }
  });

  it('has no place for files of other names', async () => {
    const { failure, more } = await imported(zipSync({ ...whole, 'data/../../other.json': text('{}'), 'dicom/phantom.json': text('{}') }));
    expect([failure.message, more]).toEqual(['not refused', 1]);
  });
});

describe('a data set', () => {
  /** What is told of a data set of one case, with some files other than they should be. */
  const opened = (own: Files): Promise<{ added: readonly string[]; problems: readonly { message: string }[] }> =>
    tab.ask(
      async ({ studio }, files: Record<string, string>) => {
        await studio.createSession('of a data set');
        const { added, problems } = await studio.addFiles(
          Object.entries(files).map(([path, content]) => ({
            path: `set/${path}`,
            file: new Blob([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))]),
          })),
        );
        return { added, problems };
      },
      Object.fromEntries(Object.entries({ ...dataSet(), ...own }).map(([name, bytes]) => [name, base64(bytes)])),
    );
  it('that is right comes in with what is annotated', async () => {
    expect(await opened({})).toEqual({ added: ['phantom'], problems: [] });
  });
  it.each<[string, () => Files | Promise<Files>, RegExp]>([
    [
      'a label of other classes',
      async () => ({ 'labelsTr/phantom.nii.gz': await changed(LABEL, (v) => withVoxel(v, 100, 9)) }),
      /label values outside the data set's, got 9 \(1 voxels\), expected 0 to 1/,
    ],
    [
      'a label on another grid',
      async () => ({ 'labelsTr/phantom.nii.gz': await changed(LABEL, (v) => ({ ...v, origin: [5, 0, 0] })) }),
      /labelsTr\/phantom\.nii\.gz/,
    ],
    [
      'a label of another size',
      async () => ({ 'labelsTr/phantom.nii.gz': await changed(LABEL, (v) => ({ ...v, size: [23, 64, 64], data: v.data.slice(4096) })) }),
      /labelsTr\/phantom\.nii\.gz/,
    ],
    ['a label cut short', () => ({ 'labelsTr/phantom.nii.gz': whole[LABEL].subarray(0, 300) }), /labelsTr\/phantom\.nii\.gz/],
    [
      'a slice annotated beyond the scan',
      () => ({ 'annotations.json': text({ phantom: { transverse: [24], coronal: [] } }) }),
      /annotations\.json: phantom/,
    ],
  ])('with %s is refused', async (_what, files, message) => {
    expect(await opened(await files())).toEqual({
      added: [],
      problems: [expect.objectContaining({ code: 'DATA', message: expect.stringMatching(message) })],
    });
  });
  it('of other classes than the session has is refused', async () => {
    const found = await tab.ask(
      async ({ studio }, content: string) => {
        await studio.createSession('of a phantom');
        await studio.addPhantom();
        const files = Object.entries(JSON.parse(content) as Record<string, string>);
        return studio.addFiles(
          files.map(([path, bytes]) => ({ path: `set/${path}`, file: new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]) })),
        );
      },
      JSON.stringify(
        Object.fromEntries(
          Object.entries({
            ...dataSet(),
            'dataset.json': text({ ...json(whole['data/dataset.json']), labels: { background: 0, liver: 1 } }),
          }).map(([name, bytes]) => [name, base64(bytes)]),
        ),
      ),
    );
    expect(found).toMatchObject({
      added: [],
      problems: [
        {
          code: 'DATA',
          message: expect.stringContaining("its classes are not the session's, got background, liver, expected background, foreground"),
        },
      ],
    });
    expect(found.session.cases.map(({ name }) => name)).toEqual(['phantom']);
    expect(makeSample().image.size).toEqual(found.session.cases[0].size);
  });
});

const without = (name: string): Files => Object.fromEntries(Object.entries(whole).filter(([each]) => each !== name));
function record(change: (record: any) => unknown): Uint8Array {
  const own = json(whole['session.json']);
  change(own);
  return text(own);
}
const dataSet = (): Files =>
  Object.fromEntries(
    Object.entries(whole)
      .filter(([name]) => name.startsWith('data/'))
      .map(([name, bytes]) => [name.slice(5), bytes]),
  );
