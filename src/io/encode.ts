// SPDX-License-Identifier: MIT
// From a volume to the bytes of its files: NIfTI, and the text headers of NRRD and MetaImage with numbers to the last digit.
import type { Volume } from '../data/volume.ts';
import { DataError } from '../errors.ts';
import { unknownKind } from './decode.ts';
import { elementOf } from './elements.ts';
import { volumeEnding } from './endings.ts';
import { littleBytes, niftiParts } from './nifti_write.ts';
import type { Codec } from './packed.ts';
import { checkFinite } from './promises.ts';

/** A file to write: its name, and its bytes in parts. */
export interface EncodedFile {
  readonly name: string;
  readonly parts: readonly Uint8Array[];
}

const NRRD_TYPES = {
  int8: 'signed char',
  uint8: 'unsigned char',
  int16: 'short',
  uint16: 'unsigned short',
  int32: 'int',
  uint32: 'unsigned int',
  float32: 'float',
  float64: 'double',
} as const;
const META_TYPES = {
  int8: 'MET_CHAR',
  uint8: 'MET_UCHAR',
  int16: 'MET_SHORT',
  uint16: 'MET_USHORT',
  int32: 'MET_INT',
  uint32: 'MET_UINT',
  float32: 'MET_FLOAT',
  float64: 'MET_DOUBLE',
} as const;

const axis = ({ direction }: Volume, i: number): number[] => [direction[i], direction[3 + i], direction[6 + i]];
const xyz = <T>([d, h, w]: readonly T[]): T[] => [w, h, d];

function nrrdHeader(volume: Volume, compress: boolean, dataFile: string | undefined): string {
  const spacing = xyz(volume.spacing),
    vector = (v: readonly number[]): string => `(${v.map((x) => x + 0).join(',')})`;
  return [
    'NRRD0004',
    `type: ${NRRD_TYPES[elementOf(volume.data)]}`,
    'dimension: 3',
    'space: left-posterior-superior',
    `sizes: ${xyz(volume.size).join(' ')}`,
    `space directions: ${spacing.map((s, i) => vector(axis(volume, i).map((x) => x * s))).join(' ')}`,
    'kinds: domain domain domain',
    'endian: little',
    `encoding: ${compress ? 'gzip' : 'raw'}`,
    `space origin: ${vector(volume.origin)}`,
    ...(dataFile === undefined ? [] : [`data file: ${dataFile}`]),
    '',
    '',
  ].join('\n');
}

function metaHeader(volume: Volume, packed: number | undefined, dataFile: string): string {
  return [
    'ObjectType = Image',
    'NDims = 3',
    'BinaryData = True',
    'BinaryDataByteOrderMSB = False',
    `CompressedData = ${packed === undefined ? 'False' : 'True'}`,
    ...(packed === undefined ? [] : [`CompressedDataSize = ${packed}`]),
    `TransformMatrix = ${[0, 1, 2]
      .flatMap((i) => axis(volume, i))
      .map((x) => x + 0)
      .join(' ')}`,
    `Offset = ${volume.origin.join(' ')}`,
    'CenterOfRotation = 0 0 0',
    `ElementSpacing = ${xyz(volume.spacing).join(' ')}`,
    `DimSize = ${xyz(volume.size).join(' ')}`,
    `ElementType = ${META_TYPES[elementOf(volume.data)]}`,
    `ElementDataFile = ${dataFile}`,
    '',
  ].join('\n');
}

const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The files that hold a volume under `name`, a data file before the header that points at it. DataError for endings that are not known. */
export async function encodeVolume(name: string, volume: Volume, compress: boolean, codec: Codec): Promise<EncodedFile[]> {
  const ending = volumeEnding(name);
  if (!ending) throw unknownKind(name);
  const voxels = volume.size[0] * volume.size[1] * volume.size[2],
    stem = name.slice(0, -ending.length);
  if (volume.data.length !== voxels)
    throw new DataError(`${name}: wrong number of voxels, got ${volume.data.length}, expected ${volume.size.join('x')} = ${voxels}.`);
  checkFinite(name, volume.data, xyz(volume.size));
  if (![...volume.spacing, ...volume.origin, ...volume.direction].every(Number.isFinite) || volume.spacing.some((s) => s <= 0))
    throw new DataError(
      `${name}: not a grid, got spacing ${volume.spacing.join(', ')} and origin ${volume.origin.join(', ')}, expected finite ` +
        'numbers and spacings above 0.',
    );
  if (ending === '.nii') return [{ name, parts: niftiParts(name, volume) }];
  if (ending === '.nii.gz') return [{ name, parts: await codec.pack(niftiParts(name, volume), 'gzip') }]; // gzip is what the name says
  const meta = ending === '.mha' || ending === '.mhd',
    raw = [littleBytes(volume.data)];
  const parts = compress ? await codec.pack(raw, meta ? 'zlib' : 'gzip') : raw,
    packed = parts.reduce((n, p) => n + p.length, 0);
  const detached =
    ending === '.nhdr' ? `${stem}.raw${compress ? '.gz' : ''}` : ending === '.mhd' ? `${stem}.${compress ? 'z' : ''}raw` : undefined;
  const header = textBytes(
    meta ? metaHeader(volume, compress ? packed : undefined, detached ?? 'LOCAL') : nrrdHeader(volume, compress, detached),
  );
  return detached === undefined
    ? [{ name, parts: [header, ...parts] }]
    : [
        { name: detached, parts },
        { name, parts: [header] },
      ];
}
