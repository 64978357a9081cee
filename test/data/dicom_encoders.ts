// SPDX-License-Identifier: MIT
// Encoders of the compressions that DICOM has, for tests: RLE and lossless JPEG from their standards, the others of the codecs' packages.

export interface Coded {
  readonly values: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
  readonly signed?: boolean;
}

const pattern = ({ values, bits }: Coded): number[] => values.map((v) => (v < 0 ? v + 2 ** bits : v));
const bytesOf = (image: Coded): Uint8Array =>
  image.bits > 8 ? new Uint8Array(Uint16Array.from(image.values, (v) => v & 0xffff).buffer) : Uint8Array.from(image.values);

/** PackBits of each byte plane, the most significant first (PS3.5 annex G). */
export function rle(image: Coded, bytes = 2): Buffer {
  const planes = Array.from({ length: bytes }, (_, p) =>
    packBits(image.values.map((v) => ((v < 0 ? v + 2 ** (8 * bytes) : v) / 2 ** (8 * (bytes - 1 - p))) & 0xff)),
  );
  const head = Buffer.alloc(64);
  head.writeUInt32LE(bytes, 0);
  let at = 64;
  planes.forEach((plane, p) => {
    head.writeUInt32LE(at, 4 + 4 * p);
    at += plane.length;
  });
  return Buffer.concat([head, ...planes]);
}

function packBits(plane: readonly number[]): Buffer {
  const out: number[] = [];
  for (let at = 0; at < plane.length;) {
    let run = 1;
    while (run < 128 && plane[at + run] === plane[at]) run++;
    if (run > 1) out.push(257 - run, plane[at]);
    else {
      while (run < 128 && at + run < plane.length && plane[at + run] !== plane[at + run + 1]) run++;
      out.push(run - 1, ...plane.slice(at, at + run));
    }
    at += run;
  }
  return Buffer.from(out.length % 2 ? [...out, 0] : out);
}

/** Lossless JPEG (T.81 annex H) with codes of 5 bits for all categories; `lines` between restarts, the last `shift` bits left out. */
export function losslessJpeg(image: Coded, predictor: number, { lines = 0, shift = 0 } = {}): Buffer {
  const { rows, columns, bits } = image,
    x = pattern(image).map((v) => v >> shift),
    out: number[] = [0xff, 0xd8];
  const segment = (marker: number, ...content: number[]): void => {
    out.push(0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255, ...content);
  };
  segment(0xc3, bits, rows >> 8, rows & 255, columns >> 8, columns & 255, 1, 1, 0x11, 0);
  segment(0xc4, 0, ...Array.from({ length: 16 }, (_, i) => (i === 4 ? 17 : 0)), ...Array.from({ length: 17 }, (_, i) => i));
  if (lines) segment(0xdd, (lines * columns) >> 8, (lines * columns) & 255);
  segment(0xda, 1, 1, 0, predictor, 0, shift);
  let held = '';
  const flush = (all: boolean): void => {
    if (all) held += '1'.repeat((8 - (held.length % 8)) % 8);
    for (; held.length >= 8; held = held.slice(8)) {
      const byte = parseInt(held.slice(0, 8), 2);
      out.push(byte, ...(byte === 0xff ? [0] : []));
    }
  };
  for (let r = 0, restart = 0; r < rows; r++) {
    const isFirst = r === 0 || (lines > 0 && r % lines === 0);
    if (isFirst && r > 0) {
      flush(true);
      out.push(0xff, 0xd0 + (restart++ & 7));
    }
    for (let c = 0; c < columns; c++) {
      const i = r * columns + c,
        a = x[i - 1],
        b = x[i - columns],
        d = x[i - columns - 1];
      const guess =
        c === 0
          ? isFirst
            ? 2 ** (bits - shift - 1)
            : b
          : isFirst
            ? a
            : [0, a, b, d, a + b - d, a + ((b - d) >> 1), b + ((a - d) >> 1), (a + b) >> 1][predictor];
      const difference = ((x[i] - guess + 32768) & 0xffff) - 32768,
        size = Math.abs(difference).toString(2).length * Number(difference !== 0);
      held += size.toString(2).padStart(5, '0');
      if (size > 0 && size < 16) held += (difference < 0 ? difference + 2 ** size - 1 : difference).toString(2).padStart(size, '0');
      flush(false);
    }
  }
  flush(true);
  return Buffer.from([...out, 0xff, 0xd9]);
}

interface Encoder {
  getDecodedBuffer(info: object): Uint8Array;
  getEncodedBuffer(): Uint8Array;
  encode(): void;
  setNearLossless(allowed: number): void;
  setQuality(a: unknown, b?: unknown): void;
  setDecompositions(levels: number): void;
  setSubSampling(kind: number): void;
  setProgressive(on: boolean): void;
}

/** Encodes with a package of Cornerstone. */
async function encode(packageName: string, name: string, image: Coded, set: (encoder: Encoder) => void): Promise<Buffer> {
  const module = (await import(packageName)) as { default: (options: object) => Promise<Record<string, new () => Encoder>> };
  const encoder = new (await module.default({ print: () => undefined, printErr: () => undefined }))[name]();
  encoder
    .getDecodedBuffer({
      width: image.columns,
      height: image.rows,
      bitsPerSample: image.bits,
      componentCount: 1,
      isSigned: image.signed ?? false,
      isUsingColorTransform: false,
    })
    .set(bytesOf(image));
  set(encoder);
  encoder.encode();
  return Buffer.from(encoder.getEncodedBuffer());
}

export const jpegLs = (image: Coded, allowed = 0): Promise<Buffer> =>
  encode('@cornerstonejs/codec-charls', 'JpegLSEncoder', { ...image, values: pattern(image) }, (e) => e.setNearLossless(allowed));
export const jpeg2000 = (image: Coded): Promise<Buffer> =>
  encode('@cornerstonejs/codec-openjpeg', 'J2KEncoder', image, (e) => {
    e.setDecompositions(1);
    e.setQuality(true, 0);
  });
export const highThroughput = (image: Coded): Promise<Buffer> =>
  encode('@cornerstonejs/codec-openjph', 'HTJ2KEncoder', { ...image, bits: 16 }, (e) => e.setQuality(true, 0));
export const jpeg = (image: Coded): Promise<Buffer> =>
  encode('@cornerstonejs/codec-libjpeg-turbo-8bit', 'JPEGEncoder', image, (e) => {
    e.setProgressive(false);
    e.setSubSampling(3 /* grey */);
    e.setQuality(90);
  });
