// SPDX-License-Identifier: MIT
// Files of a page as a data set: the same cases, volumes and sums as the folder that they came from, the same refusals; and the two
// stand-ins for what Node brings, against it.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCase } from '../../src/data/dataset.ts';
import { inflateRaw } from '../../src/files/inflate_raw.browser.ts';
import { sha256 as pageSha256 } from '../../src/files/sha256.browser.ts';
import { sha256 } from '../../src/files/sha256.ts';
import { openDataset as openDropped, pageSource } from '../../src/io/browser/dataset.ts';
import type { PageFile } from '../../src/io/browser/volume.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { sparsify } from '../../src/io/node/dataset/sparsify.ts';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import { fileSums } from '../../src/train/data_files.ts';
import { scratch } from '../data/helpers.ts';

const root = scratch();
const folder = join(root, 'set');
const dropped = (): Map<string, PageFile> =>
  new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((f) => join(folder, f))
      .filter((f) => statSync(f).isFile())
      .map((f, i): [string, PageFile] => [relative(folder, f), i % 2 ? new Blob([readFileSync(f)]) : new Uint8Array(readFileSync(f))]),
  );

beforeAll(async () => {
  await writePhantomDataset(folder, { training: 2, test: 1, size: [8, 16, 16], seed: 1 });
  await sparsify(folder, 'both', 3);
});

describe('files of a page', () => {
  it('are the data set that the folder is', async () => {
    const here = await openDataset(folder),
      there = await openDropped('set', dropped());
    const { source: _here, folder: _a, training, test, ...rest } = here,
      { source: _there, folder: _b, training: droppedTraining, test: droppedTest, ...others } = there;
    expect(others).toEqual(rest);
    const ways = (cases: typeof training, from: string): unknown =>
      cases.map((c) => ({ ...c, images: c.images.map((f) => relative(from, f)), label: c.label && relative(from, c.label) }));
    expect(ways([...droppedTraining, ...droppedTest], 'set')).toEqual(ways([...training, ...test], folder));
    expect(await loadCase(there, droppedTraining[1])).toEqual(await loadCase(here, training[1]));
    const [now, before] = [await fileSums(there, droppedTraining), await fileSums(here, training)];
    expect(now).toEqual(before);
    expect(Object.keys(now)).toHaveLength(6);
  });

  it('come with the data file that a header names, in volumes and sums', async () => {
    const files = dropped(),
      volume = await readVolume(join(folder, 'labelsTr/phantom_000.nii.gz'));
    const aside = join(root, 'aside');
    mkdirSync(aside);
    await writeVolume(join(aside, 'mask.mhd'), volume);
    for (const name of readdirSync(aside)) files.set(`extra/${name}`, new Uint8Array(readFileSync(join(aside, name))));
    const source = pageSource('set', files);
    expect((await source.volume('set/extra/mask.mhd')).data).toEqual(volume.data);
    expect(Object.keys(await source.sums(['set/extra/mask.mhd', 'set/none.json']))).toEqual(['extra/mask.mhd', 'extra/mask.zraw']);
    files.delete('extra/mask.zraw');
    await expect(pageSource('set', files).volume('set/extra/mask.mhd')).rejects.toThrow(
      /^set\/extra\/mask\.mhd: names a data file that is not there, got "mask\.zraw"/,
    );
  });

  it.each<[string, (files: Map<string, PageFile>) => unknown, RegExp]>([
    ['no dataset.json', (f) => f.delete('dataset.json'), /^set\/dataset\.json: cannot be read, got no such file/],
    [
      'a missing label',
      (f) => f.delete('labelsTr/phantom_000.nii.gz'),
      /^set\/labelsTr\/phantom_000\.nii\.gz: no label for the training case "phantom_000"/,
    ],
    ['a damaged annotations.json', (f) => f.set('annotations.json', new TextEncoder().encode('{')), /^set\/annotations\.json: not JSON/],
    [
      'a list that leads out',
      (f) =>
        f.set(
          'dataset.json',
          new TextEncoder().encode(
            JSON.stringify({ labels: { background: 0, a: 1 }, training: [{ image: 'x/../../a_0000.nii.gz', label: './a.nii.gz' }] }),
          ),
        ),
      /^set\/dataset\.json: a path that leads out of the data set, got "x\/\.\.\/\.\.\/a_0000\.nii\.gz"/,
    ],
    [
      'an absolute path',
      (f) =>
        f.set(
          'dataset.json',
          new TextEncoder().encode(
            JSON.stringify({ labels: { background: 0, a: 1 }, training: [{ image: '/a_0000.nii.gz', label: './a.nii.gz' }] }),
          ),
        ),
      /^set\/dataset\.json: a path that leads out/,
    ],
  ])('are refused with %s', async (_what, change, message) => {
    const files = dropped();
    change(files);
    await expect(openDropped('set', files)).rejects.toThrow(message);
  });
});

describe('what stands in for Node', () => {
  it('hashes as Node does, in any pieces', () => {
    for (const size of [0, 1, 55, 56, 64, 65, 1000, 100_000]) {
      const bytes = new Uint8Array(randomBytes(size)),
        at = Math.floor(size / 3);
      expect(pageSha256().update(bytes.subarray(0, at)).update('é').update(bytes.subarray(at)).digest('hex')).toBe(
        sha256().update(bytes.subarray(0, at)).update('é').update(bytes.subarray(at)).digest('hex'),
      );
    }
  });

  it('inflates as Node does, and no more than it may', () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(randomBytes(200_000)), new Uint8Array(300_000)]) {
      const packed = new Uint8Array(deflateRawSync(bytes));
      expect(Buffer.from(inflateRaw(packed, Math.max(1, bytes.length))).equals(bytes)).toBe(true);
      if (bytes.length > 0) {
        expect(() => inflateRaw(packed, bytes.length - 1)).toThrow();
        expect(() => inflateRaw(packed.subarray(0, packed.length >> 1), bytes.length)).toThrow();
      }
    }
  });
});
