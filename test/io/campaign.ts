// SPDX-License-Identifier: MIT
// Damaged image files by the hundred, drawn from a seed: each is read to the values that were stored, or refused by a typed error
// that names it, in bounded time and memory, and without a look outside its folder.
import { deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { DataError } from '../../src/errors.ts';
import type { Volume } from '../../src/data/volume.ts';
import { decodeVolume } from '../../src/io/decode.ts';
import { besideName } from '../../src/io/header_text.ts';
import { fflateCodec } from '../../src/io/fflate.ts';
import { zlibCodec } from '../../src/io/node/zlib.ts';
import { meta, nifti, niftiHeader, nrrd, RAMP, sourceOf, stored } from './files.ts';

/** A generator of numbers in [0, 1) from a seed (mulberry32). */
export function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Whole {
  readonly file: string;
  readonly bytes: Buffer;
  /** Bytes of header that are not packed. */ readonly head: number;
  readonly packed: boolean;
  readonly beside?: Record<string, Buffer>;
}

const raw = stored(RAMP),
  nii = nifti(),
  nii2 = nifti({ v2: true, little: false }),
  q = nifti({ qform: { quat: [0.1, 0.2, 0.3], offset: [1, 2, 3] }, pixdim: [0.5, 0.6, 2] });
const whole = (file: string, bytes: Buffer, body: number, packed = false, beside?: Record<string, Buffer>): Whole => ({
  file,
  bytes,
  head: bytes.length - body,
  packed,
  ...(beside && { beside }),
});
const [gz, z] = [gzipSync(raw), deflateSync(raw)];
/** Whole files of each kind, all of the same voxels. */
export const WHOLE: readonly Whole[] = [
  whole('a.nii', nii, raw.length),
  whole('b.nii', nii2, raw.length),
  whole('c.nii', q, raw.length),
  whole('a.nii.gz', gzipSync(nii), 0, true),
  whole('b.nii.gz', Buffer.concat([gzipSync(nii2.subarray(0, 300)), gzipSync(nii2.subarray(300))]), 0, true),
  whole('a.nrrd', nrrd({ kinds: 'domain domain domain', 'space units': '"mm" "mm" "mm"' }), raw.length),
  whole('b.nrrd', nrrd({ encoding: 'gzip', space: 'RAS' }, gz), gz.length, true),
  whole('c.nrrd', nrrd({ encoding: 'ascii' }, RAMP.join(' ')), RAMP.join(' ').length),
  whole('d.nrrd', nrrd({ encoding: 'hex' }, raw.toString('hex')), 2 * raw.length),
  whole('a.nhdr', nrrd({ 'data file': 'a.raw' }, ''), 0, false, { 'a.raw': raw }),
  whole('a.mha', meta({ DistanceUnits: 'mm', AnatomicalOrientation: 'RAI' }), raw.length),
  whole('b.mha', meta({ CompressedData: 'True', CompressedDataSize: String(z.length) }, z), z.length, true),
  whole('a.mhd', meta({ CompressedData: 'True', ElementDataFile: 'a.zraw' }, ''), 0, true, { 'a.zraw': z }),
  whole('b.mhd', meta({ ElementDataFile: 'a.raw', HeaderSize: '-1' }, ''), 0, false, { 'a.raw': raw }),
];

const HOSTILE = [
  'nan',
  '-1',
  '0',
  '1e999',
  '99999999999999999999',
  '4294967297',
  '1.5',
  '',
  'x',
  '-0',
  '0x10',
  '1e-320',
  'inf',
  '(nan,nan,nan)',
  'none',
  '../../etc/passwd',
  '/etc/passwd',
  'a'.repeat(5000),
  '%s%n',
  '\0',
  'LIST',
  'LOCAL',
  'True',
  '\u00ff\u00fe',
  '2147483648',
  '4 3 5 1',
  '5 3 4',
];
const NUMBERS = [NaN, Infinity, -Infinity, -1, 0, 1e38, -1e38, 1e-45, 0.5, 1e9, 2 ** 31, 2 ** 24 + 2];
const INTEGERS = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 127, 128, 255, 256, 32767, -32768, 77];

