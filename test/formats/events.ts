// SPDX-License-Identifier: MIT
// A reader of TensorBoard event files of the tests' own: the writer's helpers take no part but for the checksum.
import { expect } from 'vitest';
import { maskedCrc } from '../../src/io/node/run/tensorboard.ts';

export interface Field {
  number: number;
  value: number | Uint8Array;
}

/** Fields of a protocol buffer message. */
export function fields(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: Field[] = [];
  let at = 0;
  const varint = () => {
    let n = 0;
    for (let shift = 0; ; shift += 7) {
      const b = bytes[at++];
      n += (b & 0x7f) * 2 ** shift;
      if (b < 0x80) return n;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = tag >> 3;
    if ((tag & 7) === 0) out.push({ number, value: varint() });
    else if ((tag & 7) === 1) {
      out.push({ number, value: view.getFloat64(at, true) });
      at += 8;
    } else if ((tag & 7) === 5) {
      out.push({ number, value: view.getFloat32(at, true) });
      at += 4;
    } else {
      const length = varint();
      out.push({ number, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return out;
}

/** Records of an event file; their checksums are expected to be right. */
export function records(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const out: Uint8Array[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(view.getBigUint64(at, true));
    expect(view.getUint32(at + 8, true)).toBe(maskedCrc(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(maskedCrc(data));
    out.push(data);
    at += 16 + length;
  }
  return out;
}

export interface Scalar {
  readonly time: number;
  readonly step: number;
  readonly tag: string;
  readonly value: number;
}

/** Scalars of an event file, in order. */
export function scalars(file: Uint8Array): Scalar[] {
  return records(file)
    .map(fields)
    .flatMap((event): Scalar[] => {
      const summary = event.find((f) => f.number === 5);
      if (!summary) return [];
      const [value] = fields(summary.value as Uint8Array);
      const [tag, simple] = fields(value.value as Uint8Array);
      return [
        {
          time: event[0].value as number,
          step: event.find((f) => f.number === 2)!.value as number,
          tag: new TextDecoder().decode(tag.value as Uint8Array),
          value: simple.value as number,
        },
      ];
    });
}
