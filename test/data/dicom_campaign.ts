// SPDX-License-Identifier: MIT
// Damaged DICOM series by the hundred: of three slices (or one enhanced file) one is mutated, and what comes of it must be a DataError
// or a volume in which no slice is missing and those that were left alone lie where they lay, with their values.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { readDicomSeries } from '../../src/io/node/dicom.ts';
import { type Coded, jpeg2000, jpegLs, losslessJpeg, rle } from './dicom_encoders.ts';
import {
  COLUMNS,
  ctSlice,
  dataSetBytes,
  type Elements,
  enhancedCt,
  frameGroup,
  INTERCEPT,
  part10,
  ROWS,
  storedSlice,
  SYNTAX,
} from './dicom_writer.ts';

type Draw = (below: number) => number;
/** Mulberry32. */
function draws(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const SLICES = 3;
const image = (k: number): Coded => ({ values: storedSlice(k), rows: ROWS, columns: COLUMNS, bits: 16 });
const pixels = (...fragments: Uint8Array[]): Elements => ({
  '7fe00010': [
    'OB',
    {
      offsets: fragments.slice(0, -1).reduce<number[]>((all, f) => [...all, all[all.length - 1] + 8 + f.length + (f.length % 2)], [0]),
      fragments,
    },
  ],
});
const nested: Elements = { '00081140': ['SQ', [{ '00081150': ['UI', '1.2.3'], '00400260': ['SQ', [{}]] }, {}]] };

interface Base {
  readonly name: string;
  readonly files: readonly Buffer[];
  readonly write: (elements: Elements) => Buffer;
  readonly elements: readonly Elements[];
}

/** Series of each kind of coding. */
export async function bases(): Promise<Base[]> {
  const base = (name: string, elements: readonly Elements[], write: (e: Elements) => Buffer): Base => ({
    name,
    elements,
    write,
    files: elements.map(write),
  });
  const slices = await Promise.all(
    [0, 1, 2].map(async (k) => ({
      plain: ctSlice(k, nested),
      rle: ctSlice(k, pixels(rle(image(k)))),
      lossless: ctSlice(k, pixels(losslessJpeg(image(k), 4))),
      jpegLs: ctSlice(k, pixels(await jpegLs(image(k)))),
      jpeg2000: ctSlice(k, pixels(await jpeg2000(image(k)))),
    })),
  );
  const frames = [2, 0, 1],
    groups = frames.map((k) => frameGroup(k));
  return [
    base(
      'explicit',
      slices.map((s) => s.plain),
      (e) => part10(e),
    ),
    base(
      'sequences with delimiters',
      slices.map((s) => s.plain),
      (e) => part10(e, SYNTAX.explicit, { undefinedLength: true }),
    ),
    base(
      'implicit',
      slices.map((s) => s.plain),
      (e) => part10(e, SYNTAX.implicit),
    ),
    base(
      'deflated',
      slices.map((s) => s.plain),
      (e) => part10(e, SYNTAX.deflated),
    ),
    base(
      'without preamble',
      slices.map((s) => s.plain),
      (e) => dataSetBytes(e),
    ),
    base(
      'RLE',
      slices.map((s) => s.rle),
      (e) => part10(e, SYNTAX.rle),
    ),
    base(
      'lossless JPEG',
      slices.map((s) => s.lossless),
      (e) => part10(e, SYNTAX.lossless),
    ),
    base(
      'JPEG-LS',
      slices.map((s) => s.jpegLs),
      (e) => part10(e, SYNTAX.jpegLs),
    ),
    base(
      'JPEG 2000',
      slices.map((s) => s.jpeg2000),
      (e) => part10(e, SYNTAX.jpeg2000),
    ),
    base('enhanced', [enhancedCt(frames)], (e) => part10(e, SYNTAX.explicit, { undefinedLength: true })),
    base('enhanced RLE', [enhancedCt(frames, groups, pixels(...frames.map((k) => rle(image(k)))))], (e) => part10(e, SYNTAX.rle)),
  ];
}

/** A mutation and whether it can leave another volume that is as good as the first (a digit of a position). */
type Mutation = readonly [what: string, mutate: (base: Base, which: number, draw: Draw) => Uint8Array | string];

const edited = (bytes: Uint8Array, edit: (copy: Buffer) => void): Buffer => {
  const copy = Buffer.from(bytes);
  edit(copy);
  return copy;
};
const MUTATIONS: readonly Mutation[] = [
  [
    'a bit',
    ({ files }, w, draw) =>
      edited(files[w], (b) => {
        b[draw(b.length)] ^= 1 << draw(8);
      }),
  ],
  [
    'a bit of the head',
    ({ files }, w, draw) =>
      edited(files[w], (b) => {
        b[128 + draw(Math.min(600, b.length - 128))] ^= 1 << draw(8);
      }),
  ],
  [
    'a byte',
    ({ files }, w, draw) =>
      edited(files[w], (b) => {
        b[draw(b.length)] = draw(256);
      }),
  ],
  [
    'eight bytes',
    ({ files }, w, draw) =>
      edited(files[w], (b) => {
        for (let at = draw(b.length), i = 0; i < 8 && at + i < b.length; i++) b[at + i] = draw(256);
      }),
  ],
  [
    'a length',
    ({ files }, w, draw) =>
      edited(files[w], (b) => {
        const at = draw(b.length - 4);
        b.writeUInt32LE([0, 1, 0xffffffff, 0xfffffffe, 0x7fffffff, 0x10000, 4097][draw(7)], at);
      }),
  ],
  ['cut off', ({ files }, w, draw) => files[w].subarray(0, draw(files[w].length))],
  [
    'zeros to the end',
    ({ files }, w, draw) =>
      edited(files[w], (b) => {
        b.fill(0, draw(b.length));
      }),
  ],
  [
    'zeros from the front',
    ({ files }, w, draw) =>
      edited(files[w], (b) => {
        b.fill(0, 0, 133 + draw(b.length - 133));
      }),
  ],
  [
    'a hole',
    ({ files }, w, draw) => {
      const at = draw(files[w].length),
        n = 1 + draw(40);
      return Buffer.concat([files[w].subarray(0, at), files[w].subarray(at + n)]);
    },
  ],
  [
    'bytes twice',
    ({ files }, w, draw) => {
      const at = draw(files[w].length),
        n = 1 + draw(40);
      return Buffer.concat([files[w].subarray(0, at + n), files[w].subarray(at)]);
    },
  ],
  [
    'bytes put in',
    ({ files }, w, draw) => {
      const at = draw(files[w].length);
      return Buffer.concat([files[w].subarray(0, at), Buffer.from([draw(256), draw(256)]), files[w].subarray(at)]);
    },
  ],
  [
    'an element missing',
    ({ elements, write }, w, draw) => {
      const tags = Object.keys(elements[w]);
      return write({ ...elements[w], [tags[draw(tags.length)]]: undefined });
    },
  ],
  [
    'an element empty',
    ({ elements, write }, w, draw) => {
      const tags = Object.keys(elements[w]),
        tag = tags[draw(tags.length)];
      return write({ ...elements[w], [tag]: [elements[w][tag]![0], ''] });
    },
  ],
  [
    'two elements change places',
    ({ elements, write }, w, draw) => {
      const tags = Object.keys(elements[w]),
        a = tags[draw(tags.length)],
        b = tags[draw(tags.length)];
      return write({ ...elements[w], [a]: elements[w][b], [b]: elements[w][a] });
    },
  ],
  [
    'a strange value',
    ({ elements, write }, w, draw) => {
      const tags = Object.keys(elements[w]),
        tag = tags[draw(tags.length)];
      return write({
        ...elements[w],
        [tag]: [elements[w][tag]![0], ['-1', '1e400', 'nan', '0', '1\\2\\3\\4\\5\\6\\7', '999999999', '\\', 'x'.repeat(300)][draw(8)]],
      });
    },
  ],
  [
    'the transfer syntax of another',
    ({ elements }, w, draw) =>
      part10(elements[w], Object.values(SYNTAX)[draw(Object.values(SYNTAX).length)], { explicit: draw(2) === 0, little: true }),
  ],
];
/** After these an element may read as another value of its kind, which no reader can know. */
const MAY_CHANGE = /bit|byte|value|change places|hole/;
/** A byte of the pixels, or zeros in their place, is another image. */
const MAY_REPAINT = /bit|byte|zeros to|length|value|change places|hole/;

/** Runs `count` mutations drawn from `seed`; each is read from files of its own below `root`. The number of refusals. */
export async function campaign(root: string, seed: number, count: number): Promise<{ refused: number; read: number }> {
  const draw = draws(seed),
    all = await bases(),
    tally = { refused: 0, read: 0 };
  for (const base of all) {
    // undamaged, each is the same volume
    const volume = await readDicomSeries(write(root, base.files));
    expect([...volume.data], base.name).toEqual([0, 1, 2].flatMap((k) => storedSlice(k).map((v) => v + INTERCEPT)));
  }
  for (let i = 0; i < count; i++) {
    const base = all[draw(all.length)],
      which = draw(base.files.length),
      [what, mutate] = MUTATIONS[draw(MUTATIONS.length)];
    const damaged = mutate(base, which, draw) as Uint8Array,
      began = performance.now(),
      about = `seed ${seed}, trial ${i}: ${base.name}, file ${which}, ${what}`;
    try {
      const volume = await readDicomSeries(
        write(
          root,
          base.files.map((file, f) => (f === which ? damaged : file)),
        ),
        () => undefined,
      );
      tally.read++;
      expect(volume.data.length, about).toBe(volume.size[0] * volume.size[1] * volume.size[2]);
      expect([...volume.spacing, ...volume.origin, ...volume.direction].every(Number.isFinite), about).toBe(true);
      if (base.files.length > 1) check(about, volume, which, !MAY_REPAINT.test(what));
      else if (!MAY_CHANGE.test(what) && !MAY_REPAINT.test(what))
        expect([...volume.data], about).toEqual([0, 1, 2].flatMap((k) => storedSlice(k).map((v) => v + INTERCEPT)));
    } catch (error) {
      if (!(error instanceof DataError)) throw Object.assign(error as Error, { message: `${about}: ${(error as Error).message}` });
      tally.refused++;
      expect(error.message.length, about).toBeLessThan(2500);
    }
    expect(performance.now() - began, about).toBeLessThan(10_000);
  }
  return tally;
}

function write(root: string, files: readonly Uint8Array[]): string {
  const folder = mkdtempSync(join(root, 'trial-'));
  files.forEach((bytes, k) => writeFileSync(join(folder, `im${k}`), bytes));
  return folder;
}

/** No slice is missing, and those that were left alone are where they were. */
function check(about: string, volume: Awaited<ReturnType<typeof readDicomSeries>>, which: number, whole: boolean): void {
  expect(volume.size, about).toEqual([SLICES, ROWS, COLUMNS]);
  const pixels = ROWS * COLUMNS;
  for (let k = 0; k < SLICES; k++) {
    if (k === which && !whole) continue;
    const values = [...volume.data.subarray(k * pixels, (k + 1) * pixels)];
    expect(values, `${about}: slice ${k}`).toEqual(storedSlice(k).map((v) => v + INTERCEPT));
  }
  [2, 0.6, 0.5].forEach((mm, axis) => expect(Math.abs(volume.spacing[axis] - mm), about).toBeLessThan(0.011 * mm));
}
