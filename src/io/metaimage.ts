// SPDX-License-Identifier: MIT
// Reading MetaImage: .mha, or a header .mhd with its data file.
import { assertOrthogonal, type Geometry } from '../data/geometry.ts';
import type { Volume } from '../data/volume.ts';
import { elementBytes, voxelsOf, voxelsOfText } from './elements.ts';
import { badField, besideName, HEAD_BYTES, integerIn, latin1, numberIn } from './header_text.ts';
import { flag, isLocal, list, metaElement, parseMetaFields } from './metaimage_fields.ts';
import { Inflated, isGzip } from './packed.ts';
import { checkDims, checkFinite, checkPacked, geometryOf, inflatedVoxels, storedVoxels } from './promises.ts';
import type { Input, Tell } from './source.ts';

const MILLIMETRES: Readonly<Record<string, number>> = { '?': 1, '???': 1, '': 1, mm: 1, um: 0.001, cm: 10, m: 1000 };

type Fields = ReadonlyMap<string, string>;

/** Reads a MetaImage. DataError naming the field, or saying that the file holds fewer or more voxels than promised. */
export async function readMetaImage({ file, source, beside, codec, tell }: Input): Promise<Volume> {
  const { fields, dataFile: name, end } = parseMetaFields(file, await source.read(0, Math.min(source.size, HEAD_BYTES)));
  const kind = fields.get('ObjectType');
  if (kind !== undefined && !/^image$/i.test(kind)) throw badField(file, 'ObjectType', kind, 'Image');
  const written = (fields.get('DimSize') ?? '')
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => numberIn(word) ?? NaN);
  const rank = fields.has('NDims') ? integerIn(file, 'NDims', fields.get('NDims')!, 1) : written.length;
  if (written.length === 0 || written.length !== rank) throw badField(file, 'DimSize', fields.get('DimSize'), `${rank} integers`);
  const element = metaElement(file, fields.get('ElementType'));
  checkDims(file, written, integerIn(file, 'ElementNumberOfChannels', fields.get('ElementNumberOfChannels') ?? '1', 1));
  const dims = written.slice(0, 3),
    count = dims.reduce((a, b) => a * b, 1),
    promised = { dims: written, bytes: count * elementBytes(element) };
  const grid = gridOf(file, dims, rank, fields, tell);
  for (const [key, neutral] of [
    ['ElementToIntensityFunctionSlope', 1],
    ['ElementToIntensityFunctionOffset', 0],
  ] as const) {
    if ((list(file, fields, key, 1)?.[0] ?? neutral) !== neutral)
      throw badField(
        file,
        key,
        fields.get(key),
        `${neutral}: some readers scale by it and others do not`,
        'Store the scaled values, or remove the field if the values are scaled already.',
      );
  }
  const local = isLocal(name),
    data = local ? source : await beside(besideName(file, name)),
    dataFile = local ? file : file.replace(/[^\\/]*$/, name);
  const skip = integerIn(file, 'HeaderSize', fields.get('HeaderSize') ?? '0', -1),
    compressed = flag(file, fields, 'CompressedData', false);
  if (skip < 0 && compressed) throw badField(file, 'HeaderSize', fields.get('HeaderSize'), '0 or more for compressed data');
  if (local && skip > 0 && skip < end)
    throw badField(file, 'HeaderSize', fields.get('HeaderSize'), `at least ${end}, where the header ends`);
  const start = local && skip <= 0 ? end : Math.max(0, skip);
  if (!flag(file, fields, 'BinaryData', true))
    return { ...grid, data: voxelsOfText(dataFile, latin1(await data.read(start, data.size)), element, count) };

  let bytes: Uint8Array;
  if (compressed) {
    // CompressedDataSize is passed over: it is missing, or wrong, in many files, and the stream says itself where it ends.
    checkPacked(dataFile, data.size - start, promised);
    const packed = await data.read(Math.min(start, data.size), data.size);
    bytes = await inflatedVoxels(dataFile, new Inflated(codec.unpack(dataFile, packed, isGzip(packed) ? 'gzip' : 'zlib')), promised);
  } else {
    bytes = await storedVoxels(dataFile, data, skip < 0 ? Math.max(start, data.size - promised.bytes) : start, promised);
  }
  const voxels = voxelsOf(file, bytes, element, !flag(file, fields, 'BinaryDataByteOrderMSB', false));
  checkFinite(file, voxels, dims);
  return { ...grid, data: voxels };
}

