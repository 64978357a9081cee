// SPDX-License-Identifier: MIT
// Compressed DICOM: every transfer syntax that is read gives the values that were encoded, and a damaged stream is an error.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { readDicomSeries } from '../../src/io/node/dicom.ts';
import { type Coded, highThroughput, jpeg, jpeg2000, jpegLs, losslessJpeg, rle } from './dicom_encoders.ts';
import { ctSlice, type Encapsulated, type Elements, enhancedCt, part10, SYNTAX } from './dicom_writer.ts';
import { dataError, scratch } from './helpers.ts';

const root = scratch();
const ROWS = 16,
  COLUMNS = 20;

/** A slice with ramps, noise, flat parts and both ends of its range, the same for each `k`. */
function image(bits: number, signed: boolean, k = 0): Coded {
  const low = signed ? -(2 ** (bits - 1)) : 0,
    high = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const values = Array.from({ length: ROWS * COLUMNS }, (_, i) => {
    const row = Math.floor(i / COLUMNS);
    return row < 3
      ? low
      : row > 13
        ? high
        : Math.max(low, Math.min(high, low + ((((i + 7 * k) * 2654435761) % 2 ** bits) >>> 0) * (row > 8 ? 1 : 0) + 3 * i + k));
  });
  return { values, rows: ROWS, columns: COLUMNS, bits, signed };
}

const elements = ({ rows, columns, bits, signed }: Coded, pixels: Encapsulated, more: Elements = {}): Elements => ({
  '00280010': ['US', rows],
  '00280011': ['US', columns],
  '00280100': ['US', bits > 8 ? 16 : 8],
  '00280101': ['US', bits],
  '00280102': ['US', bits - 1],
  '00280103': ['US', signed ? 1 : 0],
  '00281052': ['DS', '0'],
  '7fe00010': ['OB', pixels],
  ...more,
});

async function readFile(bytes: Uint8Array): Promise<number[]> {
  const folder = mkdtempSync(join(root, 'series-'));
  writeFileSync(join(folder, 'a.dcm'), bytes);
  return [...(await readDicomSeries(folder)).data];
}
const single = (
  coded: Coded,
  fragments: readonly Uint8Array[],
  syntax: string,
  offsets: readonly number[] = [],
  more: Elements = {},
): Buffer => part10(ctSlice(0, elements(coded, { offsets, fragments }, more)), syntax);

const LOSSLESS: [string, string, (coded: Coded) => Uint8Array | Promise<Uint8Array>][] = [
  ['RLE', SYNTAX.rle, (c) => rle(c, c.bits > 8 ? 2 : 1)],
  ['lossless JPEG', SYNTAX.losslessFirst, (c) => losslessJpeg(c, 1)],
  ['JPEG-LS', SYNTAX.jpegLs, (c) => jpegLs(c)],
  ['JPEG 2000', SYNTAX.jpeg2000, jpeg2000],
  ['high-throughput JPEG 2000', SYNTAX.highThroughput, highThroughput],
];

