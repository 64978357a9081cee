// SPDX-License-Identifier: MIT
// Volumes as files: who hears remarks, what is looked at, and what the command line says.
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeVolume } from '../../src/io/decode.ts';
import { fflateCodec } from '../../src/io/fflate.ts';
import { hearRemarks } from '../../src/io/node/remarks.ts';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import type { Remark } from '../../src/io/source.ts';
import { untrained } from '../cli/untrained.ts';
import { dataError, scratch, volumeOf } from '../data/helpers.ts';
import { slicesAlone, tinyDataset, tinyPlan } from '../train/tiny_run.ts';
import { IDENTITY, meta, nifti, nrrd, RAMP, stored } from './files.ts';
import { voxelgrad, type Said } from '../cli/voxelgrad.ts';

const folder = scratch();
const put = (name: string, bytes: Uint8Array | string): string => {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};
const UNORIENTED = nifti({ pixdim: [1.5, 1.5, 3], sform: { code: 0, rows: IDENTITY } }),
  TWO = nifti({ qform: { quat: [0, 0, 1] }, sform: { rows: IDENTITY } });

describe('remarks', () => {
  it('what is doubtful is an error where nobody hears it, and told where somebody does', async () => {
    const file = put('u.nii', UNORIENTED),
      heard: Remark[] = [];
    expect((await dataError(() => readVolume(file))).message).toMatch(
      /u\.nii: states no orientation \(qform and sform code 0\).*Set the orientation/,
    );
    const volume = await hearRemarks(
      (r) => heard.push(r),
      async () => {
        await Promise.resolve();
        return readVolume(file);
      },
    );
    expect([...volume.data]).toEqual(RAMP);
    expect(heard).toMatchObject([{ file, doubtful: true }]);
    await readVolume(file, (r) => heard.push(r));
    expect(heard.length).toBe(2);
    expect((await dataError(() => readVolume(put('m.mha', meta({ ElementSpacing: null }))))).message).toMatch(
      /m\.mha: states no voxel spacing/,
    );
  });
  it('what all readers take alike is read all the same', async () => {
    expect([...(await readVolume(put('two.nii', TWO))).data]).toEqual(RAMP);
    expect([...(await readVolume(put('n.nrrd', nrrd({ space: null })))).data]).toEqual(RAMP);
  });
});

describe('what is looked at', () => {
  it('a data file in the folder, by a link too; none elsewhere, no folder, no FIFO, not the header itself', async () => {
    put('secret.raw', stored(RAMP));
    put('in/a.raw', stored(RAMP));
    symlinkSync('../secret.raw', join(folder, 'in/link.raw'));
    mkdirSync(join(folder, 'in/sub'));
    if (process.platform !== 'win32') execFileSync('mkfifo', [join(folder, 'in/fifo')]);
    const read = (name: string): Promise<unknown> =>
      readVolume(put('in/a.mhd', meta({ ElementDataFile: name }, ''))).then(
        (v) => [...v.data],
        (error: Error) => error.message,
      );
    for (const name of ['a.raw', './a.raw', 'sub/../a.raw', 'link.raw']) expect(await read(name)).toEqual(RAMP);
    for (const [name, message] of [
      ['../secret.raw', /out of its folder/],
      ['sub/../../secret.raw', /out of its folder/],
      [join(folder, 'secret.raw'), /out of its folder/],
      ['sub', /data file that cannot be read.*a folder/],
      ['fifo', /data file that cannot be read.*a FIFO/],
      ['none.raw', /data file that cannot be read.*no such file/],
      ['a.mhd', /names itself/],
    ] as const) {
      expect(await read(name)).toMatch(message);
    }
    expect((await dataError(() => readVolume(join(folder, 'in/fifo')))).message).toMatch(/unknown kind of volume/);
    symlinkSync('fifo', join(folder, 'in/f.nii.gz'));
    expect((await dataError(() => readVolume(join(folder, 'in/f.nii.gz')))).message).toMatch(/got a FIFO, expected a file/);
  });
  it('and nothing but the files asked for is written, whatever stands in their place', async () => {
    const place = join(folder, 'out');
    mkdirSync(place);
    writeFileSync(join(folder, 'kept.raw'), 'kept');
    symlinkSync('../kept.raw', join(place, 'a.zraw'));
    await writeVolume(join(place, 'a.mhd'), volumeOf([1, 2, 3], new Uint8Array(6)));
    expect(readdirSync(place).sort()).toEqual(['a.mhd', 'a.zraw']);
    expect(readFileSync(join(folder, 'kept.raw'), 'utf8')).toBe('kept');
    expect((await readVolume(join(place, 'a.mhd'))).size).toEqual([1, 2, 3]);
  });
});