/** Rows of TransformMatrix are the steps along x, y and z, in LPS. */
function gridOf(file: string, dims: readonly number[], rank: number, fields: Fields, tell: Tell): Geometry {
  const units = fields.get('DistanceUnits') ?? 'mm';
  if (!Object.hasOwn(MILLIMETRES, units))
    throw badField(file, 'DistanceUnits', units, 'mm, um, cm, m or ?', 'Convert the scan to millimetres.');
  const mm = MILLIMETRES[units];
  const matrix = list(file, fields, 'TransformMatrix', rank * rank),
    offset = list(file, fields, 'Offset', rank);
  if (!matrix)
    tell({
      file,
      message: 'states no orientation (no field TransformMatrix): its axes are taken as left, posterior, superior.',
      remedy: 'Add TransformMatrix to its header.',
      doubtful: false,
    }); // as all readers known to us do
  if (!offset)
    tell({
      file,
      message: 'states no place (no field Offset): its first voxel is taken to lie at 0, 0, 0.',
      remedy: 'Add Offset to its header, or convert the scan again from its source.',
      doubtful: false,
    });
  const stated = list(file, fields, 'ElementSpacing', rank) ?? list(file, fields, 'ElementSize', rank);
  if (!stated)
    tell({
      file,
      message: 'states no voxel spacing (no field ElementSpacing), 1 mm is assumed.',
      remedy: 'Add ElementSpacing to its header, or convert the scan again from its source.',
      doubtful: true,
    });
  const spacing = (stated ?? dims.map(() => 1)).slice(0, 3).map((s) => s * mm);
  if (spacing.some((s) => !(s > 0)))
    throw badField(file, 'ElementSpacing', fields.get('ElementSpacing') ?? fields.get('ElementSize'), 'numbers above 0');
  const rows = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (matrix ? matrix[i * rank + j] : i === j ? 1 : 0)));
  assertOrthogonal(file, rows);
  if (
    matrix &&
    (rows.some((v) => Math.abs(Math.hypot(...v) - 1) > 1e-3) ||
      matrix.some((v, k) => v !== 0 && v !== 1 && (k % rank > 2 || k >= 3 * rank)))
  ) {
    throw badField(file, 'TransformMatrix', fields.get('TransformMatrix'), 'rows of length 1', 'The spacing belongs into ElementSpacing.');
  }
  tellOfLetters(file, rows, fields.get('AnatomicalOrientation'), matrix !== undefined, tell);
  return geometryOf(
    file,
    dims,
    rows,
    (offset ?? [0, 0, 0]).slice(0, 3).map((o) => o * mm),
    spacing,
  );
}

const AWAY = ['RL', 'AP', 'IS'] as const;

/**
 * AnatomicalOrientation says again in letters what the matrix says; some write where an axis comes from (as the format has it), some
 * where it goes to. Where it fits neither, the matrix counts, as in every reader known to us.
 */
function tellOfLetters(file: string, rows: readonly (readonly number[])[], letters: string | undefined, stated: boolean, tell: Tell): void {
  if (letters === undefined || /^\?*$/.test(letters)) return;
  const [from, to] = [0, 1].map((end) =>
    rows
      .map((row) => {
        const world = [0, 1, 2].reduce((best, i) => (Math.abs(row[i]) > Math.abs(row[best]) ? i : best), 0);
        return AWAY[world][row[world] > 0 ? end : 1 - end];
      })
      .join(''),
  );
  if (!/^[RLAPIS]{3}$/.test(letters)) throw badField(file, 'AnatomicalOrientation', letters, 'three letters such as RAI, or ???');
  if (letters === from || letters === to) return;
  tell({
    file,
    message:
      `AnatomicalOrientation ${letters} and ${stated ? 'TransformMatrix' : 'the missing TransformMatrix'} (${from}) contradict each ` +
      'other; the matrix is taken.',
    remedy: 'Find out which one is right and correct the other in the header.',
    doubtful: !stated,
  });
}
