// SPDX-License-Identifier: MIT
// Transfer syntaxes by UID (PS3.6 table A-1): how the data set is written and how its pixels are compressed.
import { DataError } from '../../errors.ts';
import type { Coding } from './parse.ts';

export type Compression = 'none' | 'rle' | 'jpeg' | 'jpeg-ls' | 'jpeg-2000';

export interface TransferSyntax extends Coding {
  readonly name: string;
  /** The data set after the meta information is a raw deflate stream. */
  readonly deflated?: boolean;
  /** undefined: pixels as they are, in one piece. */
  readonly compression?: Compression;
}

const ROOT = '1.2.840.10008.1.2';
const LITTLE = { explicit: true, little: true };
const compressed = (name: string, compression: Compression): TransferSyntax => ({ ...LITTLE, name, compression });

/** By what follows `ROOT`. */
const READ: Readonly<Record<string, TransferSyntax>> = {
  '': { name: 'Implicit VR Little Endian', explicit: false, little: true },
  '.1': { name: 'Explicit VR Little Endian', ...LITTLE },
  '.1.98': compressed('Encapsulated Uncompressed Explicit VR Little Endian', 'none'),
  '.1.99': { name: 'Deflated Explicit VR Little Endian', ...LITTLE, deflated: true },
  '.2': { name: 'Explicit VR Big Endian', explicit: true, little: false },
  '.4.50': compressed('JPEG Baseline', 'jpeg'),
  '.4.51': compressed('JPEG Extended', 'jpeg'),
  '.4.57': compressed('JPEG Lossless', 'jpeg'),
  '.4.70': compressed('JPEG Lossless, First-Order Prediction', 'jpeg'),
  '.4.80': compressed('JPEG-LS Lossless', 'jpeg-ls'),
  '.4.81': compressed('JPEG-LS Near-Lossless', 'jpeg-ls'),
  '.4.90': compressed('JPEG 2000 Lossless', 'jpeg-2000'),
  '.4.91': compressed('JPEG 2000', 'jpeg-2000'),
  '.4.201': compressed('High-Throughput JPEG 2000 Lossless', 'jpeg-2000'),
  '.4.202': compressed('High-Throughput JPEG 2000 with RPCL Lossless', 'jpeg-2000'),
  '.4.203': compressed('High-Throughput JPEG 2000', 'jpeg-2000'),
  '.5': compressed('RLE Lossless', 'rle'),
};

/** Names of what is not read, for the message. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/^1\.2\.840\.10008\.1\.2\.4\.(5[2-9]|6[0-6])$/, 'a retired JPEG process'],
  [/^1\.2\.840\.10008\.1\.2\.4\.9[23]$/, 'JPEG 2000 Part 2 Multi-component'],
  [/^1\.2\.840\.10008\.1\.2\.4\.(9[45]|20[45])$/, 'JPIP, pixels behind a network address'],
  [/^1\.2\.840\.10008\.1\.2\.4\.10[0-8](\.1)?$/, 'MPEG video'],
  [/^1\.2\.840\.10008\.1\.2\.4\.11[0-2]$/, 'JPEG XL'],
  [/^1\.2\.840\.10008\.1\.2\.7\.\d$/, 'SMPTE ST 2110 video'],
  [/^1\.2\.840\.10008\.1\.2\.8\.1$/, 'Deflated Image Frame Compression'],
  [/^1\.2\.840\.113619\.5\.2$/, 'GE private, implicit with big endian pixels'],
];

/** The transfer syntax of a UID. DataError naming one that is not read. */
export function transferSyntax(file: string, uid: string): TransferSyntax {
  const known = uid.startsWith(ROOT) && Object.hasOwn(READ, uid.slice(ROOT.length)) ? READ[uid.slice(ROOT.length)] : undefined;
  if (known) return known;
  const name = REFUSED.find(([pattern]) => pattern.test(uid))?.[1] ?? 'unknown';
  throw new DataError(
    `${file}: a transfer syntax that is not read, got ${JSON.stringify(uid.slice(0, 80))} (${name}), expected uncompressed, ` +
      'deflated, RLE, JPEG, JPEG-LS or JPEG 2000.',
    'Convert the series with another tool, for example: gdcmconv --raw IN OUT.',
  );
}