/** One damage: the bytes, and whether values may only come out as they were stored. */
interface Damaged {
  readonly what: string;
  readonly bytes: Buffer;
  readonly beside?: Record<string, Buffer>;
  readonly exact: boolean;
}

function damage({ file, bytes, head, packed, beside }: Whole, next: () => number): Damaged {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)];
  const upTo = (n: number): number => Math.floor(next() * n);
  const text = !file.includes('.nii'),
    copy = Buffer.from(bytes),
    target = beside ? Object.keys(beside)[0] : '';
  const cut = (b: Buffer): Buffer => b.subarray(0, upTo(b.length)),
    flip = (b: Buffer, from = 0): Buffer => {
      const c = Buffer.from(b);
      if (c.length > from) c[from + upTo(c.length - from)] ^= 1 << upTo(8);
      return c;
    };
  const done = (what: string, changed: Buffer, exact: boolean): Damaged => ({ what, bytes: changed, exact, ...(beside && { beside }) });
  switch (upTo(12)) {
    case 0:
      return beside
        ? { what: 'cut data file', bytes: copy, beside: { [target]: cut(beside[target]) }, exact: true }
        : done('cut', cut(copy), head === 0 || !text);
    case 1:
      return done(
        'bit in the header',
        head > 0 ? Buffer.concat([flip(copy.subarray(0, head)), copy.subarray(head)]) : flip(copy),
        packed && head === 0,
      );
    case 2:
      return beside
        ? { what: 'bit in the data file', bytes: copy, beside: { [target]: flip(beside[target]) }, exact: packed }
        : done('bit in the voxels', flip(copy, head), packed);
    case 3: {
      const at = upTo(copy.length),
        n = 1 + upTo(40);
      return done('bytes taken out', Buffer.concat([copy.subarray(0, at), copy.subarray(at + n)]), packed && head === 0);
    }
    case 4: {
      const at = upTo(copy.length),
        more = Buffer.from(Array.from({ length: 1 + upTo(40) }, () => upTo(256)));
      return done('bytes put in', Buffer.concat([copy.subarray(0, at), more, copy.subarray(at)]), packed && head === 0);
    }
    case 5:
      return beside
        ? {
            what: 'something behind the data file',
            bytes: copy,
            beside: {
              [target]: Buffer.concat([
                beside[target],
                pick([Buffer.alloc(7), Buffer.from('\n'), Buffer.from('tail'), Buffer.alloc(100_000), raw]),
              ]),
            },
            exact: !file.startsWith('b.mhd'),
          }
        : done(
            'something behind',
            Buffer.concat([copy, pick([Buffer.alloc(7), Buffer.from('\n'), Buffer.from('tail'), Buffer.alloc(100_000), raw])]),
            !text,
          );
    case 6:
      return done(
        'a block of one byte',
        Buffer.from(copy).fill(pick([0, 255, 32, 10]), upTo(copy.length), copy.length - upTo(copy.length)),
        packed && head === 0,
      );
    case 7:
      return done(
        'two blocks exchanged',
        Buffer.concat([copy.subarray(copy.length >> 1), copy.subarray(0, copy.length >> 1)]),
        packed && head === 0,
      );
    default:
      break;
  }
  if (text) {
    const lines = copy
        .subarray(0, head || copy.length)
        .toString('latin1')
        .split('\n'),
      at = upTo(lines.length),
      other = upTo(lines.length),
      mark = /^([^:=]*[:=]\s*)/.exec(lines[at])?.[1];
    const how = upTo(4);
    if (how === 0 && mark) lines[at] = mark + pick(HOSTILE);
    else if (how === 1) lines.splice(at, 1);
    else if (how === 2) lines.splice(other, 0, lines[at]);
    else lines[at] = lines[at].replace(/-?[\d.]+/g, (n) => (next() < 0.5 ? pick(HOSTILE) : n));
    return done(
      `line ${at}: ${lines[at]?.slice(0, 60)}`,
      Buffer.concat([Buffer.from(lines.join('\n'), 'latin1'), head ? copy.subarray(head) : Buffer.alloc(0)]),
      false,
    );
  }
  // A field of NIfTI-1, whichever it is: the forms and pixdim do not touch the voxels.
  const header = niftiHeader({ qform: { quat: [0.1, 0.2, 0.3], offset: [1, 2, 3] }, pixdim: [0.5, 0.6, 2] }),
    place = next() < 0.5;
  const at = place ? pick([76, 80, 84, 88, 256, 260, 264, 268, 272, 276, 280, 284, 296, 300, 320, 324]) : pick([108, 112, 116]);
  if (next() < 0.6) header.writeFloatLE(pick(NUMBERS), at);
  else header.writeInt16LE(pick(INTEGERS), place ? pick([252, 254]) : pick([40, 42, 44, 46, 48, 70, 72, 123, 344, 346]));
  const made = Buffer.concat([header, raw]);
  return done(`NIfTI field at ${at}`, file.endsWith('.gz') ? gzipSync(made) : made, place);
}

