// SPDX-License-Identifier: MIT
// Lossless JPEG of one component (T.81 annex H, process 14), all seven predictors, point transform and restarts. Written here because
// jpeg-lossless-decoder-js 2.1.2 gives zeros from a damaged byte onwards, knows no point transform and halves predictor 7 into fractions.

const SOF3 = 0xc3,
  DHT = 0xc4,
  RST0 = 0xd0,
  EOI = 0xd9,
  SOS = 0xda,
  DRI = 0xdd;

/**
 * Samples of a stream whose frame header was checked (`readCodestream`): one component, `rows * columns` of `bits` bits. Error: damaged.
 */
export function decodeLosslessJpeg(data: Uint8Array, rows: number, columns: number, bits: number): Uint16Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength),
    tables: (Uint16Array | undefined)[] = [];
  let at = 2,
    interval = 0,
    framed = false;
  for (;;) {
    if (at + 4 > data.length) throw new Error('it has no scan');
    const marker = data[at + 1],
      length = view.getUint16(at + 2),
      start = at + 4,
      end = at + 2 + length;
    if (data[at] !== 0xff) throw new Error(`no marker at byte ${at}`);
    if (marker === 0xff) {
      at++;
      continue;
    } // fill byte
    if (length < 2 || end > data.length) throw new Error(`a marker segment of ${length} bytes where ${data.length - at - 2} are left`);
    if (marker === SOF3) framed = true;
    else if (marker === DHT) readTables(data, start, end, tables);
    else if (marker === DRI) interval = view.getUint16(start);
    else if (marker === SOS) {
      if (!framed || length !== 8 || data[start] !== 1) throw new Error('a scan of other than one component');
      const table = tables[data[start + 2] >> 4],
        predictor = data[start + 3],
        shift = data[start + 5] & 15;
      if (!table || predictor < 1 || predictor > 7 || shift >= bits)
        throw new Error(`a scan with predictor ${predictor}, point transform ${shift} and ${table ? 'a' : 'no'} Huffman table`);
      return readScan(new Bits(data, end), table, { rows, columns, bits: bits - shift, predictor, shift, interval });
    }
    at = end;
  }
}

/** Huffman tables as lookups: the next 16 bits give length << 8 | category; 0 is no code. */
function readTables(data: Uint8Array, start: number, end: number, tables: (Uint16Array | undefined)[]): void {
  while (start < end) {
    const id = data[start] & 15,
      counts = data.subarray(start + 1, start + 17),
      table = new Uint16Array(65536);
    let code = 0,
      at = start + 17;
    for (let length = 1; length <= 16; length++, code <<= 1) {
      for (let i = 0; i < counts[length - 1]; i++, code++, at++) {
        if (at >= end || code >= 1 << length) throw new Error('a Huffman table that is none');
        table.fill((length << 8) | data[at], code << (16 - length), (code + 1) << (16 - length));
      }
    }
    tables[id] = table;
    start = at;
  }
}

/** Bits of the entropy-coded data, up to the next marker. */
class Bits {
  #held = 0;
  #count = 0;
  /** Zero bits supplied beyond the data: a code that uses one is an error. */
  #beyond = 0;
  constructor(
    readonly data: Uint8Array,
    public at: number,
  ) {}

  code(table: Uint16Array): number {
    this.#fill(16);
    const entry = table[(this.#held >>> (this.#count - 16)) & 0xffff];
    if (entry === 0) throw new Error(`no Huffman code at byte ${this.at}`);
    this.#drop(entry >> 8);
    return entry & 0xff;
  }

  /** A difference of `category` (T.81 table H.2). */
  difference(category: number): number {
    if (category === 0) return 0;
    if (category === 16) return 32768;
    if (category > 16) throw new Error(`a difference of category ${category}`);
    this.#fill(category);
    const bits = (this.#held >>> (this.#count - category)) & ((1 << category) - 1);
    this.#drop(category);
    return bits < 1 << (category - 1) ? bits - (1 << category) + 1 : bits;
  }

  /** The marker that must come next; the bits before it are padding. */
  marker(): number {
    if (this.#count - this.#beyond >= 8) throw new Error(`data after the last sample before byte ${this.at}`);
    while (this.data[this.at] === 0xff && this.data[this.at + 1] === 0xff) this.at++;
    if (this.data[this.at] !== 0xff) throw new Error(`data where a marker was expected at byte ${this.at}`);
    this.at += 2;
    this.#held = this.#count = this.#beyond = 0;
    return this.data[this.at - 1];
  }

  #fill(count: number): void {
    while (this.#count < count) {
      const byte = this.data[this.at],
        stop = byte === undefined || (byte === 0xff && this.data[this.at + 1] !== 0);
      if (stop) this.#beyond += 8;
      else this.at += byte === 0xff ? 2 : 1;
      this.#held = (this.#held << 8) | (stop ? 0 : byte);
      this.#count += 8;
    }
  }

  #drop(count: number): void {
    this.#count -= count;
    if (this.#count < this.#beyond) throw new Error(`it stops early, at byte ${this.at}`);
  }
}

interface Scan {
  rows: number;
  columns: number;
  bits: number;
  predictor: number;
  shift: number;
  interval: number;
}

function readScan(bits: Bits, table: Uint16Array, { rows, columns, bits: precision, predictor, shift, interval }: Scan): Uint16Array {
  const out = new Uint16Array(rows * columns);
  // T.81 H.1.1: intervals are whole lines.
  if (interval % columns !== 0) throw new Error(`restarts every ${interval} samples in lines of ${columns}`);
  for (let y = 0, i = 0, restarts = 0; y < rows; y++) {
    const isFirst = y === 0 || (interval > 0 && i % interval === 0);
    if (isFirst && y > 0) {
      const marker = bits.marker();
      if (marker !== RST0 + (restarts++ & 7)) throw new Error(`marker ${marker.toString(16)} where a restart was expected`);
    }
    for (let x = 0; x < columns; x++, i++) {
      const left = x > 0 ? out[i - 1] : 0,
        up = isFirst ? 0 : out[i - columns],
        corner = isFirst || x === 0 ? 0 : out[i - columns - 1];
      const guess = x === 0 ? (isFirst ? 1 << (precision - 1) : up) : isFirst ? left : predict(predictor, left, up, corner);
      out[i] = guess + bits.difference(bits.code(table));
    }
  }
  if (bits.marker() !== EOI) throw new Error('it goes on after its last sample');
  if (shift > 0) for (let i = 0; i < out.length; i++) out[i] <<= shift;
  return out;
}

/** T.81 table H.1. */
function predict(selection: number, a: number, b: number, c: number): number {
  switch (selection) {
    case 1:
      return a;
    case 2:
      return b;
    case 3:
      return c;
    case 4:
      return a + b - c;
    case 5:
      return a + ((b - c) >> 1);
    case 6:
      return b + ((a - c) >> 1);
    default:
      return (a + b) >> 1;
  }
}
