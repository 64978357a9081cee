// SPDX-License-Identifier: MIT
// Reading NRRD: .nrrd, or a header .nhdr with its data file.
import type { Volume } from '../data/volume.ts';
import { bytesOfHex, elementBytes, voxelsOf, voxelsOfText } from './elements.ts';
import { badField, besideName, HEAD_BYTES, integerIn, latin1, numberIn } from './header_text.ts';
import { nrrdElement, nrrdEncoding, parseNrrdFields } from './nrrd_fields.ts';
import { nrrdGrid } from './nrrd_space.ts';
import { Inflated } from './packed.ts';
import { checkFinite, checkPacked, inflatedVoxels, storedVoxels } from './promises.ts';
import type { ByteSource, Input } from './source.ts';

/** Reads an NRRD. DataError naming the field, or saying that the file holds fewer or more voxels than promised. */
export async function readNrrd({ file, source, beside, codec, tell }: Input): Promise<Volume> {
  const { fields, end } = parseNrrdFields(file, await source.read(0, Math.min(source.size, HEAD_BYTES)));
  const rank = integerIn(file, 'dimension', fields.get('dimension') ?? '', 1);
  const sizes = (fields.get('sizes') ?? '')
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => numberIn(word) ?? NaN);
  if (sizes.length !== rank) throw badField(file, 'sizes', fields.get('sizes'), 'as many integers as "dimension" says');
  const element = nrrdElement(file, fields.get('type')),
    encoding = nrrdEncoding(file, fields.get('encoding'));
  const { dims, grid } = nrrdGrid(file, sizes, fields, tell);
  const count = dims.reduce((a, b) => a * b, 1),
    promised = { dims, bytes: count * elementBytes(element) };
  const number = fields.get('number');
  if (number !== undefined && integerIn(file, 'number', number, 1) !== count)
    throw badField(file, 'number', number, `${count} as sizes say`);

  const name = fields.get('data file');
  const data = name === undefined ? source : await beside(besideName(file, name));
  const dataFile = name === undefined ? file : file.replace(/[^\\/]*$/, name);
  let start = name === undefined ? end! : 0;
  const lines = integerIn(file, 'line skip', fields.get('line skip') ?? '0', 0),
    skip = integerIn(file, 'byte skip', fields.get('byte skip') ?? '0', -1);
  if (skip < 0 && encoding !== 'raw') throw badField(file, 'byte skip', fields.get('byte skip'), `0 or more in encoding ${encoding}`);
  if (lines > 0) start = await afterLines(file, data, start, lines);

  if (encoding === 'text') {
    return { ...grid, data: voxelsOfText(dataFile, latin1(await data.read(start, data.size)).slice(skip), element, count) };
  }
  let bytes: Uint8Array;
  if (encoding === 'gzip') {
    checkPacked(dataFile, data.size - start, promised);
    const stream = new Inflated(codec.unpack(dataFile, await data.read(start, data.size), 'gzip'));
    await stream.skip(skip); // bytes of what is decoded
    bytes = await inflatedVoxels(dataFile, stream, promised);
  } else if (encoding === 'hex') {
    const all = bytesOfHex(dataFile, await data.read(start, data.size));
    bytes = await storedVoxels(dataFile, { size: all.length, read: async (a, b) => all.slice(a, b) }, skip, promised);
  } else {
    bytes = await storedVoxels(dataFile, data, skip < 0 ? Math.max(0, data.size - promised.bytes) : start + skip, promised);
  }
  const endian = fields.get('endian')?.toLowerCase();
  if (endian !== 'little' && endian !== 'big' && (endian !== undefined || elementBytes(element) > 1))
    throw badField(file, 'endian', fields.get('endian'), 'little or big');
  const voxels = voxelsOf(file, bytes, element, endian !== 'big');
  checkFinite(file, voxels, dims);
  return { ...grid, data: voxels };
}

/** Where the file goes on after so many lines. */
async function afterLines(file: string, source: ByteSource, start: number, lines: number): Promise<number> {
  const bytes = await source.read(start, Math.min(source.size, start + HEAD_BYTES));
  let at = 0;
  for (let n = 0; n < lines; n++) {
    at = bytes.indexOf(10, at) + 1;
    if (at === 0) throw badField(file, 'line skip', String(lines), `at most as many as the data file has (${n})`);
  }
  return start + at;
}
