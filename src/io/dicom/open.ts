// SPDX-License-Identifier: MIT
// The data set of a DICOM file (PS3.10), with or without preamble and meta information, inflated where it is deflated.
import { Inflate } from 'fflate';
import { DataError } from '../../errors.ts';
import type { DataSet } from './data_set.ts';
import { isVr, parseDataSet, parseMeta } from './parse.ts';
import { transferSyntax, type TransferSyntax } from './transfer_syntax.ts';

export interface DicomFile {
  readonly dataSet: DataSet;
  readonly syntax: TransferSyntax;
}

/** SOP classes without slices of a scan (PS3.4 B.5), and what they are called. */
const OTHER_OBJECTS: readonly (readonly [RegExp, string])[] = [
  [/^1\.2\.840\.10008\.1\.3\.10$/, 'DICOMDIR'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.481\.2(\.|$)/, 'RT dose'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.481\.3(\.|$)/, 'RT structure set'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.481\.([4-9]|\d\d)/, 'RT plan or record'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.66\.[47]$/, 'segmentation'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.66/, 'registration, surface or raw data'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.67$/, 'real world value mapping'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.88\./, 'structured report'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.11\./, 'presentation state'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.9\./, 'waveform'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.104\./, 'encapsulated document'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.30$/, 'parametric map'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.4\.2$/, 'MR spectrum'],
  [/^1\.2\.840\.10008\.5\.1\.4\.(34|38|39|43|44|45)\./, 'protocol, worklist or implant'],
];
/** Storage classes of images are below this, but for the ones above. */
const STORAGE = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\./;

/** Bytes that any deflated data set may become, and that each of its bytes may. */
const FREE_INFLATED = 2 ** 26,
  INFLATED_PER_BYTE = 100;
/** Bytes inflated at a time; they may become a thousand times as many. */
const PIECE = 2 ** 14;

const startsWith = (bytes: Uint8Array, at: number, text: string): boolean =>
  bytes.length >= at + text.length && [...text].every((c, i) => bytes[at + i] === c.charCodeAt(0));
const hasVr = (bytes: Uint8Array, at: number): boolean => bytes.length >= at + 2 && isVr(String.fromCharCode(bytes[at], bytes[at + 1]));

/** Opens a file that may hold a slice: its data set, or (text) the name of an object that holds none. DataError: damaged, or no DICOM. */
export function openDicom(file: string, bytes: Uint8Array): DicomFile | string {
  if (bytes.length === 0)
    throw new DataError(
      `${file}: an empty file, got 0 bytes, expected a DICOM image.`,
      'Copy or export the series again; remove the file if it is no slice.',
    );
  const part10 = startsWith(bytes, 128, 'DICM'),
    start = part10 ? 132 : 0;
  const withMeta = bytes[start] === 2 && bytes[start + 1] === 0 && hasVr(bytes, start + 4);
  if (!withMeta) {
    if (part10 && bytes.length - start < 8)
      throw new DataError(
        `${file}: truncated DICOM image: it stops after the preamble, got ${bytes.length} bytes.`,
        'Copy or export the series again.',
      );
    return open(file, bytes, start, undefined, '');
  }
  const { meta, end } = parseMeta(file, bytes, start);
  return open(file, bytes, end, meta.text('TransferSyntaxUID') || undefined, meta.text('MediaStorageSOPClassUID'));
}

function open(file: string, bytes: Uint8Array, start: number, uid: string | undefined, sopClass: string): DicomFile | string {
  const named = OTHER_OBJECTS.find(([pattern]) => pattern.test(sopClass))?.[1];
  if (named) return named;
  const said = uid === undefined ? guess(file, bytes, start) : transferSyntax(file, uid);
  // Relays rewrite the data set and leave the meta information as it was (pydicom reads these files by what they hold, too).
  const syntax = said.little && !said.deflated ? { ...said, explicit: hasVr(bytes, start + 4) } : said;
  const dataSet = syntax.deflated
    ? parseDataSet(file, inflate(file, bytes.subarray(start)), 0, syntax)
    : parseDataSet(file, bytes, start, syntax);
  const own = dataSet.text('SOPClassUID') || sopClass,
    other = OTHER_OBJECTS.find(([pattern]) => pattern.test(own))?.[1];
  if (other) return other;
  if (dataSet.element('PixelData')) return { dataSet, syntax };
  for (const keyword of ['FloatPixelData', 'DoubleFloatPixelData'] as const) {
    if (dataSet.element(keyword))
      throw dataSet.wrong(
        keyword,
        'pixels of floating point',
        'PixelData of whole numbers',
        'Convert the series to NIfTI with another tool.',
      );
  }
  // Vendors keep objects of their own beside the slices; a class of the standard, or none at all, is a slice that lost its pixels.
  if (own !== '' && !STORAGE.test(own) && !dataSet.element('Rows')) return `object of class ${own.slice(0, 64)}`;
  throw new DataError(`${file}: truncated DICOM image: it ends before the pixels.`, 'Copy or export the series again.');
}

/** How a data set without meta information is written: its first element is of group 8, and explicit if letters follow the tag. */
function guess(file: string, bytes: Uint8Array, start: number): TransferSyntax {
  const name = 'without meta information',
    [a, b, c, d] = bytes.subarray(start, start + 4);
  if (hasVr(bytes, start + 4)) {
    if (a === 8 && b === 0) return { name, explicit: true, little: true };
    if (a === 0 && b === 8) return { name, explicit: true, little: false };
  }
  const length = bytes.length - start >= 8 ? new DataView(bytes.buffer, bytes.byteOffset + start + 4).getUint32(0, true) : Infinity;
  if (a === 8 && b === 0 && d === 0 && c <= 0x60 && length <= 256) return { name, explicit: false, little: true };
  const short =
    bytes.length < 132
      ? `only ${bytes.length} bytes`
      : bytes.every((byte) => byte === 0)
        ? `${bytes.length} bytes of zeros`
        : start > 0
          ? 'the letters DICM and no data set behind them'
          : 'neither the letters DICM at byte 128 nor a data set without preamble';
  throw new DataError(
    `${file}: not a DICOM file, or a truncated DICOM image: got ${short}.`,
    'Copy or export the series again; move the file away if it is no slice.',
  );
}

/** The data set of a deflated file. DataError if the stream is cut off, corrupt or becomes too large. */
function inflate(file: string, data: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  const most = FREE_INFLATED + INFLATED_PER_BYTE * data.length;
  let size = 0,
    ended = false;
  const stream = new Inflate((part, final) => {
    size += part.length;
    if (size > most)
      throw new DataError(
        `${file}: a deflated data set that is too large, got more than ${most} bytes of ${data.length}.`,
        'Convert the series to uncompressed DICOM.',
      );
    parts.push(part);
    ended ||= final;
  });
  try {
    for (let at = 0; at < data.length && !ended; at += PIECE) stream.push(data.subarray(at, at + PIECE), at + PIECE >= data.length);
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(
      `${file}: truncated DICOM image: the deflated data set is cut off or corrupt (${(cause as Error).message}).`,
      'Copy or export the series again.',
      { cause },
    );
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
