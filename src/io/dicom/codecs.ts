// SPDX-License-Identifier: MIT
// Compressed frames decoded. CharLS, OpenJPEG and libjpeg-turbo come as packages of Cornerstone and are loaded by the first frame that
// needs them.
import { readCodestream } from './codestream.ts';
import { decodeLosslessJpeg } from './jpeg_lossless.ts';
import { decodeRle } from './rle.ts';
import type { Compression } from './transfer_syntax.ts';

/** Pixels as cells of `allocated` bits, little endian, of which `bits` are coded. */
export interface Cells {
  readonly bytes: Uint8Array;
  readonly allocated: number;
  readonly bits: number;
}

/** What the data set says of a frame. */
export interface FrameShape {
  readonly rows: number;
  readonly columns: number;
  readonly allocated: number;
  readonly stored: number;
}

/** A fresh object each time: the module becomes it. */
const quiet = (): Parameters<CornerstoneFactory>[0] => ({ print: () => undefined, printErr: () => undefined });
/** WebAssembly, six times as fast as the same in plain JavaScript. In a bundle its bytes go with it (scripts/build/packages.mjs). */
const LOADERS = {
  JpegLSDecoder: () => import('@cornerstonejs/codec-charls/decodewasmjs'),
  J2KDecoder: () => import('@cornerstonejs/codec-openjpeg/decodewasmjs'),
  JPEGDecoder: () => import('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs'),
};
const loaded = new Map<keyof typeof LOADERS, Promise<CornerstoneCodec>>();

/** Decodes one frame. Error saying what is wrong with it. */
export async function decodeFrame(compression: Compression, data: Uint8Array, shape: FrameShape): Promise<Cells> {
  const { rows, columns, allocated, stored } = shape,
    pixels = rows * columns;
  if (compression === 'none') return { bytes: data, allocated, bits: stored };
  if (compression === 'rle') return { bytes: decodeRle(data, pixels, allocated / 8), allocated, bits: stored };
  const stream = readCodestream(data),
    { kind, bits } = stream;
  if (stream.rows !== rows || stream.columns !== columns || stream.components !== 1) {
    throw new Error(
      `the stream holds ${stream.rows} x ${stream.columns} pixels of ${stream.components} values, expected ${rows} x ${columns} of 1`,
    );
  }
  if (bits < 2 || bits > Math.min(16, allocated))
    throw new Error(`the stream holds ${bits} bits a pixel, expected 2 to ${Math.min(16, allocated)}`);
  if (compression === 'jpeg' && kind === 0xc3) {
    const samples = decodeLosslessJpeg(data, rows, columns, bits);
    return { bytes: new Uint8Array(samples.buffer), allocated: 16, bits };
  }
  const name =
    compression === 'jpeg-ls' && kind === 0xf7
      ? 'JpegLSDecoder'
      : compression === 'jpeg-2000' && kind === 0x51
        ? 'J2KDecoder'
        : compression === 'jpeg' && (kind === 0xc0 || kind === 0xc1) && bits === 8
          ? 'JPEGDecoder'
          : undefined;
  if (!name)
    throw new Error(
      compression === 'jpeg'
        ? `a JPEG process that is not read, got frame header ${kind.toString(16).toUpperCase()} of ${bits} bits, expected lossless, ` +
            'or 8 bits sequential'
        : `another kind of stream, got frame header ${kind.toString(16).toUpperCase()}`,
    );
  const bytes = await run(name, data, pixels * (bits > 8 ? 2 : 1));
  return { bytes, allocated: bits > 8 ? 16 : 8, bits };
}

async function run(name: keyof typeof LOADERS, data: Uint8Array, expected: number): Promise<Uint8Array> {
  if (!loaded.has(name))
    loaded.set(
      name,
      LOADERS[name]().then((module) => module.default(quiet())),
    );
  const codec = await loaded.get(name)!.catch((cause) => {
    loaded.delete(name);
    throw new Error(`its decoder cannot be loaded (${(cause as Error).message})`, { cause });
  });
  const decoder = new codec[name]();
  try {
    decoder.getEncodedBuffer(data.length).set(data);
    decoder.decode();
    const bytes = decoder.getDecodedBuffer().slice();
    if (bytes.length !== expected) throw new Error(`the decoder gave ${bytes.length} bytes, expected ${expected}`);
    decoder.delete();
    return bytes;
  } catch (cause) {
    loaded.delete(name); // what a decoder holds after it failed is not known
    throw cause instanceof Error ? cause : new Error('the decoder gave up', { cause });
  }
}
