// SPDX-License-Identifier: MIT
// TensorBoard event files with scalars: records of [u64 length, masked CRC-32C of it, Event message, masked CRC-32C of that].
import fs from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { crc32c } from '../../../files/crc.ts';
import { makeFolder, writeError } from '../../../files/atomic.ts';

/** CRC-32C as TensorFlow's record files mask it, so that a checksum of data with checksums stays good. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const text = new TextEncoder();

function varint(value: number): number[] {
  const out: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) out.push((value % 128) | 0x80);
  return [...out, value];
}

/** Protocol buffer fields: number and wire type, then the value. */
const bytesField = (field: number, value: ArrayLike<number>): number[] => [(field << 3) | 2, ...varint(value.length), ...Array.from(value)];
const doubleField = (field: number, value: number): number[] => [(field << 3) | 1, ...new Uint8Array(Float64Array.of(value).buffer)];
const floatField = (field: number, value: number): number[] => [(field << 3) | 5, ...new Uint8Array(Float32Array.of(value).buffer)];

/** One record of an event file. */
export function encodeRecord(event: Uint8Array): Uint8Array {
  const out = new Uint8Array(event.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(event.length), true);
  view.setUint32(8, maskedCrc(out.subarray(0, 8)), true);
  out.set(event, 12);
  view.setUint32(12 + event.length, maskedCrc(event), true);
  return out;
}

/** Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } }. */
function scalarEvent(tag: string, value: number, step: number, wallTime: number): Uint8Array {
  const entry = [...bytesField(1, text.encode(tag)), ...floatField(2, value)];
  return Uint8Array.from([...doubleField(1, wallTime), 0x10, ...varint(step), ...bytesField(5, bytesField(1, entry))]);
}

/** Event { wall_time = 1, file_version = 3 }: the first record of every file. */
const versionEvent = (wallTime: number): Uint8Array =>
  Uint8Array.from([...doubleField(1, wallTime), ...bytesField(3, text.encode('brain.Event:2'))]);

const now = (): number => Date.now() / 1000;

/** How the names of our event files end: with the run, in a folder of its own also without, as they once did. */
export const isEventFileOf = (id: string, name: string, shared: boolean): boolean =>
  /^events\.out\.tfevents\..*\.voxelgrad$/.test(name) &&
  (name.endsWith(`.run-${id}.voxelgrad`) || (!shared && !/\.run-\w+\.voxelgrad$/.test(name)));

/** Appends scalars to a new event file in `folder`. Each record is written at once: a killed run loses none. */
export class EventWriter implements Disposable {
  readonly path: string;
  private handle: number | null;

  constructor(folder: string, id: string) {
    makeFolder(folder);
    const seconds = String(Math.floor(now())).padStart(10, '0');
    this.path = join(folder, `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.run-${id}.voxelgrad`);
    try {
      this.handle = fs.openSync(this.path, 'a');
    } catch (cause) {
      throw writeError(this.path, cause);
    }
    this.append(versionEvent(now()));
  }

  scalar(tag: string, value: number, step: number, wallTime: number = now()): void {
    this.append(scalarEvent(tag, value, step, wallTime));
  }

  close(): void {
    if (this.handle !== null) fs.closeSync(this.handle);
    this.handle = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private append(event: Uint8Array): void {
    if (this.handle === null) return;
    try {
      fs.writeSync(this.handle, encodeRecord(event));
    } catch (cause) {
      throw writeError(this.path, cause);
    }
  }
}