describe.each(LOSSLESS)('%s', (name, syntax, encode) => {
  it.each([
    [8, false],
    [12, false],
    [12, true],
    [16, false],
    [16, true],
  ] as const)('%d bits, signed %s', async (bits, signed) => {
    if (bits === 8 && name.startsWith('high')) return; // the encoder makes 16 bits
    const coded = image(bits, signed),
      data = await encode(coded);
    expect(await readFile(single(coded, [data], syntax))).toEqual(coded.values);
  });

  it('in several fragments and frames, with and without a table of offsets', async () => {
    const slices = [0, 1, 2].map((k) => image(12, false, k)),
      streams = await Promise.all(slices.map(async (slice) => encode(slice))),
      size = (b: Uint8Array): number => b.length + (b.length % 2);
    const offsets = streams.map((_, i) => streams.slice(0, i).reduce((sum, s) => sum + 8 + size(s), 0));
    const write = (pixels: Encapsulated): Buffer =>
      part10(
        enhancedCt([0, 1, 2], undefined, {
          ...elements(slices[0], pixels),
          '00281052': undefined,
          '52009230': [
            'SQ',
            [0, 1, 2].map((k) => ({
              '00209113': ['SQ', [{ '00200032': ['DS', [0, 0, k]] }]],
              '00289145': ['SQ', [{ '00281052': ['DS', 0], '00281053': ['DS', 1] }]],
            })),
          ],
        }),
        syntax,
      );
    const values = slices.flatMap((s) => s.values);
    expect(await readFile(write({ offsets, fragments: streams }))).toEqual(values);
    expect(await readFile(write({ offsets: [], fragments: streams }))).toEqual(values);
    expect((await dataError(() => readFile(write({ offsets: offsets.map((o) => o + 2), fragments: streams })))).message).toMatch(
      /a\.dcm: PixelData .*a table of offsets that are not those of the fragments/,
    );
    expect((await dataError(() => readFile(write({ offsets: offsets.slice(1), fragments: streams })))).message).toMatch(
      /got a table of 2 offsets, expected 3 frames/,
    );
    expect((await dataError(() => readFile(write({ offsets: [], fragments: streams.slice(1) })))).message).toMatch(
      /got 2 fragments, expected 3 frames/,
    );
    if (name === 'RLE') return; // a fragment a frame (PS3.5 A.4.2)
    const halves = streams.map((s) => [s.subarray(0, (s.length >> 2) << 1), s.subarray((s.length >> 2) << 1)]),
      pieces = halves.flat();
    const firsts = halves.map((_, i) =>
      halves
        .slice(0, i)
        .flat()
        .reduce((sum, s) => sum + 8 + size(s), 0),
    );
    expect(await readFile(write({ offsets: firsts, fragments: pieces }))).toEqual(values);
    expect(await readFile(write({ offsets: [], fragments: pieces }))).toEqual(values);
    expect(await readFile(single(slices[0], halves[0], syntax))).toEqual(slices[0].values);
  });

  it('cut off anywhere, of another size or depth: an error that names the file', async () => {
    const coded = image(12, false),
      data = await encode(coded),
      cuts = [0, 1, 20, 63, data.length >> 1, data.length - 40, data.length - 4];
    for (const cut of cuts)
      expect((await dataError(() => readFile(single(coded, [data.subarray(0, cut & ~1)], syntax)))).message).toMatch(
        /a\.dcm: .* pixels that cannot be decoded: /,
      );
    for (const cut of cuts)
      await dataError(() =>
        readFile(single(coded, [Buffer.concat([data.subarray(0, cut & ~1), Buffer.alloc(data.length - cut)])], syntax)),
      );
    const wider = single(coded, [data], syntax, [], { '00280011': ['US', COLUMNS + 1] });
    expect((await dataError(() => readFile(wider))).message).toMatch(/cannot be decoded/);
    if (name !== 'RLE')
      expect((await dataError(() => readFile(wider))).message).toMatch(
        /the stream holds 16 x 20 pixels of 1 values, expected 16 x 21 of 1/,
      );
    expect(
      (
        await dataError(() =>
          readFile(single(coded, [data], syntax, [], { '00280100': ['US', 8], '00280101': ['US', 8], '00280102': ['US', 7] })),
        )
      ).message,
    ).toMatch(/cannot be decoded/);
    const native = part10(ctSlice(0, { ...elements(coded, { offsets: [], fragments: [data] }) }), SYNTAX.explicit);
    expect((await dataError(() => readFile(native))).message).toMatch(
      /PixelData \(7FE0,0010\) is not usable, got fragments, expected one piece/,
    );
    expect((await dataError(() => readFile(part10(ctSlice(0), syntax)))).message).toMatch(/got 48 bytes in one piece, expected fragments/);
    expect(await readFile(single(coded, [data], syntax))).toEqual(coded.values); // a decoder that failed is replaced
  });
});