/** What a volume that was read must be, whatever was damaged. */
function checkVolume(volume: Volume, bytes: number): void {
  const { data, size, spacing, origin, direction } = volume;
  expect(data.length).toBe(size[0] * size[1] * size[2]);
  expect(data.byteLength).toBeLessThanOrEqual(1100 * bytes);
  for (const n of size) expect(Number.isInteger(n) && n > 0).toBe(true);
  for (const s of spacing) expect(s > 0 && Number.isFinite(s)).toBe(true);
  for (const x of [...origin, ...direction, ...(data instanceof Float32Array || data instanceof Float64Array ? data : [])])
    expect(Number.isFinite(x)).toBe(true);
  for (const axis of [0, 1, 2]) expect(Math.hypot(direction[axis], direction[3 + axis], direction[6 + axis])).toBeCloseTo(1, 6);
}

/** Runs `count` damages of every kind of file; returns how many were read and how many refused. */
export async function campaign(count: number, seed: number): Promise<{ read: number; refused: number }> {
  let read = 0,
    refused = 0;
  for (const [k, file] of WHOLE.entries()) {
    const next = random(seed + 7919 * k);
    for (let i = 0; i < count; i++) {
      const damaged = damage(file, next),
        { bytes, beside } = damaged,
        name = `/folder/${file.file}`,
        label = `${file.file}, seed ${seed}, number ${i}: ${damaged.what}`;
      const total = bytes.length + Object.values(beside ?? {}).reduce((n, b) => n + b.length, 0),
        start = performance.now();
      let asked = 0;
      const counted = (b: Buffer): ReturnType<typeof sourceOf> => ({
        size: b.length,
        read: async (from, to) => {
          asked += to - from;
          expect(from >= 0 && to <= b.length && from <= to, label).toBe(true);
          return Uint8Array.from(b.subarray(from, to));
        },
      });
      const outcome = await decodeVolume({
        file: name,
        source: counted(bytes),
        codec: i % 2 ? fflateCodec : zlibCodec,
        tell: ({ message, remedy }) => expect(message.length > 0 && remedy.length > 0).toBe(true),
        beside: async (other) => {
          expect(besideName(name, other), label).toBe(other); // stays in the folder
          if (!beside?.[other])
            throw new DataError(`${name}: names a data file that is not there, got "${other.slice(0, 20)}".`, 'Put it there.');
          return counted(beside[other]);
        },
      }).then(
        (volume) => ({ volume }),
        (error: unknown) => ({ error }),
      );
      expect(performance.now() - start, `${label}: time`).toBeLessThan(20_000);
      expect(asked, `${label}: read`).toBeLessThanOrEqual(4 * total + 1000);
      if ('error' in outcome) {
        const { error } = outcome as { error: DataError };
        expect(error, label).toBeInstanceOf(DataError);
        expect(
          error.message.startsWith('/folder/') && (error.hint ?? '').length > 0 && error.message.length < 2000,
          `${label}: ${error.message.slice(0, 300)}`,
        ).toBe(true);
        refused++;
      } else {
        checkVolume(outcome.volume, total);
        if (damaged.exact) expect([...outcome.volume.data], label).toEqual(RAMP);
        read++;
      }
    }
  }
  return { read, refused };
}
