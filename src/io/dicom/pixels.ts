// SPDX-License-Identifier: MIT
// From bytes of a DICOM image to the stored values of a frame: fragments put together (PS3.5 annex A.4), cells unpacked (section 8.1).
import { DataError } from '../../errors.ts';
import { type Cells, decodeFrame, type FrameShape } from './codecs.ts';
import type { Fragments } from './data_set.ts';
import type { DicomFile } from './open.ts';

/** How pixels are stored, and how many frames there are. */
export interface PixelFormat extends FrameShape {
  readonly frames: number;
  readonly signed: boolean;
}

/** Bytes of each frame, found and counted but not decoded. DataError unless they are what `format` promises. */
export function framesOf({ dataSet, syntax }: DicomFile, format: PixelFormat): Uint8Array[] {
  const { bytes } = dataSet,
    element = dataSet.element('PixelData')!,
    { rows, columns, allocated, frames } = format;
  if (syntax.compression) {
    if (!element.fragments)
      throw dataSet.wrong('PixelData', `${element.length} bytes in one piece`, `fragments, as ${syntax.name} has them`);
    return gather(bytes, element.fragments, frames, (what) =>
      dataSet.wrong('PixelData', what, `${frames} frame${frames === 1 ? '' : 's'}`),
    ).map((spans) => joined(bytes, spans));
  }
  if (element.fragments) throw dataSet.wrong('PixelData', 'fragments', `one piece, as ${syntax.name} has it`);
  const size = rows * columns * (allocated / 8),
    expected = size * frames;
  if (element.length !== expected + (expected & 1)) {
    throw dataSet.wrong(
      'PixelData',
      `${element.length} bytes`,
      `${frames === 1 ? '' : `${frames} frames x `}${rows} rows x ${columns} columns x ${allocated} bits = ${expected} bytes`,
    );
  }
  const all = bytes.subarray(element.start, element.start + expected + (expected & 1));
  // Words of 16 bits are turned round as a whole, so that two pixels of 8 bits in one word change places.
  const whole = !syntax.little && element.vr === 'OW' && allocated === 8 ? all.map((_, i) => all[i ^ 1]) : all;
  return Array.from({ length: frames }, (_, i) => whole.subarray(i * size, (i + 1) * size));
}

type Run = readonly { readonly start: number; readonly length: number }[];

/** The fragments of each frame. */
function gather(bytes: Uint8Array, { offsets, spans }: Fragments, frames: number, wrong: (got: string) => DataError): Run[] {
  if (spans.length < frames) throw wrong(`${spans.length} fragments`);
  if (offsets.length > 0) {
    if (offsets.length !== frames) throw wrong(`a table of ${offsets.length} offsets`);
    const places = new Map(spans.map((s, i) => [s.start - spans[0].start, i])),
      firsts = offsets.map((offset) => places.get(offset) ?? -1);
    if (firsts[0] !== 0 || firsts.some((first, i) => i > 0 && first <= firsts[i - 1]))
      throw wrong('a table of offsets that are not those of the fragments');
    return firsts.map((first, i) => spans.slice(first, firsts[i + 1]));
  }
  if (frames === 1) return [spans];
  if (spans.length === frames) return spans.map((span) => [span]);
  // Several fragments a frame and no table: a frame begins with the first marker of JPEG (start of image) or JPEG 2000.
  const firsts = spans.flatMap(({ start, length }, i) =>
    length > 2 && bytes[start] === 0xff && (bytes[start + 1] === 0xd8 || bytes[start + 1] === 0x4f) ? [i] : [],
  );
  if (firsts.length !== frames || firsts[0] !== 0) throw wrong(`${spans.length} fragments without a table of offsets`);
  return firsts.map((first, i) => spans.slice(first, firsts[i + 1]));
}

function joined(bytes: Uint8Array, spans: Run): Uint8Array {
  if (spans.length === 1) return bytes.subarray(spans[0].start, spans[0].start + spans[0].length);
  const out = new Uint8Array(spans.reduce((sum, s) => sum + s.length, 0));
  let at = 0;
  for (const { start, length } of spans) {
    out.set(bytes.subarray(start, start + length), at);
    at += length;
  }
  return out;
}

/** Stored values of a frame. DataError naming the file if it cannot be decoded. */
export async function storedValues(
  name: string,
  { syntax }: DicomFile,
  data: Uint8Array,
  format: PixelFormat,
): Promise<Int32Array | Float64Array> {
  const { rows, columns, allocated, stored, signed } = format,
    { compression } = syntax;
  let cells: Cells = { bytes: data, allocated, bits: stored };
  try {
    if (compression) cells = await decodeFrame(compression, data, format);
  } catch (cause) {
    throw new DataError(
      `${name}: ${syntax.name} pixels that cannot be decoded: ${(cause as Error).message}.`,
      'Copy or export the series again, or decompress it with another tool, for example: gdcmconv --raw IN OUT.',
      { cause },
    );
  }
  const count = rows * columns,
    size = cells.allocated / 8,
    slack = cells.bytes.length - count * size;
  if (slack < 0 || slack > 1)
    throw new DataError(
      `${name}: wrong number of pixels, got ${cells.bytes.length} bytes, expected ${count * size}.`,
      'Copy or export the series again.',
    );
  return unpack(cells, count, Math.min(cells.bits, stored), signed, compression ? true : syntax.little);
}

/** The lower `bits` of each cell (the rest may hold overlays), as a two's complement where `signed`. */
function unpack({ bytes, allocated }: Cells, count: number, bits: number, signed: boolean, little: boolean): Int32Array | Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    shift = 32 - bits;
  if (bits === 32 && !signed) return Float64Array.from({ length: count }, (_, i) => view.getUint32(4 * i, little));
  const out = new Int32Array(count);
  if (allocated === 8) for (let i = 0; i < count; i++) out[i] = bytes[i];
  else if (allocated === 16) for (let i = 0; i < count; i++) out[i] = view.getUint16(2 * i, little);
  else for (let i = 0; i < count; i++) out[i] = view.getInt32(4 * i, little);
  if (signed) for (let i = 0; i < count; i++) out[i] = (out[i] << shift) >> shift;
  else for (let i = 0; i < count; i++) out[i] = (out[i] << shift) >>> shift;
  return out;
}
