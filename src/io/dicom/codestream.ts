// SPDX-License-Identifier: MIT
// What a compressed image says of itself, read before a decoder is asked: decoders fill what is missing, and make room for whatever
// size they are told. JPEG and JPEG-LS (T.81 B.1.1, T.87 C.1) are walked to the frame header, JPEG 2000 (T.800 A) over its tiles.
export interface Codestream {
  /** The marker of the frame header: 0xc0..0xcf JPEG, 0xf7 JPEG-LS, 0x51 JPEG 2000. */
  readonly kind: number;
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
  readonly components: number;
  readonly signed: boolean;
}

/** Reads the header and checks that the stream has its end. Error saying what is wrong. */
export function readCodestream(data: Uint8Array): Codestream {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 4 || data[0] !== 0xff) throw new Error('it does not begin with a marker');
  return data[1] === 0x4f ? readJpeg2000(view) : readJpeg(view);
}

function readJpeg(view: DataView): Codestream {
  if (view.getUint16(0) !== 0xffd8) throw new Error('it does not begin with a start of image');
  // A fragment is padded to an even length; some writers pad with more.
  let end = view.byteLength;
  while (end > 2 && view.byteLength - end < 16 && view.getUint16(end - 2) !== 0xffd9) end--;
  if (view.getUint16(end - 2) !== 0xffd9) throw new Error('it stops before its end (no end of image)');
  for (let at = 2; at + 4 <= view.byteLength;) {
    if (view.getUint8(at) !== 0xff) throw new Error(`no marker at byte ${at}`);
    const marker = view.getUint8(at + 1),
      length = view.getUint16(at + 2);
    if (marker === 0xff) {
      at++;
      continue;
    } // fill byte
    if (marker === 0xda || marker === 0xd9) break;
    if ((marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) || marker === 0xf7) {
      if (length < 8 || at + 10 > view.byteLength) break;
      return {
        kind: marker,
        bits: view.getUint8(at + 4),
        rows: view.getUint16(at + 5),
        columns: view.getUint16(at + 7),
        components: view.getUint8(at + 9),
        signed: false,
      };
    }
    if (length < 2) throw new Error(`a marker segment of ${length} bytes`);
    at += 2 + length;
  }
  throw new Error('it has no frame header');
}

function readJpeg2000(view: DataView): Codestream {
  if (view.byteLength < 43 || view.getUint16(2) !== 0xff51) throw new Error('it has no size segment');
  const columns = view.getUint32(8) - view.getUint32(16),
    rows = view.getUint32(12) - view.getUint32(20),
    depth = view.getUint8(42);
  const header = { kind: 0x51, rows, columns, components: view.getUint16(40), bits: (depth & 0x7f) + 1, signed: depth > 0x7f };
  for (let at = 2; at + 2 <= view.byteLength;) {
    const marker = view.getUint16(at);
    if (marker === 0xffd9) return header;
    if (at + 4 > view.byteLength) break;
    if (marker === 0xff90) {
      // start of a tile-part, whose length counts from here; 0: to the end
      if (at + 12 > view.byteLength) break;
      const length = view.getUint32(at + 6);
      if (length === 0) return header;
      if (length < 14 || at + length > view.byteLength) throw new Error(`a tile of ${length} bytes where ${view.byteLength - at} are left`);
      at += length;
      if (at === view.byteLength) return header; // some writers leave the end of codestream out
    } else {
      if (marker < 0xff00 || view.getUint16(at + 2) < 2) throw new Error(`no marker at byte ${at}`);
      at += 2 + view.getUint16(at + 2);
    }
  }
  throw new Error('it stops before its end (no end of codestream)');
}