describe('lossless JPEG', () => {
  it.each([1, 2, 3, 4, 5, 6, 7])('predictor %d, with restarts and a point transform', async (predictor) => {
    for (const signed of [false, true]) {
      const coded = image(16, signed);
      expect(await readFile(single(coded, [losslessJpeg(coded, predictor)], SYNTAX.lossless))).toEqual(coded.values);
      expect(await readFile(single(coded, [losslessJpeg(coded, predictor, { lines: 3 })], SYNTAX.lossless))).toEqual(coded.values);
    }
    const coded = image(12, false);
    expect(await readFile(single(coded, [losslessJpeg(coded, predictor, { shift: 2 })], SYNTAX.lossless))).toEqual(
      coded.values.map((v) => v & ~3),
    );
  });
});

describe('lossy streams', () => {
  it('near-lossless JPEG-LS is off by what it allows', async () => {
    const coded = image(12, false),
      got = await readFile(single(coded, [await jpegLs(coded, 3)], SYNTAX.nearLossless));
    const off = got.map((v, i) => Math.abs(v - coded.values[i]));
    expect(Math.max(...off)).toBeGreaterThan(0);
    expect(Math.max(...off)).toBeLessThanOrEqual(3);
  });
  it('baseline JPEG of a smooth image is off by 2 at most', async () => {
    const coded: Coded = {
      values: Array.from({ length: 64 * 60 }, (_, i) => 40 + Math.floor(i / 60) + 2 * (i % 60)),
      rows: 64,
      columns: 60,
      bits: 8,
    };
    for (const syntax of [SYNTAX.baseline, SYNTAX.extended]) {
      const data = await jpeg(coded),
        got = await readFile(single(coded, [data], syntax));
      expect(Math.max(...got.map((v, i) => Math.abs(v - coded.values[i])))).toBeLessThanOrEqual(2);
      expect((await dataError(() => readFile(single(coded, [data.subarray(0, data.length - 20)], syntax)))).message).toMatch(
        /JPEG .* pixels that cannot be decoded: it stops before its end/,
      );
      // A hole in the middle, the end in its place.
      await dataError(() =>
        readFile(single(coded, [Buffer.concat([data.subarray(0, data.length >> 1), data.subarray((data.length >> 1) + 60)])], syntax)),
      );
      expect(await readFile(single(coded, [data], syntax))).toEqual(got);
      const extended = Buffer.from(data),
        frame = data.indexOf(Buffer.from([0xff, 0xc0]));
      extended.set([0xff, 0xc1, 0, 11, 12], frame);
      expect((await dataError(() => readFile(single({ ...coded, bits: 12 }, [extended], syntax)))).message).toMatch(
        /a JPEG process that is not read, got frame header C1 of 12 bits/,
      );
    }
  });
});

it('runs where there is neither Buffer nor process, as in a page', async () => {
  const resolveDir = fileURLToPath(new URL('../../src/io/dicom', import.meta.url));
  const { outputFiles } = await build({
    stdin: { contents: "export * from './open.ts'; export * from './image.ts'; export * from './stack.ts';", resolveDir, loader: 'ts' },
    bundle: true,
    format: 'iife',
    globalName: 'dicom',
    platform: 'browser',
    external: ['@cornerstonejs/*'],
    write: false,
  });
  const { openDicom, readImage, stackImages } = runInNewContext(
    `${outputFiles[0].text}; dicom`,
  ) as typeof import('../../src/io/dicom/open.ts') &
    typeof import('../../src/io/dicom/image.ts') &
    typeof import('../../src/io/dicom/stack.ts');
  for (const [syntax, encode] of [
    [SYNTAX.rle, rle],
    [SYNTAX.lossless, (c: Coded) => losslessJpeg(c, 7)],
  ] as const) {
    const coded = image(12, true),
      opened = openDicom('a.dcm', Uint8Array.from(single(coded, [encode(coded)], syntax)));
    const { data, size } = await stackImages('a', [readImage('a.dcm', opened as Exclude<typeof opened, string>)], 1000);
    expect([[...data], [...size]]).toEqual([coded.values, [1, ROWS, COLUMNS]]);
  }
});