describe('in a page', () => {
  it('the formats ask for nothing of Node', async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: 'export * from "./decode.ts"; export * from "./encode.ts"; export * from "./fflate.ts";',
        resolveDir: join(import.meta.dirname, '../../src/io'),
        loader: 'ts',
      },
      bundle: true,
      format: 'esm',
      platform: 'browser',
      write: false,
    });
    expect(outputFiles[0].text).not.toMatch(/from ["']node:|require\(/);
    expect(outputFiles[0].text.length).toBeLessThan(150_000);
  });
  it('a Blob is a file', async () => {
    const blob = new Blob([Uint8Array.from(gzipSync(nifti()))]);
    const source = {
      size: blob.size,
      read: async (start: number, end: number): Promise<Uint8Array> => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
    };
    expect([...(await decodeVolume({ file: 'dropped.nii.gz', source, codec: fflateCodec, beside: async () => source })).data]).toEqual(
      RAMP,
    );
  });
});

describe('the command line', () => {
  const at = (...parts: string[]): string => join(folder, ...parts);
  const run = async (...argv: string[]): Promise<Said> => {
    return voxelgrad(argv);
  };
  beforeAll(async () => {
    await tinyDataset(at('set'));
    await untrained(at('run'), tinyPlan(slicesAlone));
  });
  /** A scan of the set without a word on where it lies. */
  async function unoriented(): Promise<Buffer> {
    const { data, size } = await readVolume(at('set/imagesTr/phantom_002_0000.nii.gz'));
    return gzipSync(nifti({ dims: [...size].reverse(), datatype: 4, sform: { code: 0, rows: IDENTITY } }, data, 'int16'));
  }

  it('check lists a file without orientation as a warning', async () => {
    const bytes = await unoriented();
    for (const name of ['imagesTr/phantom_003_0000.nii.gz', 'labelsTr/phantom_003.nii.gz']) {
      if (name.startsWith('labels')) {
        const label = await readVolume(at('set', name));
        writeFileSync(
          at('set', name),
          gzipSync(nifti({ dims: [...label.size].reverse(), datatype: 2, sform: { code: 0, rows: IDENTITY } }, label.data, 'uint8')),
        );
      } else writeFileSync(at('set', name), bytes);
    }
    const { out } = await run('check', at('set'), '--json'),
      findings = JSON.parse(out).findings as { level: string; file: string; message: string }[];
    expect(findings.filter((f) => /states no orientation/.test(f.message)).map((f) => [f.level, f.file])).toEqual([
      ['warning', at('set/imagesTr/phantom_003_0000.nii.gz')],
      ['warning', at('set/labelsTr/phantom_003.nii.gz')],
    ]);
  });
  it('import says it on stderr, once', async () => {
    put('scans/a.nii.gz', gzipSync(UNORIENTED));
    put('scans/b.nii.gz', gzipSync(TWO));
    const { code, err } = await run('import', at('scans'), '--to', at('imported'), '--json');
    expect(code).toBe(0);
    expect(err.match(/^warning: .*a\.nii\.gz: states no orientation[^\n]*\n {2}-> Set the orientation/gm)).toHaveLength(1);
    expect(
      err.match(/^warning: .*b\.nii\.gz: two orientations .* voxels apart, the sform .*, and the qform .*; the sform is taken/gm),
    ).toHaveLength(1);
  });
  it('predict does too, and its mask lies where the scan lies: nowhere said', async () => {
    put('new/scan.nii.gz', await unoriented());
    const { code, err } = await run('predict', '-i', at('new'), '-o', at('masks'), '--run', at('run'), '--json');
    expect(err).toMatch(/warning: .*scan\.nii\.gz: states no orientation/);
    expect(code).toBe(0);
    const [scan, mask] = await Promise.all(['new/scan.nii.gz', 'masks/scan.nii.gz'].map((f) => readVolume(at(f), () => {})));
    expect({ ...mask, data: 0 }).toEqual({ ...scan, data: 0 });
    expect(mask.unoriented).toBe(true);
  });
});
